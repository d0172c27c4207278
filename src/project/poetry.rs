//! The parts of `tool.poetry` in pyproject.toml that matter for a bundle, apart from its lock.
//!
//! Specification: [Poetry, the pyproject.toml file](https://python-poetry.org/docs/pyproject/) and
//! [package sources](https://python-poetry.org/docs/repositories/#package-sources).

use std::collections::BTreeMap;
use std::path::Path;

use pep440_rs::{Version, VersionSpecifiers};
use serde::Deserialize;
use url::Url;

use super::pyproject::{DeclaredIndex, parsed};
use crate::constraint::VersionConstraint;
use crate::name::DistributionName;

/// The name of PyPI among the sources.
const PYPI: &str = "pypi";

/// `tool.poetry`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct PoetrySettings {
    pub(super) name: Option<DistributionName>,
    #[serde(deserialize_with = "parsed")]
    pub(super) version: Option<Version>,
    package_mode: Option<bool>,
    packages: Option<toml::Value>,
    dependencies: DependenciesTable,
    scripts: BTreeMap<String, PoetryScript>,
    source: Vec<PoetrySource>,
}

/// `tool.poetry.dependencies`: only the requirement for Python.
#[derive(Debug, Clone, Default, Deserialize)]
struct DependenciesTable {
    #[serde(default, deserialize_with = "parsed")]
    python: Option<VersionConstraint>,
}

/// An entry of `tool.poetry.scripts`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum PoetryScript {
    EntryPoint(String),
    Table {
        #[serde(alias = "callable")]
        reference: Option<String>,
        r#type: Option<String>,
    },
}

/// An entry of `tool.poetry.source`.
#[derive(Debug, Clone, Deserialize)]
struct PoetrySource {
    name: String,
    url: Option<String>,
    #[serde(default)]
    priority: Option<PoetrySourcePriority>,
    #[serde(default)]
    default: bool,
    #[serde(default)]
    secondary: bool,
}

/// When a source is searched. `default` and `secondary` are the names of Poetry before 1.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PoetrySourcePriority {
    /// In place of PyPI.
    #[serde(alias = "default")]
    Primary,
    /// For distributions that the others do not have.
    #[serde(alias = "secondary")]
    Supplemental,
    /// For distributions that name it.
    Explicit,
}

impl PoetrySettings {
    /// Returns whether the project in a directory is built and installed as a distribution. By default it is, but many
    /// applications leave the default although they have no package, and are installed with `--no-root`: poetry-core finds a
    /// package or module by the project's name in the directory or in `src` (2.1, `Builder._module`). Other build backends
    /// have other rules.
    pub(super) fn is_package(&self, name: &DistributionName, directory: &Path, build_backend: Option<&str>) -> bool {
        let module = name.as_str().replace('-', "_");
        let is_found = || {
            [directory.to_owned(), directory.join("src")]
                .iter()
                .any(|directory| directory.join(&module).is_dir() || directory.join(format!("{module}.py")).is_file())
        };
        let is_built_by_poetry = build_backend.is_none_or(|backend| backend.starts_with("poetry."));
        self.package_mode.unwrap_or_else(|| !is_built_by_poetry || self.packages.is_some() || is_found())
    }

    pub(super) fn requires_python(&self) -> Option<VersionSpecifiers> {
        let python = self.dependencies.python.clone()?;
        Some(python.on_python().to_python_specifiers())
    }

    /// Returns the console scripts, each with its entry point.
    pub(super) fn scripts(&self) -> BTreeMap<String, String> {
        let scripts = self.scripts.iter().filter_map(|(name, script)| match script {
            PoetryScript::EntryPoint(entry_point) => Some((name.clone(), entry_point.clone())),
            PoetryScript::Table { reference, r#type } => {
                let is_console = r#type.as_deref().is_none_or(|kind| kind == "console");
                Some((name.clone(), reference.clone().filter(|_| is_console)?))
            }
        });
        scripts.collect()
    }

    /// Returns the sources as indexes, in the order in which they are searched. PyPI is searched last, unless there is a
    /// primary source and PyPI is not listed explicitly.
    ///
    /// # Errors
    /// The name of an invalid source, and the reason.
    pub(super) fn indexes(&self) -> Result<Vec<DeclaredIndex>, (String, String)> {
        let mut sources: Vec<&PoetrySource> = self.source.iter().filter(|source| !source.is_pypi()).collect();
        sources.sort_by_key(|source| source.priority());
        let has_primary = sources.iter().any(|source| source.priority() == PoetrySourcePriority::Primary);
        let replaces_pypi = has_primary && !self.source.iter().any(PoetrySource::is_pypi);
        let indexes = sources.iter().map(|source| source.index().map_err(|reason| (source.name.clone(), reason)));
        let mut indexes = indexes.collect::<Result<Vec<DeclaredIndex>, _>>()?;
        if let Some(last) = indexes.iter_mut().rev().find(|index| !index.explicit) {
            last.default = replaces_pypi;
        }
        Ok(indexes)
    }
}

impl PoetrySource {
    fn is_pypi(&self) -> bool {
        self.name.eq_ignore_ascii_case(PYPI)
    }

    fn priority(&self) -> PoetrySourcePriority {
        match self.priority {
            Some(priority) => priority,
            None if self.secondary && !self.default => PoetrySourcePriority::Supplemental,
            None => PoetrySourcePriority::Primary,
        }
    }

    fn index(&self) -> Result<DeclaredIndex, String> {
        let text = self.url.as_deref().ok_or("it has no URL")?;
        let url = Url::parse(text).map_err(|error| format!("its URL is not valid: {error}"))?;
        if !matches!(url.scheme(), "http" | "https" | "file") {
            return Err("its URL's scheme is not http, https or file".to_owned());
        }
        let explicit = self.priority() == PoetrySourcePriority::Explicit;
        Ok(DeclaredIndex { name: Some(self.name.clone()), url, explicit, default: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> PoetrySettings {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn sources_are_asked_by_their_priority() {
        fn source(name: &str, rest: &str) -> String {
            format!("[[source]]\nname = '{name}'\nurl = 'https://host/{name}'\n{rest}\n")
        }

        let all = [
            source("e", "priority = 'explicit'"),
            source("s", "priority = 'supplemental'"),
            source("p", ""),
            source("old", "secondary = true"),
        ];
        assert_eq!(names(&all.concat()), ["p", "s", "old=", "e!"]);
        assert_eq!(names(&format!("{}[[source]]\nname = 'PyPI'", all.concat())), ["p", "s", "old", "e!"]);
        assert_eq!(names(&all[..2].concat()), ["s", "e!"]);
        assert_eq!(names(&source("d", "default = true")), ["d="]);
        assert_eq!(table("[[source]]\nname = 'x'").indexes().unwrap_err().1, "it has no URL");
    }

    /// Returns the names of the indexes, explicit ones with `!` and the default with `=`.
    fn names(text: &str) -> Vec<String> {
        let mut names = Vec::new();
        for index in table(text).indexes().unwrap() {
            let mark = if index.explicit {
                "!"
            } else if index.default {
                "="
            } else {
                ""
            };
            names.push(format!("{}{mark}", index.name.unwrap()));
        }
        names
    }

    #[test]
    fn scripts_are_entry_points() {
        let text = "[scripts]\na = 'm:f'\nb = { reference = 'm:g', type = 'console' }\nc = { reference = 'c.sh', type = 'file' }\nd = { callable = 'm:h' }";
        let expected = [("a", "m:f"), ("b", "m:g"), ("d", "m:h")].map(|(name, at)| (name.to_owned(), at.to_owned()));
        assert_eq!(table(text).scripts(), BTreeMap::from(expected));
    }
}
