//! The paths that `.gitignore` files exclude.
//!
//! Specification: [gitignore](https://git-scm.com/docs/gitignore). Only files of the repository are read, so that a commit
//! has the same artifact on every machine: not `.git/info/exclude`, nor the user's `core.excludesFile`. git is not run, so
//! a tracked file that matches a pattern counts as ignored.

use std::fs;
use std::io;
use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::limited_reader::{self, LARGEST_PROJECT_FILE};

/// The `.gitignore` files that apply in a directory, the outermost first.
pub(super) struct GitIgnore {
    files: Vec<Gitignore>,
}

impl GitIgnore {
    /// Reads the files above `directory`, from the root of its git repository down. Outside of a repository they are read
    /// from `root`, if that is an ancestor.
    pub(super) fn above(directory: &Path, root: &Path) -> io::Result<Self> {
        let parents: Vec<&Path> = directory.ancestors().skip(1).collect();
        let top = directory.ancestors().find(|ancestor| ancestor.join(".git").exists());
        let top = top.or_else(|| parents.contains(&root).then_some(root));
        let mut ignore = Self { files: Vec::new() };
        if let Some(top) = top {
            for parent in parents.into_iter().rev().filter(|parent| parent.starts_with(top)) {
                ignore.enter(parent)?;
            }
        }
        Ok(ignore)
    }

    /// Adds the file of a directory, which applies until [`leave`](Self::leave).
    pub(super) fn enter(&mut self, directory: &Path) -> io::Result<()> {
        let path = directory.join(".gitignore");
        let text = match limited_reader::read_regular_file(&path, LARGEST_PROJECT_FILE) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => {
                String::new()
            }
            Err(error) => return Err(error),
        };
        let mut builder = GitignoreBuilder::new(directory);
        for line in text.trim_start_matches('\u{feff}').lines() {
            // git ignores invalid patterns, too.
            let _ = builder.add_line(None, line);
        }
        self.files.push(builder.build().unwrap_or_else(|_| Gitignore::empty()));
        Ok(())
    }

    /// Removes the file of the innermost directory.
    pub(super) fn leave(&mut self) {
        self.files.pop();
    }

    /// Returns whether a file or directory in the innermost directory is ignored.
    pub(super) fn ignores(&self, path: &Path, is_directory: bool) -> bool {
        let verdict =
            self.files.iter().rev().map(|file| file.matched(path, is_directory)).find(|verdict| !verdict.is_none());
        verdict.is_some_and(|verdict| verdict.is_ignore())
    }

    /// Returns whether everything in a directory is ignored, for instance if it contains only caches.
    pub(super) fn ignores_all_below(&mut self, directory: &Path) -> io::Result<bool> {
        self.enter(directory)?;
        let mut all = true;
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let is_directory = entry.file_type()?.is_dir();
            all =
                self.ignores(&entry.path(), is_directory) || (is_directory && self.ignores_all_below(&entry.path())?);
            if !all {
                break;
            }
        }
        self.leave();
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_files_win_and_outer_repositories_end() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir_all(root.join("repository/.git")).unwrap();
        fs::create_dir_all(root.join("repository/a/b")).unwrap();
        fs::write(root.join(".gitignore"), "outside\n").unwrap();
        fs::write(root.join("repository/.gitignore"), "*.log\n/a/b/anchored\nfolder/\n[\n").unwrap();
        fs::write(root.join("repository/a/.gitignore"), "!keep.log\n").unwrap();

        let inner = root.join("repository/a/b");
        let mut ignore = GitIgnore::above(&inner, &inner).unwrap();
        ignore.enter(&inner).unwrap();
        for (name, is_directory, ignored) in [
            ("x.log", false, true),
            ("keep.log", false, false),
            ("anchored", false, true),
            ("folder", true, true),
            ("folder", false, false),
            ("outside", false, false),
        ] {
            assert_eq!(ignore.ignores(&inner.join(name), is_directory), ignored, "{name}");
        }

        fs::remove_dir(root.join("repository/.git")).unwrap();
        let ignore = GitIgnore::above(&inner, &root.join("repository/a")).unwrap();
        assert!(!ignore.ignores(&inner.join("x.log"), false), "without a repository, the given root is the top");
        let ignore = GitIgnore::above(&inner, root).unwrap();
        assert!(ignore.ignores(&inner.join("outside"), false));
    }
}
