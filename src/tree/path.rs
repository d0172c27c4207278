//! Paths in an artifact.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// The longest name of a file, in bytes (limits.h(0p), `NAME_MAX` of Linux): no file system has longer ones.
const LONGEST_NAME: usize = 255;

/// A path in an artifact: relative, UTF-8, separated by `/`, without empty components, `.` or `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreePath(Arc<str>);

/// A string that is not a path in an artifact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid path in an artifact: {reason}", .path.escape_debug())]
pub struct InvalidPath {
    /// The string.
    pub path: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl TreePath {
    /// Checks a path.
    ///
    /// # Errors
    /// The path is empty or absolute, has an empty component, `.`, `..`, one that is too long for a file name, a backslash or a
    /// control character.
    pub fn new(path: &str) -> Result<Self, InvalidPath> {
        let reason = if path.is_empty() {
            "it is empty"
        } else if path.starts_with('/') {
            "it is absolute"
        } else if path.contains('\\') {
            "it contains a backslash"
        } else if path.chars().any(char::is_control) {
            "it contains a control character"
        } else if path.split('/').any(str::is_empty) {
            "it contains an empty component"
        } else if path.split('/').any(|component| matches!(component, "." | "..")) {
            "it contains the component `.` or `..`"
        } else if path.split('/').any(|component| component.len() > LONGEST_NAME) {
            "it has a component of more than 255 bytes, the longest name of a file"
        } else {
            return Ok(Self(path.into()));
        };
        Err(InvalidPath { path: path.to_owned(), reason })
    }

    /// Checks a path of an operating system, which may contain backslashes, as the names of some units of systemd do.
    ///
    /// # Errors
    /// As [`TreePath::new`], but for backslashes.
    pub(crate) fn of_system(path: &str) -> Result<Self, InvalidPath> {
        match Self::new(&path.replace('\\', "_")) {
            Ok(_) => Ok(Self(path.into())),
            Err(InvalidPath { reason, .. }) => Err(InvalidPath { path: path.to_owned(), reason }),
        }
    }

    /// Returns the path below `prefix`, which may be empty.
    ///
    /// # Errors
    /// The joined path is not valid.
    pub fn below(prefix: &str, path: &str) -> Result<Self, InvalidPath> {
        if prefix.is_empty() { Self::new(path) } else { Self::new(&format!("{prefix}/{path}")) }
    }

    /// Returns the path as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the directories above the path, nearest first.
    pub fn parents(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.as_str();
        std::iter::from_fn(move || {
            rest = &rest[..rest.rfind('/')?];
            Some(rest)
        })
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl Borrow<str> for TreePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_have_at_most_255_bytes() {
        let longest = "\u{e9}".repeat(127) + "x";
        assert!(TreePath::new(&format!("a/{longest}/b/{longest}")).is_ok());
        for path in [format!("{longest}x"), format!("a/{longest}x/b"), format!("{}.py", "x".repeat(253))] {
            let error = TreePath::new(&path).unwrap_err();
            assert_eq!(
                (&error.path, error.reason),
                (&path, "it has a component of more than 255 bytes, the longest name of a file")
            );
        }
    }
}
