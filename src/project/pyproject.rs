//! The parts of `pyproject.toml` that matter for a bundle.
//!
//! Specifications: [PyPA, pyproject.toml](https://packaging.python.org/en/latest/specifications/pyproject-toml/),
//! [dependency groups](https://packaging.python.org/en/latest/specifications/dependency-groups/), and
//! [uv's settings](https://docs.astral.sh/uv/reference/settings/) below `tool.uv`. Values that `[project]` does not have are
//! those of `tool.poetry`, see `poetry`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};
use serde::{Deserialize, Deserializer, de};
use url::Url;

use super::document::TomlDocument;
use super::error::ProjectError;
use super::poetry::PoetrySettings;
use super::requires_python::RequiresPython;
use crate::limited_reader::{self, LARGEST_PROJECT_FILE};
use crate::name::{DistributionName, ExtraName, GroupName};
use crate::redact;

/// The file name.
pub const FILENAME: &str = "pyproject.toml";

/// A valid `pyproject.toml`.
#[derive(Debug, Clone)]
pub struct PyprojectToml {
    /// The file.
    pub path: PathBuf,
    /// `project.name`, or else `tool.poetry.name`.
    pub name: Option<DistributionName>,
    /// `project.version`, or else `tool.poetry.version`; `None` if it is dynamic.
    pub version: Option<Version>,
    /// `project.requires-python`, and the `python` of `tool.poetry.dependencies`.
    pub requires_python: Option<VersionSpecifiers>,
    /// `project.scripts`, or else `tool.poetry.scripts`: console scripts by name, each with its entry point.
    pub scripts: BTreeMap<String, String>,
    /// The whole file.
    pub(crate) document: TomlDocument,
    has_build_system: bool,
    build_backend: Option<String>,
    uv: UvProjectSettings,
    poetry: Option<PoetrySettings>,
    indexes: Vec<DeclaredIndex>,
}

/// An entry of `tool.uv.index`, or of `tool.poetry.source`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredIndex {
    /// The name, which `UV_INDEX_NAME_USERNAME`, `UV_INDEX_NAME_PASSWORD` and Poetry's variables contain.
    pub name: Option<String>,
    /// The URL, which may contain credentials; a path becomes a `file` URL, relative to the file's directory.
    pub url: Url,
    /// Whether it is used only for distributions that name it in `tool.uv.sources`.
    pub explicit: bool,
    /// Whether it replaces PyPI as the default index.
    pub default: bool,
}

/// `tool.uv.workspace`: patterns of directories, relative to the workspace root.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct WorkspaceTable {
    #[serde(default)]
    pub(super) members: Vec<String>,
    #[serde(default)]
    pub(super) exclude: Vec<String>,
}

impl PyprojectToml {
    /// Reads the `pyproject.toml` in a directory.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, or has a value that is not what its specification requires.
    pub fn read(directory: &Path) -> Result<Self, ProjectError> {
        let path = directory.join(FILENAME);
        let text = limited_reader::read_regular_text(&path, LARGEST_PROJECT_FILE)
            .map_err(|source| ProjectError::Read { path: path.clone(), source })?;
        Self::parse(&text, path)
    }

    /// Parses a text; `path` is the file that it is from.
    ///
    /// # Errors
    /// As [`read`](Self::read), unless the file cannot be read.
    pub(crate) fn parse(text: &str, path: PathBuf) -> Result<Self, ProjectError> {
        let (document, tables) =
            TomlDocument::parse_as::<PyprojectTables>(text).map_err(|error| invalid(text, &path, &error))?;
        let PyprojectToolTable { uv, poetry } = tables.tool.unwrap_or_default();
        let uv = uv.unwrap_or_default();
        let mut indexes = resolve_indexes(&uv.index, &path)?;
        if let Some(poetry) = &poetry {
            let sources = poetry.indexes().map_err(|(name, reason)| ProjectError::Index {
                path: path.clone(),
                index: format!("`{name}`"),
                reason,
            })?;
            indexes.extend(sources);
        }
        let has_build_system = tables.build_system.is_some();
        let build_backend = tables.build_system.and_then(|table| table.build_backend);
        let (mut name, mut version, mut requires_python, mut scripts) = match tables.project {
            None => (None, None, None, BTreeMap::new()),
            Some(project) => (Some(project.name), project.version, project.requires_python, project.scripts),
        };
        if let Some(poetry) = &poetry {
            name = name.or_else(|| poetry.name.clone());
            version = version.or_else(|| poetry.version.clone());
            requires_python = match (requires_python, poetry.requires_python()) {
                (Some(project), Some(poetry)) => Some(project.iter().chain(poetry.iter()).cloned().collect()),
                (project, poetry) => project.or(poetry),
            };
            if scripts.is_empty() {
                scripts = poetry.scripts();
            }
        }
        Ok(Self {
            path,
            name,
            version,
            requires_python,
            scripts,
            document,
            has_build_system,
            build_backend,
            uv,
            poetry,
            indexes,
        })
    }

    /// Returns the `pyproject.toml` of a directory without the file: an empty one.
    pub fn absent(directory: &Path) -> Self {
        Self {
            path: directory.join(FILENAME),
            name: None,
            version: None,
            requires_python: None,
            scripts: BTreeMap::new(),
            document: TomlDocument::default(),
            has_build_system: false,
            build_backend: None,
            uv: UvProjectSettings::default(),
            poetry: None,
            indexes: Vec::new(),
        }
    }

    /// Returns declarations that are not those of a project: a script's.
    ///
    /// # Errors
    /// An index is invalid.
    pub(super) fn without_project(
        path: PathBuf,
        document: TomlDocument,
        requires_python: Option<VersionSpecifiers>,
        uv: UvProjectSettings,
    ) -> Result<Self, ProjectError> {
        let indexes = resolve_indexes(&uv.index, &path)?;
        let absent = Self::absent(path.parent().unwrap_or(Path::new("")));
        Ok(Self { path, document, requires_python, uv, indexes, ..absent })
    }

    /// Returns the script that these declarations are from, if they are not from a `pyproject.toml`.
    pub(crate) fn script(&self) -> Option<&Path> {
        (!self.path.ends_with(FILENAME)).then_some(&self.path)
    }

    /// Returns the whole file as a table.
    pub fn table(&self) -> &toml::Table {
        &self.document.table
    }

    /// Returns the project's directory.
    pub fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Returns whether the project is built and installed as a distribution, as `tool.uv.package` decides, or else
    /// `tool.poetry` if there is such a table, or else whether there is a `[build-system]` table. A project without a name is
    /// never a package.
    pub fn is_package(&self) -> bool {
        let Some(name) = &self.name else { return false };
        self.uv.package.unwrap_or_else(|| match &self.poetry {
            Some(poetry) => poetry.is_package(name, self.directory(), self.build_backend.as_deref()),
            None => self.has_build_system,
        })
    }

    /// Returns whether `tool.uv.package` allows the project to be a package.
    pub fn may_be_package(&self) -> bool {
        self.uv.package != Some(false)
    }

    /// Returns whether only the build backend knows some of the metadata (`project.dynamic`).
    pub(crate) fn has_dynamic_metadata(&self) -> bool {
        match self.table().get("project").and_then(toml::Value::as_table) {
            Some(project) => {
                project.get("dynamic").and_then(toml::Value::as_array).is_some_and(|keys| !keys.is_empty())
            }
            None => self.script().is_none() && self.may_be_package(),
        }
    }

    /// Returns the indexes of `tool.uv.index` in their order, then those of `tool.poetry.source` by their priority.
    pub fn indexes(&self) -> Vec<DeclaredIndex> {
        self.indexes.clone()
    }

    /// Returns whether uv manages the project (`tool.uv.managed`): an unmanaged one is in no workspace.
    pub fn is_managed(&self) -> bool {
        self.uv.managed.unwrap_or(true)
    }

    /// Returns `tool.uv.workspace`, which makes the directory a workspace root.
    pub(super) fn workspace(&self) -> Option<&WorkspaceTable> {
        self.uv.workspace.as_ref()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct PyprojectTables {
    project: Option<ProjectMetadataTable>,
    #[serde(rename = "build-system")]
    build_system: Option<BuildSystemTable>,
    #[serde(default, rename = "dependency-groups", deserialize_with = "unique_names::<_, GroupName, _>")]
    _dependency_groups: BTreeMap<GroupName, Vec<toml::Value>>,
    tool: Option<PyprojectToolTable>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct BuildSystemTable {
    #[serde(rename = "requires")]
    _requires: Vec<String>,
    build_backend: Option<String>,
}

#[derive(Default, Deserialize)]
struct PyprojectToolTable {
    uv: Option<UvProjectSettings>,
    poetry: Option<PoetrySettings>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct UvProjectSettings {
    package: Option<bool>,
    managed: Option<bool>,
    workspace: Option<WorkspaceTable>,
    #[serde(default)]
    index: Vec<IndexTable>,
}

#[derive(Debug, Clone, Deserialize)]
struct IndexTable {
    name: Option<String>,
    url: String,
    #[serde(default)]
    explicit: bool,
    #[serde(default)]
    default: bool,
}

#[derive(Deserialize)]
#[serde(try_from = "ProjectWire")]
struct ProjectMetadataTable {
    name: DistributionName,
    version: Option<Version>,
    requires_python: Option<VersionSpecifiers>,
    scripts: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ProjectWire {
    name: DistributionName,
    #[serde(default, deserialize_with = "parsed")]
    version: Option<Version>,
    #[serde(default, deserialize_with = "parsed")]
    requires_python: Option<RequiresPython>,
    #[serde(default)]
    dynamic: BTreeSet<String>,
    #[serde(default)]
    scripts: BTreeMap<String, String>,
    #[serde(default, rename = "dependencies")]
    _dependencies: Vec<String>,
    #[serde(default, rename = "optional-dependencies", deserialize_with = "unique_names::<_, ExtraName, _>")]
    _optional_dependencies: BTreeMap<ExtraName, Vec<String>>,
}

impl TryFrom<ProjectWire> for ProjectMetadataTable {
    type Error = &'static str;

    fn try_from(wire: ProjectWire) -> Result<Self, Self::Error> {
        if wire.dynamic.contains("name") {
            return Err("`project.name` cannot be dynamic");
        }
        match (&wire.version, wire.dynamic.contains("version")) {
            (None, false) => return Err("`project.version` is neither set nor named in `project.dynamic`"),
            (Some(_), true) => return Err("`project.version` is set and named in `project.dynamic`"),
            _ => {}
        }
        let ProjectWire { name, version, requires_python, scripts, .. } = wire;
        let requires_python = requires_python.map(|RequiresPython(specifiers)| specifiers);
        Ok(Self { name, version, requires_python, scripts })
    }
}

/// Deserializes a string with its own syntax, with a message of one line.
pub(super) fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(|error: T::Err| {
        let reason = error.to_string();
        de::Error::custom(format!("`{text}` is not valid: {}", reason.lines().next().unwrap_or_default()))
    })
}

/// Deserializes a table whose keys are names that differ after normalization.
fn unique_names<'de, D, N, V>(deserializer: D) -> Result<BTreeMap<N, V>, D::Error>
where
    D: Deserializer<'de>,
    N: FromStr<Err: Display> + Ord + Display,
    V: Deserialize<'de>,
{
    let mut names = BTreeMap::new();
    for (text, value) in BTreeMap::<String, V>::deserialize(deserializer)? {
        let name: N = text.parse().map_err(de::Error::custom)?;
        if names.contains_key(&name) {
            return Err(de::Error::custom(format!(
                "the name `{name}` is defined more than once, in different spellings"
            )));
        }
        names.insert(name, value);
    }
    Ok(names)
}

/// Converts an error, without the excerpt of the file that toml adds: it may contain a password.
pub(super) fn invalid(text: &str, path: &Path, error: &toml::de::Error) -> ProjectError {
    let offset = error.span().map_or(0, |span| span.start);
    let before = text.get(..offset).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    ProjectError::Invalid {
        path: path.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        reason: redact::text(error.message()).replace('\n', "; "),
    }
}

fn resolve_indexes(tables: &[IndexTable], path: &Path) -> Result<Vec<DeclaredIndex>, ProjectError> {
    let directory = path.parent().unwrap_or(Path::new(""));
    let mut indexes: Vec<DeclaredIndex> = Vec::with_capacity(tables.len());
    for (position, table) in tables.iter().enumerate() {
        let is_taken = table.name.is_some() && indexes.iter().any(|index| index.name == table.name);
        let index = if is_taken { Err("another index has the same name".to_owned()) } else { table.resolve(directory) };
        indexes.push(index.map_err(|reason| ProjectError::Index {
            path: path.to_owned(),
            index: table.name.as_ref().map_or_else(|| format!("number {}", position + 1), |name| format!("`{name}`")),
            reason,
        })?);
    }
    Ok(indexes)
}

impl IndexTable {
    fn resolve(&self, directory: &Path) -> Result<DeclaredIndex, String> {
        match &self.name {
            None if self.explicit => return Err("an explicit index needs a name".to_owned()),
            Some(name)
                if name.is_empty()
                    || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) =>
            {
                return Err("a name consists of ASCII letters, digits, `-`, `_` and `.`".to_owned());
            }
            _ => {}
        }
        let url = if self.url.contains("://") {
            let url = Url::parse(&self.url).map_err(|error| format!("its URL is not valid: {error}"))?;
            if !matches!(url.scheme(), "http" | "https" | "file") {
                return Err("its URL's scheme is not http, https or file".to_owned());
            }
            url
        } else if self.url.is_empty() {
            return Err("its URL is empty".to_owned());
        } else {
            let directory = std::path::absolute(directory.join(&self.url)).ok();
            let url = directory.and_then(|directory| Url::from_directory_path(directory).ok());
            // Parsing resolves the `..` in it.
            url.and_then(|url| Url::parse(url.as_str()).ok()).ok_or("its path cannot be made absolute")?
        };
        Ok(DeclaredIndex { name: self.name.clone(), url, explicit: self.explicit, default: self.default })
    }
}

#[cfg(test)]
mod tests;
