//! Paths that the source of a module spells out: string literals, `__file__`, and what is joined to them.
//!
//! A path that depends on anything else is unknown.

mod bindings;
mod evaluate;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub(super) use evaluate::{Constants, LiteralValue, PathEvaluator};

/// The longest string that may be a path, in bytes.
const LONGEST_PATH: usize = 300;

/// Where a path starts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PathStart {
    /// The file of a module, `__file__`, by the position of the module among those of the application.
    Module(usize),
    /// The directory of a package, by its dotted name: `importlib.resources.files("package")`.
    Package(String),
    /// The working directory of the process.
    WorkingDirectory,
    /// The directory that a Lambda function is unpacked to: `LAMBDA_TASK_ROOT`.
    TaskRoot,
}

/// A path, relative to its start.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LiteralPath {
    pub(super) start: PathStart,
    /// The number of components that are removed from the end of the start.
    pub(super) up: usize,
    /// The components that are then appended.
    pub(super) below: Vec<String>,
}

impl LiteralPath {
    pub(super) fn new(start: PathStart) -> Self {
        Self { start, up: 0, below: Vec::new() }
    }

    pub(super) fn parent(mut self) -> Self {
        if self.below.pop().is_none() {
            self.up += 1;
        }
        self
    }

    /// Appends a relative path; `None` if the text is an absolute path, or a pattern or template rather than a path.
    pub(super) fn join(mut self, text: &str) -> Option<Self> {
        let is_path = text.len() <= LONGEST_PATH
            && !text.starts_with(['/', '~'])
            && !text.contains("://")
            && !text.contains(|character: char| character.is_control() || r"{}*?%\<>|:".contains(character));
        if !is_path {
            return None;
        }
        for component in text.split('/') {
            match component {
                "" | "." => {}
                ".." => self = self.parent(),
                name => self.below.push(name.to_owned()),
            }
        }
        Some(self)
    }

    /// Appends text to the last component, or a path if the text begins with a slash.
    fn append(mut self, text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix('/') {
            return self.join(path);
        }
        let name = self.below.pop()?;
        self.join(&format!("{name}{text}"))
    }

    /// Returns the path in a tree, given that of the start; `None` if it is outside the tree.
    pub(super) fn in_tree(&self, start: &str) -> Option<String> {
        let components: Vec<&str> = start.split('/').filter(|component| !component.is_empty()).collect();
        let kept = components.get(..components.len().checked_sub(self.up)?)?;
        Some(kept.iter().copied().chain(self.below.iter().map(String::as_str)).collect::<Vec<_>>().join("/"))
    }

    /// Returns the path in the file system, given that of the start.
    pub(super) fn on_disk(&self, start: &Path) -> Option<PathBuf> {
        let mut path = start.ancestors().nth(self.up)?.to_owned();
        path.extend(&self.below);
        Some(path)
    }
}
