//! Errors of the layers of packages.

use crate::archive::ArchiveError;
use crate::cache::CacheError;
use crate::debian::DebError;
use crate::hints::Hints;
use crate::temporary::MORE_SPACE_HINT;
use crate::tree::{InsertError, InvalidPath};

/// Why packages cannot be laid over a base.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SystemLayerError {
    #[error(transparent)]
    Deb(#[from] DebError),
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Path(#[from] InvalidPath),
    #[error("cannot install {package}")]
    Tree { package: String, source: InsertError },
    #[error("cannot install {package}: `{path}` is a loop of symbolic links in the base")]
    Loop { package: String, path: String },
    #[error("cannot install {package}: {path} is a {found}, but the package has a {wanted} there")]
    Kind { package: String, path: String, found: &'static str, wanted: &'static str },
    #[error("{}", unknown(.packages))]
    Unknown { packages: Vec<(String, String)> },
    #[error("`{text}` is not a known set of capabilities")]
    Capability { text: String },
    #[error("cannot give a file to `{owner}`: the user or the group does not exist")]
    Owner { owner: String },
    #[error("cannot add `{name}`: every id of system users and groups, 100 to 999, is taken")]
    NoFreeId { name: String },
    #[error("cannot read `{path}` of a package")]
    Read { path: String, source: std::io::Error },
    #[error("cannot write a temporary file")]
    Temporary(#[source] std::io::Error),
    #[error("{first} and {second} both contain `{path}`, with different content")]
    Twice { path: String, first: String, second: String },
    #[error("cannot install {package}: the hard link {path} leads to {target}, which is omitted or elsewhere")]
    HardLink { package: String, path: String, target: String },
}

impl Hints for SystemLayerError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Deb(error) => error.hints(),
            Self::Cache(error) => error.hints(),
            Self::Archive(error) => error.hints(),
            Self::Unknown { packages } => packages
                .iter()
                .map(|(name, _)| format!("install {name} without configuring it: --apt-allow-unconfigured {name}"))
                .collect(),
            Self::Temporary(_) => vec![MORE_SPACE_HINT.to_owned()],
            Self::Path(_)
            | Self::Tree { .. }
            | Self::Loop { .. }
            | Self::Kind { .. }
            | Self::HardLink { .. }
            | Self::Read { .. }
            | Self::Capability { .. }
            | Self::Owner { .. }
            | Self::NoFreeId { .. }
            | Self::Twice { .. } => Vec::new(),
        }
    }
}

/// Says which packages have scripts that are not understood, with the first line of each.
fn unknown(packages: &[(String, String)]) -> String {
    let listed = packages.iter().map(|(name, line)| format!("{name} (`{}`)", line.escape_debug()));
    let listed = listed.collect::<Vec<_>>().join(", ");
    let whose = if packages.len() == 1 { "its" } else { "their" };
    format!("cannot install {listed}: pybundle runs no maintainer scripts, and does not know what {whose} scripts do")
}
