//! Writing an artifact as an OCI image layout in a tar archive.
//!
//! Specifications: [OCI image layout](https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md),
//! [POSIX, pax interchange format](https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html).

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tar::{EntryType, Header};

use super::file::{INDEX, ImageFileError, InvalidEntry, MARKER, blob_name};
use super::{Blob, OciArtifact, layout};
use crate::archive::ArchiveError;
use crate::archive::output::{FinishedFile, OutputFile};
use crate::report::{Phase, Reporter};

/// The modification time of every entry: 1980-01-01, as in zips.
const TIME: u64 = 315_532_800;

/// The size of a header, and what contents are padded to, in bytes.
const BLOCK: u64 = 512;

/// The largest size that a ustar header can say, in bytes: eleven octal digits.
const LARGEST_USTAR: u64 = 0o777_7777_7777;

/// Writes an archive beside its place; [`FinishedFile::persist`] puts it there. `names` are full references, for instance
/// `ghcr.io/org/app:1.0`. Advances [`Phase::Write`] by the bytes of the archive.
///
/// # Errors
/// The archive cannot be written, or a blob cannot be had.
pub fn prepare(
    artifact: &OciArtifact,
    names: &[String],
    file: &Path,
    reporter: &dyn Reporter,
) -> Result<FinishedFile, ImageFileError> {
    prepare_with(artifact, names, &[], file, reporter)
}

/// Writes an archive that begins with `more` documents.
pub(super) fn prepare_with(
    artifact: &OciArtifact,
    names: &[String],
    more: &[(&str, &[u8])],
    file: &Path,
    reporter: &dyn Reporter,
) -> Result<FinishedFile, ImageFileError> {
    let mut archive = ArchiveWriter { output: OutputFile::create(file)?, path: file.to_owned(), reporter };
    for (name, content) in more {
        archive.document(name, content)?;
    }
    archive.document(MARKER, layout::MARKER_TEXT)?;
    archive.document(INDEX, &layout::index(artifact, names))?;
    archive.folder("blobs/")?;
    archive.folder("blobs/sha256/")?;
    for blob in layout::blobs(artifact).into_values() {
        archive.blob(blob)?;
    }
    archive.finish()
}

/// A tar archive that is being written.
struct ArchiveWriter<'a> {
    output: OutputFile,
    path: PathBuf,
    reporter: &'a dyn Reporter,
}

impl ArchiveWriter<'_> {
    fn folder(&mut self, name: &str) -> Result<(), ImageFileError> {
        Ok(self.put(header(name, EntryType::Directory, 0).as_bytes())?)
    }

    fn document(&mut self, name: &str, content: &[u8]) -> Result<(), ImageFileError> {
        self.head(name, content.len() as u64)?;
        self.put(content)?;
        self.pad()
    }

    fn blob(&mut self, blob: &Blob) -> Result<(), ImageFileError> {
        let name = blob_name(blob.digest);
        self.head(&name, blob.size)?;
        let start = self.output.position();
        blob.copy_to(self)?;
        let actual = self.output.position() - start;
        if actual != blob.size {
            let fault = InvalidEntry::Size { stated: blob.size, actual };
            return Err(ImageFileError::Invalid { path: self.path.clone(), entry: name, fault });
        }
        self.pad()
    }

    fn head(&mut self, name: &str, size: u64) -> Result<(), ImageFileError> {
        let mut stated = size;
        if size > LARGEST_USTAR {
            let record = size_record(size);
            self.put(header("pax", EntryType::XHeader, record.len() as u64).as_bytes())?;
            self.put(record.as_bytes())?;
            self.pad()?;
            // What follows is too large for the field; readers take the record's number.
            stated = 0;
        }
        Ok(self.put(header(name, EntryType::Regular, stated).as_bytes())?)
    }

    fn pad(&mut self) -> Result<(), ImageFileError> {
        let position = self.output.position();
        let padding = position.next_multiple_of(BLOCK) - position;
        Ok(self.put(&[0; BLOCK as usize][..padding as usize])?)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.output.write(bytes)?;
        self.reporter.advance(Phase::Write, bytes.len() as u64);
        Ok(())
    }

    /// Ends the archive with two empty blocks.
    fn finish(mut self) -> Result<FinishedFile, ImageFileError> {
        self.put(&[0; 2 * BLOCK as usize])?;
        Ok(self.output.finish()?)
    }
}

/// Takes the bytes of a blob.
impl Write for ArchiveWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns a header: fixed in all but name, kind and size, which the names and numbers of an archive fit into.
fn header(name: &str, kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_ustar();
    for (slot, byte) in header.as_old_mut().name.iter_mut().zip(name.bytes()) {
        *slot = byte;
    }
    header.set_entry_type(kind);
    header.set_mode(if kind.is_dir() { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(TIME);
    header.set_size(size);
    header.set_cksum();
    header
}

/// Returns the pax record of a size: its own length, in decimal, comes first.
fn size_record(size: u64) -> String {
    let rest = format!(" size={size}\n");
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}")
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::FileExt;
    use std::process::Command;

    use super::*;
    use crate::image::file::{ImageFormat, ImageSource};
    use crate::report::Silent;

    /// A file of nine gibibytes, most of it a hole, is read here and by tar.
    #[test]
    fn sizes_beyond_ustar_are_stated_in_pax_headers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("archive");
        let size = 9 << 30;
        let mut archive =
            ArchiveWriter { output: OutputFile::create(&path).unwrap(), path: path.clone(), reporter: &Silent };
        archive.document(MARKER, b"{}").unwrap();
        archive.head("large", size).unwrap();
        let start = archive.output.position();
        archive.output.finish().unwrap().persist().unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.write_all_at(header("after", EntryType::Regular, 0).as_bytes(), start + size).unwrap();
        file.set_len(start + size + 3 * BLOCK).unwrap();

        let source = ImageSource::open(ImageFormat::OciArchive, &path).unwrap();
        let large = source.locate("large").unwrap();
        assert_eq!((large.offset, large.size), (start, size));
        assert_eq!(source.locate("after").unwrap().offset, start + size + BLOCK);
        let listed = Command::new("tar").args(["--list", "--verbose", "--utc", "--file"]).arg(&path).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let line = |size: u64, name: &str| format!("-rw-r--r-- 0/0 {size:>15} 1980-01-01 00:00 {name}\n");
        assert_eq!(listed, [line(2, MARKER), line(size, "large"), line(0, "after")].concat());
    }

    #[test]
    fn the_length_of_a_record_counts_itself() {
        assert_eq!(size_record(1), "9 size=1\n");
        assert_eq!(size_record(12), "11 size=12\n");
        assert_eq!(size_record(8_589_934_592), "19 size=8589934592\n");
        assert_eq!(size_record(u64::MAX), "29 size=18446744073709551615\n");
        for size in [0, 9, 99, 999, LARGEST_USTAR + 1] {
            let record = size_record(size);
            assert!(record.starts_with(&format!("{} ", record.len())));
        }
    }

    #[test]
    fn a_blob_of_another_size_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut blob = Blob::of_bytes(oci_spec::image::MediaType::ImageManifest, b"{}".to_vec());
        blob.size = 3;
        let name = blob_name(blob.digest);
        let artifact = OciArtifact { manifest: blob, blobs: Vec::new(), children: Vec::new(), referrers: Vec::new() };
        let path = folder.path().join("archive");
        let error = prepare(&artifact, &[], &path, &Silent).unwrap_err().to_string();
        assert_eq!(error, format!("{}: `{name}` has 2 bytes, and should have 3", path.display()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
