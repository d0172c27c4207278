//! Scripts whose dependencies are declared in comments.
//!
//! Specification: [PyPA, inline script metadata](https://packaging.python.org/en/latest/specifications/inline-script-metadata/)
//! (PEP 723).

use std::path::{Path, PathBuf};

use pep440_rs::VersionSpecifiers;
use serde::Deserialize;

use super::document::TomlDocument;
use super::error::ProjectError;
use super::pyproject::{PyprojectToml, UvProjectSettings, invalid, parsed};
use super::requires_python::RequiresPython;
use crate::hints;
use crate::limited_reader::{self, LARGEST_PROJECT_FILE};
use crate::name::DistributionName;

const OPENING: &str = "# /// script";
const CLOSING: &str = "# ///";

/// The keys that the specification defines. Others are ignored, as by uv, so that none of a project's tables has an effect.
const KEYS: [&str; 3] = ["dependencies", "requires-python", "tool"];

/// How many characters precede the TOML in a line of a block.
const INDENTATION: usize = "# ".len();

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ScriptTables {
    #[serde(default, deserialize_with = "parsed")]
    requires_python: Option<RequiresPython>,
    #[serde(default, rename = "dependencies")]
    _dependencies: Vec<String>,
    #[serde(default)]
    tool: ScriptToolTable,
}

#[derive(Default, Deserialize)]
struct ScriptToolTable {
    #[serde(default)]
    uv: UvProjectSettings,
}

/// Returns whether a file is a script, or is meant to be one: it is named like a module, or begins a block of metadata.
pub(crate) fn is_script(path: &Path) -> bool {
    let is_module = path.extension().is_some_and(|extension| extension == "py" || extension == "pyw");
    let has_block = || {
        let text = limited_reader::read_regular_text(path, LARGEST_PROJECT_FILE);
        text.is_ok_and(|text| text.lines().any(|line| line == OPENING))
    };
    path.is_file() && (is_module || has_block())
}

/// Returns the directory of a project, which may be a script.
pub(crate) fn directory_of(project: &Path) -> &Path {
    match project.parent() {
        Some(parent) if project.is_file() && parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) if project.is_file() => parent,
        _ => project,
    }
}

/// Returns the lock that uv writes for a script.
pub(crate) fn lock_of(script: &Path) -> PathBuf {
    script.with_added_extension("lock")
}

/// Returns the command that locks a script.
pub(crate) fn lock_command(script: &Path) -> String {
    format!("uv lock --script {}", hints::quoted_path(script))
}

/// Returns the metadata of a script's text as a document, whose lines are those of the script.
///
/// # Errors
/// The text has no block of metadata, or several, or one that is not closed or is not TOML.
pub(crate) fn document(text: &str, path: &Path) -> Result<TomlDocument, ProjectError> {
    parse(text, path).map(|(document, _)| document)
}

impl PyprojectToml {
    /// Reads the metadata of a script. The declarations have the form of a pyproject.toml without `[project]`, except that
    /// `dependencies` and `requires-python` are at the top level.
    ///
    /// # Errors
    /// As [`document`], or the script cannot be read, or a value is not what its specification requires.
    pub(super) fn of_script(path: PathBuf) -> Result<Self, ProjectError> {
        let text = limited_reader::read_regular_text(&path, LARGEST_PROJECT_FILE)
            .map_err(|source| ProjectError::Read { path: path.clone(), source })?;
        let (document, tables) = parse(&text, &path)?;
        let requires_python: Option<VersionSpecifiers> =
            tables.requires_python.map(|RequiresPython(specifiers)| specifiers);
        Self::without_project(path, document, requires_python, tables.tool.uv)
    }

    /// Returns the declarations of a script without metadata, which requires nothing.
    ///
    /// # Errors
    /// Never: it declares no index that could be invalid.
    pub(super) fn of_plain_script(path: PathBuf) -> Result<Self, ProjectError> {
        Self::without_project(path, TomlDocument::default(), None, UvProjectSettings::default())
    }
}

/// Returns whether the metadata of a script lists a distribution.
pub(crate) fn requires(script: &Path, name: &DistributionName) -> bool {
    requirements(script).iter().any(|requirement| DistributionName::of_requirement(requirement).as_ref() == Some(name))
}

/// Returns whether the metadata of a script lists anything.
pub(crate) fn requires_any(script: &Path) -> bool {
    !requirements(script).is_empty()
}

/// Returns the dependencies in the metadata of a script.
fn requirements(script: &Path) -> Vec<String> {
    let document = document_of(script);
    let listed = document.as_ref().and_then(|document| document.table.get("dependencies")?.as_array());
    listed.into_iter().flatten().filter_map(|requirement| requirement.as_str().map(str::to_owned)).collect()
}

/// Returns the module in a directory that has metadata, if there is exactly one.
pub(crate) fn only_one_in(directory: &Path) -> Option<PathBuf> {
    let mut scripts = modules_in(directory).into_iter().filter(|path| document_of(path).is_some());
    scripts.next().filter(|_| scripts.next().is_none())
}

/// Returns the only module in a directory, if it has metadata.
pub(crate) fn alone_in(directory: &Path) -> Option<PathBuf> {
    let [only] = <[PathBuf; 1]>::try_from(modules_in(directory)).ok()?;
    document_of(&only).map(|_| only)
}

fn modules_in(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "py")).collect()
}

/// Returns the metadata of a script; `None` if it has none that can be read.
fn document_of(script: &Path) -> Option<TomlDocument> {
    document(&limited_reader::read_regular_text(script, LARGEST_PROJECT_FILE).ok()?, script).ok()
}

fn parse(text: &str, path: &Path) -> Result<(TomlDocument, ScriptTables), ProjectError> {
    let metadata = metadata(text, path)?;
    let parsed = TomlDocument::parse_as::<ScriptTables>(&metadata);
    let (mut document, tables) = parsed.map_err(|error| match invalid(&metadata, path, &error) {
        ProjectError::Invalid { path, line, column, reason } => {
            ProjectError::Invalid { path, line, column: column + INDENTATION, reason }
        }
        error => error,
    })?;
    document.retain(&KEYS);
    Ok((document, tables))
}

/// Returns the TOML of the block, after as many empty lines as precede it in the script.
fn metadata(text: &str, path: &Path) -> Result<String, ProjectError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines: Vec<&str> = text.lines().collect();
    let blocks = blocks(&lines, path)?;
    let (start, end) = match blocks[..] {
        [] => return Err(ProjectError::NoScriptMetadata(path.to_owned())),
        [only] => only,
        [(first, _), (second, _), ..] => {
            return Err(ProjectError::SeveralScriptBlocks {
                path: path.to_owned(),
                first: first + 1,
                second: second + 1,
            });
        }
    };
    let mut metadata = "\n".repeat(start + 1);
    for line in &lines[start + 1..end] {
        metadata.push_str(line.get(INDENTATION..).unwrap_or_default());
        metadata.push('\n');
    }
    Ok(metadata)
}

/// Returns the lines at which each block of metadata begins and ends, from 0. A block reaches up to the last closing line of the
/// comment that it is in.
fn blocks(lines: &[&str], path: &Path) -> Result<Vec<(usize, usize)>, ProjectError> {
    let mut blocks = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        if lines[at] == OPENING {
            let comment = lines[at + 1..].iter().take_while(|line| **line == "#" || line.starts_with("# ")).count();
            let closing = lines[at + 1..][..comment].iter().rposition(|line| *line == CLOSING);
            let closing =
                closing.ok_or_else(|| ProjectError::UnclosedScriptBlock { path: path.to_owned(), line: at + 1 })?;
            blocks.push((at, at + 1 + closing));
            at += 1 + closing;
        }
        at += 1;
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/jobs/nightly.py";

    fn read(text: &str) -> Result<toml::Table, String> {
        let document = document(text, Path::new(PATH)).map_err(|error| error.to_string())?;
        Ok((*document.table).clone())
    }

    #[test]
    fn the_block_is_read_wherever_it_is() {
        let table = "dependencies = [\"idna\"]\n".parse::<toml::Table>().unwrap();
        for text in [
            "# /// script\n# dependencies = [\"idna\"]\n# ///\n",
            "#!/usr/bin/env python\n\"\"\"Doc\"\"\"\n# /// script\n#\n# dependencies = [\"idna\"]\n#\n# ///\nimport idna\n",
            "# /// script\r\n# dependencies = [\"idna\"]\r\n# ///\r\n",
            "\u{feff}# /// script\n# dependencies = [\"idna\"]\n# ///",
            // Blocks of other types, and keys that are not for scripts.
            "# /// other\n# a = 1\n# ///\n\n# /// script\n# dependencies = [\"idna\"]\n# [project]\n# name = 1\n# ///\n",
        ] {
            assert_eq!(read(text).as_ref(), Ok(&table), "{text}");
        }
        let embedded = read("# /// script\n# [tool.a]\n# text = '''\n# ///\n# '''\n# ///\n").unwrap();
        assert_eq!(embedded["tool"]["a"]["text"].as_str(), Some("///\n"));
    }

    #[test]
    fn errors_say_where_the_block_is_wrong() {
        for (text, expected) in [
            ("import idna\n", "/jobs/nightly.py has no inline script metadata"),
            ("#/// script\n#///\n", "/jobs/nightly.py has no inline script metadata"),
            (
                "\n# /// script\n# a = 1\n\n# ///\n",
                "/jobs/nightly.py:2: the block `# /// script` is not closed with `# ///`",
            ),
            (
                "# /// script\n#a = 1\n# ///\n",
                "/jobs/nightly.py:1: the block `# /// script` is not closed with `# ///`",
            ),
            (
                "# /// script\n# ///\n\n# /// script\n# ///\n",
                "/jobs/nightly.py:4: a second block `# /// script`; the first is in line 1",
            ),
            ("x\n# /// script\n# dependencies = [1]\n# ///\n", "/jobs/nightly.py:3:19: "),
            ("# /// script\n# requires-python = \"3\"\n# ///\n", "/jobs/nightly.py:2:21: "),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
