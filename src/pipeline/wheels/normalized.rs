//! Built wheels, written again so that their bytes depend on the content alone.
//!
//! What differs between two builds of one source is not in the files: their order, times, modes and compression, which
//! follow the backend, the umask and Python's zlib. In WHEEL, backends record their own version, which is no property of
//! the distribution: uv_build's follows uv's.

use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use memchr::memmem::Finder;

use crate::archive;
use crate::digest::Sha256;
use crate::pipeline::BuildError;
use crate::report::Silent;
use crate::tree::{FileAccess, FileContent, FileOrigin, FileTree, TreeEntry, TreePath};
use crate::wheel::filename::WheelFilename;
use crate::wheel::{self, SchemePart, WheelFile, WheelInventory, WheelReading, record};

/// Larger files are copied as the backend compressed them, since they would have to be held in memory.
const LARGEST_COMPRESSED: u64 = 64 << 20;

/// Reads a built wheel strictly, and writes one with the same files to another path. Returns the files that contain one of
/// the paths where it was built: they differ from build to build.
///
/// # Errors
/// The wheel is not valid, or a file cannot be read or written.
pub(super) fn write(
    path: &Path,
    filename: &WheelFilename,
    output: &Path,
    built_at: &[&Path],
) -> Result<Vec<String>, BuildError> {
    let file = File::open(path).map_err(BuildError::reading(path))?;
    let WheelReading { inventory, extents } = wheel::read(&file, filename)?;
    let archive = Arc::new(path.to_owned());
    let mut tree = FileTree::new();
    let mut rows = Vec::with_capacity(inventory.files.len());
    let finders: Vec<Finder> = built_at.iter().map(|path| Finder::new(path.as_os_str().as_bytes())).collect();
    let mut recording = Vec::new();
    for (file, extent) in inventory.files.iter().zip(extents) {
        let name = archived_path(&inventory, file);
        let sha256 = extent.sha256;
        let content = FileContent::Archived { archive: archive.clone(), extent };
        let content = if file.size > LARGEST_COMPRESSED {
            content
        } else {
            let bytes = content.read(LARGEST_COMPRESSED).map_err(BuildError::reading(path))?;
            if finders.iter().any(|finder| finder.find(&bytes).is_some()) {
                recording.push(name.clone());
            }
            let is_wheel_file = name == format!("{}/WHEEL", inventory.dist_info);
            FileContent::Bytes(if is_wheel_file { without_version(&bytes).into() } else { bytes.into() })
        };
        let digest = match &content {
            FileContent::Bytes(bytes) => Sha256::of(bytes),
            _ => sha256,
        };
        rows.push((name.clone(), Some((digest, content.size()))));
        let access = if file.mode.is_executable() { FileAccess::EXECUTABLE } else { FileAccess::FILE };
        insert(&mut tree, &name, access, content)?;
    }
    let name = format!("{}/RECORD", inventory.dist_info);
    let bytes = record::write(&name, &rows);
    insert(&mut tree, &name, FileAccess::FILE, FileContent::Bytes(bytes.into()))?;
    archive::zip::write(&tree, output, &Silent)?.persist()?;
    Ok(recording)
}

fn insert(tree: &mut FileTree, path: &str, access: FileAccess, content: FileContent) -> Result<(), BuildError> {
    Ok(tree.insert(TreePath::new(path)?, TreeEntry { access, content, origin: FileOrigin::Application })?)
}

/// Returns the path of a file in the wheel: what is not installed beside the modules is in the `.data` directory.
fn archived_path(inventory: &WheelInventory, file: &WheelFile) -> String {
    let data = inventory.dist_info.trim_end_matches(".dist-info");
    match file.part {
        SchemePart::Library => file.path.clone(),
        SchemePart::Scripts => format!("{data}.data/scripts/{}", file.path),
        SchemePart::Headers => format!("{data}.data/headers/{}", file.path),
        SchemePart::Data => format!("{data}.data/data/{}", file.path),
    }
}

/// Removes the version from the field `Generator` of WHEEL: `uv 0.13.9`, `setuptools (80.9.0)`.
fn without_version(text: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(text) else { return text.to_vec() };
    let lines = text.split_inclusive('\n').map(|line| match line.split_once(':') {
        Some((field, value)) if field.eq_ignore_ascii_case("Generator") => {
            let name = value.split_whitespace().next().unwrap_or_default();
            format!("{field}: {name}\n")
        }
        _ => line.to_owned(),
    });
    lines.collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_version_of_the_generator_is_removed() {
        for (text, expected) in [
            (
                "Wheel-Version: 1.0\nGenerator: uv 0.13.9\nTag: py3-none-any\n",
                "Wheel-Version: 1.0\nGenerator: uv\nTag: py3-none-any\n",
            ),
            ("Generator: setuptools (80.9.0)\r\nTag: a\r\n", "Generator: setuptools\nTag: a\r\n"),
            ("Generator: hatchling 1.27.0", "Generator: hatchling\n"),
            ("Tag: py3-none-any\n", "Tag: py3-none-any\n"),
        ] {
            assert_eq!(String::from_utf8(without_version(text.as_bytes())).unwrap(), expected);
        }
        assert_eq!(without_version(b"\xff"), b"\xff");
    }
}
