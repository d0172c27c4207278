//! Writes the planned files: each is written completely or not at all, and none overwrites what the user wrote.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use toml_edit::DocumentMut;

use super::ScaffoldError;
use super::targets::ProposedTarget;
use super::workflow;
use crate::limited_reader::{self, LARGEST_PROJECT_FILE};
use crate::temporary::TemporaryFile;

/// A file to be created, or to be extended at its end.
#[derive(Debug, Clone)]
pub(crate) struct PlannedFile {
    pub(crate) path: PathBuf,
    /// The current content; `None` if the file does not exist.
    before: Option<String>,
    pub(crate) addition: String,
}

/// Returns whether a pyproject.toml has a target.
pub(super) fn has_targets(table: &toml::Table) -> bool {
    configuration_of(table).is_some_and(|configuration| configuration.contains_key("target"))
}

/// Returns the keys of a pyproject.toml that apply to every target, and those that depend on them.
pub(super) fn shared_keys(table: &toml::Table) -> impl Iterator<Item = &str> {
    let keys = configuration_of(table).into_iter().flat_map(toml::Table::keys).map(String::as_str);
    keys.flat_map(|key| match key {
        // A runtime would replace the profile.
        "profile" => [key, "runtime"],
        // The base has a Python, which is not known without reading it.
        "base" => [key, "python"],
        _ => [key, key],
    })
}

fn configuration_of(table: &toml::Table) -> Option<&toml::Table> {
    table.get("tool")?.get("pybundle")?.as_table()
}

impl PlannedFile {
    pub(super) fn new(path: PathBuf, text: String) -> Self {
        Self { path, before: None, addition: text }
    }

    /// Plans to add the tables of targets at the end of a pyproject.toml. Its current content stays byte for byte.
    ///
    /// # Errors
    /// The file cannot be read, or its `tool` cannot be extended.
    pub(super) fn configuration(path: PathBuf, targets: &[ProposedTarget]) -> Result<Self, ScaffoldError> {
        let before = match limited_reader::read_regular_text(&path, LARGEST_PROJECT_FILE) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(ScaffoldError::Read { path, source }),
        };
        let tables: Vec<String> = targets.iter().map(|target| target.table.to_text()).collect();
        let mut addition = format!(
            "# Targets of `pybundle build`. `pybundle config show` explains each value.\n{}",
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
                Err(ScaffoldError::CannotExtend { path: file.path, reason })
            }
        }
    }

    /// Plans to add the jobs that a workflow of an earlier run lacks; `None` if it has all of them, or was written by others.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn workflow(
        path: &Path,
        projects: &[PathBuf],
        is_workspace: bool,
        is_of_root: bool,
    ) -> Result<Option<Self>, ScaffoldError> {
        let before = limited_reader::read_regular_text(path, LARGEST_PROJECT_FILE)
            .map_err(|source| ScaffoldError::Read { path: path.to_owned(), source })?;
        let addition = workflow::missing_jobs(&before, projects, is_workspace, is_of_root);
        Ok(addition.map(|addition| Self { path: path.to_owned(), before: Some(before), addition }))
    }

    /// Returns whether the file does not exist yet.
    pub(crate) fn is_new(&self) -> bool {
        self.before.is_none()
    }

    /// Returns the whole content after writing.
    fn text(&self) -> String {
        format!("{}{}", self.before.as_deref().unwrap_or_default(), self.addition)
    }

    /// Creates or extends the file.
    ///
    /// # Errors
    /// The file cannot be written, or it was created or changed since it was read.
    pub(crate) fn write(&self) -> Result<(), ScaffoldError> {
        self.try_write().map_err(|source| ScaffoldError::Write { path: self.path.clone(), source })
    }

    fn try_write(&self) -> io::Result<()> {
        // Renaming a file to the path of a symbolic link would replace the link.
        let path = if self.is_new() { self.path.clone() } else { fs::canonicalize(&self.path)? };
        let directory = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let mut temporary = TemporaryFile::new_in(directory)?;
        temporary.write_all(self.text().as_bytes())?;
        match &self.before {
            None => {
                temporary.persist_new(&path)?;
            }
            Some(before) => {
                if fs::read_to_string(&path)? != *before {
                    return Err(io::Error::other("the file changed while pybundle was running"));
                }
                temporary.as_file().set_permissions(fs::metadata(&path)?.permissions())?;
                temporary.persist(&path)?;
            }
        }
        Ok(())
    }
}
