//! Why a project cannot be read.

use std::io;
use std::path::PathBuf;

use crate::hints::{self, Hints};
use crate::name::DistributionName;

/// Why a project or its workspace cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// A file or directory cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A `pyproject.toml` is not TOML, or a value is not what its specification requires.
    #[error("{}:{line}:{column}: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// What is wrong.
        reason: String,
    },
    /// A script declares nothing.
    #[error("{} has no inline script metadata", .0.display())]
    NoScriptMetadata(PathBuf),
    /// The metadata of a script is not closed within its comment.
    #[error("{}:{line}: the block `# /// script` is not closed with `# ///`", path.display())]
    UnclosedScriptBlock {
        /// The script.
        path: PathBuf,
        /// The line in which the block begins, from 1.
        line: usize,
    },
    /// A script has metadata twice.
    #[error("{}:{second}: a second block `# /// script`; the first is in line {first}", path.display())]
    SeveralScriptBlocks {
        /// The script.
        path: PathBuf,
        /// The line in which the first block begins, from 1.
        first: usize,
        /// The line in which the next block begins, from 1.
        second: usize,
    },
    /// An entry of `tool.uv.index` is invalid.
    #[error("{}: the index {index} in `tool.uv.index` is invalid: {reason}", path.display())]
    Index {
        /// The `pyproject.toml`.
        path: PathBuf,
        /// The name of the index, or its position.
        index: String,
        /// The problem, without the URL, which may contain a password.
        reason: String,
    },
    /// A value of `tool.uv` is not what uv's settings require.
    #[error("{}: `tool.uv` is invalid: {reason}", path.display())]
    UvOptions {
        /// The `pyproject.toml`.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A pattern in `tool.uv.workspace` is invalid or points outside the workspace.
    #[error("{}: `{pattern}` in `tool.uv.workspace` is invalid: {reason}", path.display())]
    MemberPattern {
        /// The workspace root's `pyproject.toml`.
        path: PathBuf,
        /// The pattern.
        pattern: String,
        /// What is wrong.
        reason: String,
    },
    /// A directory that matches a member pattern has no `pyproject.toml`.
    #[error("the workspace member {} has no pyproject.toml (it matches `{pattern}`)", member.display())]
    MemberWithoutPyproject {
        /// The member's directory.
        member: PathBuf,
        /// The pattern in `tool.uv.workspace.members`.
        pattern: String,
    },
    /// A workspace member's `pyproject.toml` has no `[project]` table.
    #[error("the workspace member {} has no `[project]` table", .0.display())]
    MemberWithoutProject(PathBuf),
    /// Two workspace members have the same name.
    #[error("the workspace members {} and {} are both named `{name}`", first.display(), second.display())]
    SameName {
        /// The name.
        name: DistributionName,
        /// One of their files.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A workspace member is a workspace root itself.
    #[error("the workspace member {} has a `tool.uv.workspace` table", .0.display())]
    NestedWorkspace(PathBuf),
}

impl Hints for ProjectError {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "name a directory or a script that exists".to_owned()
            }
            Self::Read { .. } | Self::Invalid { .. } | Self::Index { .. } | Self::UvOptions { .. } => {
                return Vec::new();
            }
            Self::NoScriptMetadata(path) => format!(
                "declare what it requires, for instance with `uv add --script {} requests`; if it belongs to a project, pass the \
                 directory of that",
                hints::quoted_path(path)
            ),
            Self::UnclosedScriptBlock { .. } => {
                "write `#` at the start of each line between `# /// script` and `# ///`, also of empty ones".to_owned()
            }
            Self::SeveralScriptBlocks { .. } => "merge the two blocks".to_owned(),
            Self::MemberPattern { .. } => {
                "patterns are relative to the workspace root and stay below it, for instance `packages/*`".to_owned()
            }
            Self::MemberWithoutPyproject { member, .. } => {
                format!("add a pyproject.toml to {}, or name it in `tool.uv.workspace.exclude`", member.display())
            }
            Self::MemberWithoutProject(path) => {
                format!(
                    "add a `[project]` table to {}, or name its directory in `tool.uv.workspace.exclude`",
                    path.display()
                )
            }
            Self::SameName { .. } => {
                "rename one of them, or name its directory in `tool.uv.workspace.exclude`".to_owned()
            }
            Self::NestedWorkspace(_) => {
                "remove the inner table, or name the directory in the outer `tool.uv.workspace.exclude`".to_owned()
            }
        };
        vec![hint]
    }
}
