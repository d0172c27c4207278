//! Real wheels from PyPI.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use pybundle::digest::Sha256;
use pybundle::wheel::{Wheel, WheelBytes, WheelReading, read};

/// Downloads the wheel of a pin (`NAME==VERSION`) for CPython 3.12 on x86_64, unless it was downloaded before.
pub fn download(pin: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wheels").join(pin);
    let find = || {
        let files = fs::read_dir(&folder).ok()?;
        files.map(|file| file.unwrap().path()).find(|path| path.extension().is_some_and(|suffix| suffix == "whl"))
    };
    if let Some(wheel) = find() {
        return wheel;
    }
    // pip copies a wheel into place byte by byte, and another test may look meanwhile.
    fs::create_dir_all(&folder).unwrap();
    let downloads = tempfile::tempdir_in(&folder).unwrap();
    // Debian's Python has no pip.
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools/venv/bin/python");
    let mut command = Command::new(python);
    command.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    command.args(["--only-binary", ":all:", "--python-version", "3.12", "--dest"]).arg(downloads.path()).arg(pin);
    for platform in ["manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"] {
        command.args(["--platform", platform]);
    }
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    for file in fs::read_dir(downloads.path()).unwrap() {
        let file = file.unwrap();
        fs::rename(file.path(), folder.join(file.file_name())).unwrap();
    }
    find().unwrap()
}

/// Reads a wheel strictly. Its digest is zero, because no test needs it.
pub fn read_wheel(path: &Path) -> Wheel {
    let filename = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
    let file = fs::File::open(path).unwrap();
    let WheelReading { inventory, extents } = read(&file, &filename).unwrap();
    let size = file.metadata().unwrap().len();
    let bytes = WheelBytes::Here { archive: Arc::new(path.to_owned()), extents: extents.into() };
    Wheel { filename, sha256: Sha256([0; 32]), size, inventory, bytes }
}
