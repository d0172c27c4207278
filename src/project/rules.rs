//! What of a project's files is no part of an application.

use std::fmt;
use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// Why a file or folder is left out of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExclusionRule {
    /// A pattern that the user gave names it.
    Excluded,
    /// Its name starts with a dot.
    Hidden,
    /// It is made by Python or an installer: `__pycache__`, `*.pyc`, `*.pyo`, `*.egg-info`, `node_modules`.
    Cache,
    /// It is a virtual or a conda environment: a folder with `pyvenv.cfg` or `conda-meta`.
    Environment,
    /// It is a folder `dist` or `build` directly in the project: there builds are written.
    BuildOutput,
    /// It is a test: `tests`, `test`, `test_*.py`, `*_test.py`, `conftest.py`.
    Test,
    /// It is a project of its own: a folder with a `pyproject.toml`.
    Project,
    /// A `.gitignore` names it.
    GitIgnored,
    /// It is a module directly in the project that only a tool runs: `setup.py`, `noxfile.py` and the like.
    Tool,
    /// It is a folder directly in the project that is about the code, not of it: `docs`, `examples` and the like.
    Documentation,
    /// It is beside `src`, and `src` has the project's modules.
    BesideSource,
}

impl fmt::Display for ExclusionRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Excluded => "excluded",
            Self::Hidden => "hidden",
            Self::Cache => "a cache",
            Self::Environment => "a virtual environment",
            Self::BuildOutput => "build output",
            Self::Test => "a test",
            Self::Project => "a project of its own",
            Self::GitIgnored => "named in .gitignore",
            Self::Tool => "run by a tool only",
            Self::Documentation => "documentation",
            Self::BesideSource => "beside src",
        })
    }
}

/// Modules that setuptools, nox, tox, fabric, doit, paver and conan run.
const TOOLS: [&str; 7] =
    ["setup.py", "noxfile.py", "toxfile.py", "fabfile.py", "dodo.py", "pavement.py", "conanfile.py"];
const DOCUMENTATION: [&str; 5] = ["docs", "doc", "examples", "example", "benchmarks"];

/// Patterns of files that the user leaves out, each as one line of a `.gitignore` in the project's folder: without a
/// slash it matches at any depth, with one it is anchored to the project, a slash at its end matches folders only, and
/// `!` takes back in what an earlier pattern left out.
#[derive(Debug, Clone)]
pub struct Excludes(Gitignore);

/// A pattern of files that is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is not a pattern of files: {reason}")]
pub struct InvalidExclude {
    /// The pattern.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Excludes {
    /// Compiles patterns for the project in a folder.
    ///
    /// # Errors
    /// One of them is not a valid pattern.
    pub fn new(project: &Path, patterns: &[String]) -> Result<Self, InvalidExclude> {
        let mut builder = GitignoreBuilder::new(project);
        builder.allow_unclosed_class(false);
        let invalid = |pattern: &str, error: &ignore::Error| {
            let reason = match error {
                ignore::Error::Glob { err, .. } => err.clone(),
                other => other.to_string(),
            };
            InvalidExclude { pattern: pattern.to_owned(), reason }
        };
        for pattern in patterns {
            builder.add_line(None, pattern).map_err(|error| invalid(pattern, &error))?;
        }
        builder.build().map(Self).map_err(|error| invalid(&patterns.join(" "), &error))
    }

    pub(super) fn matches(&self, path: &Path, is_folder: bool) -> bool {
        self.0.matched(path, is_folder).is_ignore()
    }
}

/// What the rules need to know of a file or folder.
#[derive(Debug, Clone)]
pub(super) struct CandidatePath {
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) is_folder: bool,
}

impl CandidatePath {
    /// Returns the rule by which the candidate's own name or content leaves it out of any application.
    pub(super) fn rule(&self) -> Option<ExclusionRule> {
        let name = self.name.as_str();
        let has = |marker: &str| self.is_folder && self.path.join(marker).exists();
        if name.starts_with('.') {
            Some(ExclusionRule::Hidden)
        } else if is_cache(name, self.is_folder) {
            Some(ExclusionRule::Cache)
        } else if has("pyvenv.cfg") || has("conda-meta") {
            Some(ExclusionRule::Environment)
        } else {
            None
        }
    }

    /// Returns whether the candidate's name is that of a test.
    pub(super) fn is_test(&self) -> bool {
        if self.is_folder {
            return matches!(self.name.as_str(), "tests" | "test");
        }
        let Some(module) = self.name.strip_suffix(".py") else { return false };
        module == "conftest" || module.starts_with("test_") || module.ends_with("_test")
    }

    /// Returns the rule that leaves the candidate out where it lies directly in the project and nobody named it.
    pub(super) fn top_level_rule(&self) -> Option<ExclusionRule> {
        if self.is_folder && DOCUMENTATION.contains(&self.name.as_str()) {
            Some(ExclusionRule::Documentation)
        } else if !self.is_folder && TOOLS.contains(&self.name.as_str()) {
            Some(ExclusionRule::Tool)
        } else {
            None
        }
    }

    /// Returns whether the candidate is a module, in source or compiled.
    pub(super) fn is_module(&self) -> bool {
        !self.is_folder && [".py", ".so"].iter().any(|suffix| self.name.ends_with(suffix))
    }

    /// Returns whether the candidate's name can stand in an import statement.
    pub(super) fn is_importable_folder(&self) -> bool {
        let is_start = |character: char| character.is_alphabetic() || character == '_';
        self.is_folder
            && self.name.starts_with(is_start)
            && self.name.chars().all(|character| character.is_alphanumeric() || character == '_')
    }
}

fn is_cache(name: &str, is_folder: bool) -> bool {
    if is_folder {
        matches!(name, "__pycache__" | "node_modules") || name.ends_with(".egg-info")
    } else {
        name.ends_with(".pyc") || name.ends_with(".pyo")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(name: &str) -> CandidatePath {
        let is_folder = name.ends_with('/');
        let name = name.trim_end_matches('/');
        CandidatePath { path: Path::new("/project").join(name), name: name.to_owned(), is_folder }
    }

    #[test]
    fn names_tell_what_is_no_part_of_an_application() {
        for (name, rule) in [
            (".env", Some(ExclusionRule::Hidden)),
            (".git/", Some(ExclusionRule::Hidden)),
            ("__pycache__/", Some(ExclusionRule::Cache)),
            ("__pycache__", None),
            ("a.pyc", Some(ExclusionRule::Cache)),
            ("a.egg-info/", Some(ExclusionRule::Cache)),
            ("app/", None),
            ("data.json", None),
        ] {
            assert_eq!(candidate(name).rule(), rule, "{name}");
        }
        for (name, is_test) in [
            ("tests/", true),
            ("test/", true),
            ("testing/", false),
            ("tests", false),
            ("test_a.py", true),
            ("a_test.py", true),
            ("conftest.py", true),
            ("test.py", false),
            ("latest.py", false),
            ("test_data.json", false),
        ] {
            assert_eq!(candidate(name).is_test(), is_test, "{name}");
        }
    }

    #[test]
    fn excludes_match_as_in_a_gitignore() {
        let patterns = ["*.sql", "/app/dev.py", "data/", "!keep.sql"].map(str::to_owned);
        let excludes = Excludes::new(Path::new("/project"), &patterns).unwrap();
        for (path, is_folder, excluded) in [
            ("a.sql", false, true),
            ("app/b/a.sql", false, true),
            ("app/keep.sql", false, false),
            ("app/dev.py", false, true),
            ("other/app/dev.py", false, false),
            ("app/data", true, true),
            ("app/data", false, false),
        ] {
            assert_eq!(excludes.matches(&Path::new("/project").join(path), is_folder), excluded, "{path}");
        }
        let error = Excludes::new(Path::new("/project"), &["a[".to_owned()]).unwrap_err();
        assert!(error.to_string().starts_with("`a[` is not a pattern of files: "), "{error}");
    }
}
