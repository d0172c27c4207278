//! Writes an artifact as an OCI image layout in a tar archive, which is a Docker archive, too, if it contains one image.
//!
//! Specification: [OCI image layout](https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md).

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::file::{DOCKER_MANIFEST, INDEX, ImageFileError, InvalidEntry, MARKER, REFERRERS, blob_name};
use super::{Blob, OciArtifact, docker_archive, layout};
use crate::archive::ArchiveError;
use crate::archive::destination::FileFormat;
use crate::archive::output::{FinishedFile, OutputFile};
use crate::archive::tar::{self, TarFormat, TarMember};
use crate::report::{Phase, Reporter};
use crate::tree::FileAccess;

/// Writes an archive to a temporary file; [`FinishedFile::persist`] moves it to `file`. `names` are full references, for
/// instance `ghcr.io/org/app:1.0`. Advances [`Phase::Write`] by the bytes of the archive.
///
/// # Errors
/// The archive cannot be written, or a blob cannot be read.
pub fn prepare(
    artifact: &OciArtifact,
    names: &[String],
    file: &Path,
    reporter: &dyn Reporter,
) -> Result<FinishedFile, ImageFileError> {
    write(artifact, names, OutputFile::create(file, FileFormat::Tar)?, file, reporter)
}

/// Writes an archive to an output, which errors call `name`.
///
/// # Errors
/// The archive cannot be written, or a blob cannot be read.
pub(crate) fn write(
    artifact: &OciArtifact,
    names: &[String],
    output: OutputFile,
    name: &Path,
    reporter: &dyn Reporter,
) -> Result<FinishedFile, ImageFileError> {
    let mut archive = ArchiveWriter { output, path: name.to_owned(), reporter, failure: None };
    if let Some(manifest) = docker_archive::manifest(artifact, names) {
        archive.document(DOCKER_MANIFEST, &manifest)?;
    }
    archive.document(MARKER, layout::MARKER_TEXT)?;
    // Without a name there is no tag: podman 4.3 would take it for the name of the image.
    archive.document(INDEX, &layout::index(artifact, names, None))?;
    if let Some(referrers) = layout::referrers(artifact) {
        archive.document(REFERRERS, &referrers)?;
    }
    archive.header("blobs", TarMember::Directory(FileAccess::DIRECTORY))?;
    archive.header("blobs/sha256", TarMember::Directory(FileAccess::DIRECTORY))?;
    for blob in layout::blobs(artifact).into_values() {
        archive.blob(blob)?;
    }
    archive.finish()
}

struct ArchiveWriter<'a> {
    output: OutputFile,
    path: PathBuf,
    reporter: &'a dyn Reporter,
    /// Why the bytes of a blob could not be written: [`io::Write`] has no room for an [`ArchiveError`].
    failure: Option<ArchiveError>,
}

impl ArchiveWriter<'_> {
    fn document(&mut self, name: &str, content: &[u8]) -> Result<(), ImageFileError> {
        let size = content.len() as u64;
        self.header(name, TarMember::File { access: FileAccess::FILE, size })?;
        self.put(content)?;
        Ok(self.put(tar::padding(size))?)
    }

    fn blob(&mut self, blob: &Blob) -> Result<(), ImageFileError> {
        let name = blob_name(blob.digest);
        self.header(&name, TarMember::File { access: FileAccess::FILE, size: blob.size })?;
        let start = self.output.position();
        let copied = blob.copy_to(self);
        if let Some(failure) = self.failure.take() {
            return Err(failure.into());
        }
        copied?;
        let actual = self.output.position() - start;
        if actual != blob.size {
            let problem = InvalidEntry::Size { expected: blob.size, actual };
            return Err(ImageFileError::Invalid { path: self.path.clone(), entry: name, problem });
        }
        Ok(self.put(tar::padding(blob.size))?)
    }

    fn header(&mut self, name: &str, member: TarMember<'_>) -> Result<(), ArchiveError> {
        let mut blocks = Vec::new();
        tar::append_header(TarFormat::ImageArchive, name, member, &mut blocks);
        self.put(&blocks)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.output.write(bytes)?;
        self.reporter.advance(Phase::Write, bytes.len() as u64);
        Ok(())
    }

    fn finish(mut self) -> Result<FinishedFile, ImageFileError> {
        self.put(tar::end())?;
        Ok(self.output.finish()?)
    }
}

/// Receives the bytes of a blob.
impl Write for ArchiveWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.put(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => {
                self.failure = Some(error);
                Err(io::ErrorKind::Other.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::FileExt;
    use std::process::Command;

    use super::*;
    use crate::digest::Sha256;
    use crate::image::file::{ImageFormat, ImageSource};
    use crate::report::Silent;

    const BLOCK: u64 = tar::BLOCK as u64;

    /// A file of nine gibibytes, most of it a hole, is read here and by tar.
    #[test]
    fn sizes_beyond_ustar_are_stated_in_pax_headers() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("archive");
        let size = 9 << 30;
        let mut archive = ArchiveWriter {
            output: OutputFile::create(&path, FileFormat::Tar).unwrap(),
            path: path.clone(),
            reporter: &Silent,
            failure: None,
        };
        archive.document(MARKER, b"{}").unwrap();
        archive.header("large", TarMember::File { access: FileAccess::FILE, size }).unwrap();
        let start = archive.output.position();
        archive.output.finish().unwrap().persist().unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        let mut after = Vec::new();
        let member = TarMember::File { access: FileAccess::FILE, size: 0 };
        tar::append_header(TarFormat::ImageArchive, "after", member, &mut after);
        file.write_all_at(&after, start + size).unwrap();
        file.set_len(start + size + 3 * BLOCK).unwrap();

        let source = ImageSource::open(ImageFormat::OciArchive, &path).unwrap();
        let large = source.locate("large").unwrap();
        assert_eq!((large.offset, large.size), (start, size));
        assert_eq!(source.locate("after").unwrap().offset, start + size + BLOCK);
        let listed = Command::new("tar").args(["--list", "--verbose", "--utc", "--file"]).arg(&path).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let lines = [(2, MARKER), (size, "large"), (0, "after")]
            .map(|(size, name)| format!("-rw-r--r-- 0/0 {size:>15} 1980-01-01 00:00 {name}\n"));
        assert_eq!(listed, lines.concat());
    }

    /// The bytes of headers are frozen: another header changes the digest of every archive. Its fields are those of ustar
    /// but for the device numbers, which stay empty.
    #[test]
    fn the_bytes_of_headers_are_pinned() {
        let mut blocks = Vec::new();
        tar::append_header(TarFormat::ImageArchive, "blobs", TarMember::Directory(FileAccess::DIRECTORY), &mut blocks);
        for size in [17, 9 << 30] {
            let member = TarMember::File { access: FileAccess::FILE, size };
            tar::append_header(TarFormat::ImageArchive, "blobs/sha256/ab", member, &mut blocks);
        }
        assert_eq!(blocks.len(), 5 * BLOCK as usize);
        assert_eq!(blocks[329..345], [0; 16]);
        assert_eq!(Sha256::of(&blocks).hex(), "d3094044d0fcd7c53747b977547bc9fdaad1265e4d70efa4ffd5f71fff17de9a");
    }

    #[test]
    fn a_blob_of_another_size_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let mut blob = Blob::of_bytes(oci_spec::image::MediaType::ImageManifest, b"{}".to_vec());
        blob.size = 3;
        let name = blob_name(blob.digest);
        let artifact = OciArtifact { manifest: blob, blobs: Vec::new(), children: Vec::new(), referrers: Vec::new() };
        let path = directory.path().join("archive");
        let error = prepare(&artifact, &[], &path, &Silent).unwrap_err().to_string();
        assert_eq!(error, format!("{}: `{name}` should have 3 bytes, but has 2", path.display()));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
