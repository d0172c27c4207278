//! Pipfile.lock, version 6 of the format.
//!
//! The format has no specification; pipenv's
//! [documentation](https://pipenv.pypa.io/en/latest/pipfile.html) describes its purpose, and pipenv's behavior is the
//! reference. `document` has the lock's keys, `select` the selection, and `freshness` the comparison with the Pipfile.
//!
//! A lock lists the digests of its distributions' files, but not their names and URLs, which are looked up on an index; and it
//! has no graph of dependencies.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pep440_rs::VersionSpecifiers;

use super::error::LockError;
use super::path::join;
use super::sources::LockSource;
use crate::name::{DistributionName, GroupName, InvalidName};
use crate::redact;
use document::{DEFAULT, PipfileCategory, PipfileDocument, PipfileRequires};

mod document;
mod freshness;
mod select;

/// The supported version of the format, which pipenv has written since 2017.
const VERSION: u64 = 6;

/// What errors say of it.
const SUPPORTED: &str = "version 6 is";

/// The first version of the tool that writes it.
const OLDEST_TOOL: &str = "pipenv 2018";

/// The lock's key of the category `[dev-packages]`.
const DEVELOP: &str = "develop";

/// The Pipfile's name of the category [`DEVELOP`].
const DEV_PACKAGES: &str = "dev-packages";

/// What a Pipfile.lock refers to, apart from indexes.
pub struct PipfileEnvironment<'a> {
    /// The text of the Pipfile; `None` if there is none.
    pub pipfile: Option<&'a str>,
    /// Returns the value of an environment variable, which `${NAME}` stands for in the URL of a source.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

/// A parsed Pipfile.lock, with its Pipfile.
#[derive(Debug)]
pub struct PipfileLock {
    path: PathBuf,
    directory: PathBuf,
    /// The lock's digest of the Pipfile, in hexadecimal.
    hash: Option<String>,
    requires_python: Option<VersionSpecifiers>,
    sources: Vec<LockSource>,
    default: PipfileCategory,
    /// The other categories, as groups.
    groups: BTreeMap<GroupName, PipfileCategory>,
    pipfile: Option<toml::Table>,
}

impl PipfileLock {
    /// Parses a lock. Its paths are relative to the directory of `path`.
    pub(super) fn parse(text: &str, path: &Path, environment: &PipfileEnvironment) -> Result<Self, LockError> {
        let document: PipfileDocument = serde_json::from_str(text).map_err(|error| LockError::Syntax {
            path: path.to_owned(),
            line: Some(error.line()),
            package: None,
            reason: redact::text(&without_position(&error)),
        })?;
        let directory = path.parent().map(Path::to_owned).unwrap_or_default();
        let pipfile = environment.pipfile.map(str::parse).transpose().map_err(|error: toml::de::Error| {
            let reason = redact::text(error.message());
            LockError::InvalidProject { path: join(&directory, "Pipfile"), reason }
        })?;
        if document.meta.pipfile_spec != VERSION {
            let version = Some(document.meta.pipfile_spec.to_string());
            return Err(LockError::UnsupportedLockVersion {
                path: path.to_owned(),
                version,
                supported: SUPPORTED,
                oldest_tool: OLDEST_TOOL,
            });
        }
        let meta = document.meta;
        let mut groups = BTreeMap::new();
        let mut default = PipfileCategory::default();
        for (key, category) in document.categories {
            let name = if key == DEVELOP { DEV_PACKAGES } else { &key };
            if key == DEFAULT {
                default = category;
                continue;
            }
            let name: GroupName = name.parse().map_err(|error: InvalidName| syntax(path, &error.to_string()))?;
            groups.insert(name, category);
        }
        let sources = meta
            .sources
            .iter()
            .map(|source| LockSource::parse(source.name.as_deref(), &source.url, environment.variable));
        let mut sources = sources.collect::<Result<Vec<_>, _>>().map_err(|reason| syntax(path, &reason))?;
        // Without PyPI, pipenv asks the first source for what names none.
        if !sources.iter().any(LockSource::is_pypi)
            && let Some(first) = sources.first_mut()
        {
            first.is_default = true;
        }
        let requires_python = meta.requires.specifiers().map_err(|reason| syntax(path, &reason))?;
        let path = path.to_owned();
        Ok(Self { path, directory, hash: meta.hash.sha256, requires_python, sources, default, groups, pipfile })
    }

    /// Returns the sources, in the order of the Pipfile.
    pub(crate) fn sources(&self) -> &[LockSource] {
        &self.sources
    }

    /// See [`Lock::lists`](crate::lock::Lock::lists).
    pub(crate) fn lists(&self, name: &DistributionName) -> bool {
        self.groups.values().chain([&self.default]).any(|category| category.0.contains_key(name))
    }
}

impl PipfileRequires {
    /// Returns the versions of Python that the lock is for.
    fn specifiers(&self) -> Result<Option<VersionSpecifiers>, String> {
        let text = match (&self.python_full_version, &self.python_version) {
            (Some(full), _) => format!("=={full}"),
            // pipenv takes `3` and `*`, too.
            (None, Some(version)) if version != "*" => format!("=={version}.*"),
            _ => return Ok(None),
        };
        text.parse().map(Some).map_err(|_| format!("`{}` is not a version of Python", text.escape_debug()))
    }
}

fn syntax(path: &Path, reason: &str) -> LockError {
    LockError::Syntax { path: path.to_owned(), line: None, package: None, reason: reason.to_owned() }
}

/// Returns the message of an error without the position at its end, which the error states before it.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).unwrap_or(&text).to_owned()
}
