//! The files that are written: each appears as a whole or not at all, and none replaces what somebody wrote.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use toml_edit::DocumentMut;

use super::ScaffoldError;
use super::targets::Target;

/// A file that is to be written.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// Where.
    pub path: PathBuf,
    /// What is there before; none if there is no such file.
    before: Option<String>,
    /// What is added to it.
    pub addition: String,
}

/// Returns whether a pyproject.toml has a table `[tool.pybundle]`.
pub(super) fn is_configured(table: &toml::Table) -> bool {
    table.get("tool").and_then(|tool| tool.get("pybundle")).is_some()
}

impl NewFile {
    /// Returns a file that is not there yet.
    pub(super) fn new(path: PathBuf, text: String) -> Self {
        Self { path, before: None, addition: text }
    }

    /// Returns a pyproject.toml with the tables of targets at its end. What it had stays byte for byte.
    ///
    /// # Errors
    /// The file cannot be read, or no table can be added to it.
    pub(super) fn configuration(path: PathBuf, targets: &[Target]) -> Result<Self, ScaffoldError> {
        let before = match fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(ScaffoldError::Read { path, source }),
        };
        let tables: Vec<&str> = targets.iter().map(|target| target.table.as_str()).collect();
        let mut addition = format!(
            "# What `pybundle build` builds. `pybundle config show` explains each value.\n{}",
            tables.join("\n")
        );
        if let Some(before) = before.as_ref().filter(|before| !before.is_empty()) {
            let gap = if before.ends_with('\n') { "\n" } else { "\n\n" };
            addition.insert_str(0, gap);
            if before.contains("\r\n") {
                addition = addition.replace('\n', "\r\n");
            }
        }
        let file = Self { path, before, addition };
        match file.text().parse::<DocumentMut>() {
            Ok(_) => Ok(file),
            Err(error) => {
                let reason = error.message().lines().next().unwrap_or_default().to_owned();
                Err(ScaffoldError::Addition { path: file.path, reason })
            }
        }
    }

    /// Returns whether there is no such file.
    pub fn is_new(&self) -> bool {
        self.before.is_none()
    }

    /// Returns the whole text that the file will have.
    pub fn text(&self) -> String {
        format!("{}{}", self.before.as_deref().unwrap_or_default(), self.addition)
    }

    /// Writes the file.
    ///
    /// # Errors
    /// It cannot be written, or another has appeared or changed meanwhile.
    pub fn write(&self) -> Result<(), ScaffoldError> {
        self.try_write().map_err(|source| ScaffoldError::Write { path: self.path.clone(), source })
    }

    fn try_write(&self) -> io::Result<()> {
        // Renaming would replace a symbolic link by a file.
        let path = if self.is_new() { self.path.clone() } else { fs::canonicalize(&self.path)? };
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut temporary = tempfile::Builder::new()
            .prefix(".pybundle-")
            .suffix(".tmp")
            // The umask applies to it, as to any file that a program makes.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)?;
        temporary.write_all(self.text().as_bytes())?;
        match &self.before {
            None => {
                temporary.persist_noclobber(&path).map_err(|error| error.error)?;
            }
            Some(before) => {
                if fs::read_to_string(&path)? != *before {
                    return Err(io::Error::other("it has changed meanwhile"));
                }
                temporary.as_file().set_permissions(fs::metadata(&path)?.permissions())?;
                temporary.persist(&path).map_err(|error| error.error)?;
            }
        }
        Ok(())
    }
}
