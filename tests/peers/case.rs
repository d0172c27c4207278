//! A fixture, how it is built, and what a peer expects of the result.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::command::{fail, pybundle, succeed};

/// The module of a function that needs nothing.
pub const HANDLER: &str = "def handler(event, context):\n    return event\n";

/// A case of a peer's test suite.
pub struct PeerCase {
    /// The tool, and what its test is about.
    pub peer: &'static str,
    /// The files of the fixture; a path that ends in `*` is executable.
    pub files: &'static [(&'static str, &'static str)],
    /// Run in the fixture before the build, for instance to lock it.
    pub before: &'static [&'static [&'static str]],
    pub arguments: &'static [&'static str],
    /// The paths that the zip must contain.
    pub contains: &'static [&'static str],
    /// The beginnings of paths that it must not contain.
    pub lacks: &'static [&'static str],
}

impl PeerCase {
    pub const NEW: Self = Self { peer: "", files: &[], before: &[], arguments: &[], contains: &[], lacks: &[] };

    /// Creates the fixture.
    pub fn fixture(&self) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in self.files {
            let (path, is_executable) = path.strip_suffix('*').map_or((*path, false), |path| (path, true));
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            if is_executable {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        for line in self.before {
            succeed(Command::new(line[0]).args(&line[1..]).current_dir(directory.path()).env_remove("VIRTUAL_ENV"));
        }
        directory
    }

    fn command(&self, fixture: &Path) -> Command {
        let mut command = pybundle(&["lambda", "--runtime", "python3.13", "--output"]);
        command.arg(fixture.join("function.zip")).args(self.arguments).current_dir(fixture);
        command
    }

    /// Builds the fixture, and checks the paths of the zip.
    pub fn check(&self) {
        let fixture = self.fixture();
        succeed(&mut self.command(fixture.path()));
        self.check_zip(&fixture.path().join("function.zip"));
    }

    pub fn check_zip(&self, zip: &Path) {
        let modes = modes(zip);
        for path in self.contains {
            assert!(modes.contains_key(*path), "{}: {path} is missing: {:?}", self.peer, modes.keys());
        }
        for start in self.lacks {
            let found = modes.keys().find(|path| path.starts_with(start));
            assert!(found.is_none(), "{}: {found:?} is included", self.peer);
        }
    }

    /// Builds the fixture, which must fail, and returns the message.
    pub fn refused(&self) -> String {
        fail(&mut self.command(self.fixture().path()))
    }
}

/// Returns the paths of a zip with their modes.
pub fn modes(zip: &Path) -> BTreeMap<String, u32> {
    let mut archive = zip::ZipArchive::new(File::open(zip).unwrap()).unwrap();
    let modes = (0..archive.len()).map(|at| {
        let entry = archive.by_index(at).unwrap();
        (entry.name().unwrap().into_owned(), entry.unix_mode().unwrap())
    });
    modes.collect()
}
