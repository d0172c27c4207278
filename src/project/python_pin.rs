//! The version of Python that a project's files name.
//!
//! uv's own files come first. The others are what Pipenv, Heroku and Google's buildpacks, asdf and mise read
//! ([Pipfile](https://pipenv.pypa.io/en/latest/pipfile.html), `runtime.txt`,
//! [.tool-versions](https://asdf-vm.com/manage/configuration.html), [mise.toml](https://mise.jdx.dev/configuration.html)).

use std::io;
use std::path::{Path, PathBuf};

use super::ProjectError;
use super::workspace::{python_version_file, python_version_files};
use crate::limited_reader::{self, LARGEST_PROJECT_FILE};
use crate::platform::PythonPin;

/// Returns the request of a file's text; `None` if it has none.
type PinReader = fn(&str) -> Option<String>;

/// The files that count if uv's do not name a version, by precedence.
const OTHER_FILES: [(&str, PinReader); 5] = [
    ("Pipfile", of_pipfile),
    ("runtime.txt", of_runtime),
    (".tool-versions", of_tool_versions),
    ("mise.toml", of_mise),
    (".mise.toml", of_mise),
];

/// Requests of asdf and mise that name no version.
const UNKNOWN: [&str; 3] = ["latest", "system", "lts"];

/// Finds the version of Python that a project is pinned to: by the nearest `.python-version` from `directory` up to
/// `workspace_root`, or else by the nearest other file.
///
/// # Errors
/// A file cannot be read.
pub(crate) fn python_pin(directory: &Path, workspace_root: &Path) -> Result<Option<PythonPin>, ProjectError> {
    let pin = |path: &Path, request: String| PythonPin {
        file: path.strip_prefix(workspace_root).unwrap_or(path).display().to_string(),
        request,
    };
    if let Some((path, request)) = python_version_file(directory, workspace_root)? {
        return Ok(Some(pin(&path, request)));
    }
    for directory in directory.ancestors().take_while(|ancestor| ancestor.starts_with(workspace_root)) {
        for (name, request_of) in OTHER_FILES {
            let path = directory.join(name);
            let text = match limited_reader::read_regular_text(&path, LARGEST_PROJECT_FILE) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(ProjectError::Read { path, source }),
            };
            if let Some(request) = request_of(&text) {
                return Ok(Some(pin(&path, request)));
            }
        }
    }
    Ok(None)
}

/// Returns the files that may pin the version of Python of a directory.
pub(crate) fn python_pin_files(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let others = OTHER_FILES.map(|(name, _)| directory.join(name));
    python_version_files(directory).into_iter().chain(others)
}

fn of_pipfile(text: &str) -> Option<String> {
    let document: toml::Table = toml::from_str(text).ok()?;
    let requires = document.get("requires")?;
    let version = requires.get("python_full_version").or_else(|| requires.get("python_version"))?;
    // `*` allows any.
    version.as_str().filter(|version| *version != "*").map(str::to_owned)
}

fn of_runtime(text: &str) -> Option<String> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    Some(line.to_owned())
}

fn of_tool_versions(text: &str) -> Option<String> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let mut words =
        lines.map(str::split_whitespace).find_map(|mut words| (words.next()? == "python").then_some(words))?;
    version(words.next()?)
}

fn of_mise(text: &str) -> Option<String> {
    let document: toml::Table = toml::from_str(text).ok()?;
    let python = document.get("tools")?.get("python")?;
    let first = python.as_array().and_then(|versions| versions.first()).unwrap_or(python);
    version(first.get("version").unwrap_or(first).as_str()?)
}

/// Returns a version of asdf or mise, unless it names none: `ref:`, `path:` and `prefix:` refer to something else.
fn version(text: &str) -> Option<String> {
    (!UNKNOWN.contains(&text) && !text.contains(':')).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn each_file_names_its_version() {
        let pipfile = "[packages]\nflask = \"*\"\n[requires]\npython_version = ";
        for (name, text, expected) in [
            (".python-version", "3.12\n", Some("3.12")),
            (".python-versions", "3.12\n3.13\n", Some("3.12")),
            ("Pipfile", &format!("{pipfile}\"3.11\"\n"), Some("3.11")),
            ("Pipfile", &format!("{pipfile}\"3.11\"\npython_full_version = \"3.11.4\"\n"), Some("3.11.4")),
            ("Pipfile", &format!("{pipfile}\"*\"\n"), None),
            ("Pipfile", "[packages]\n", None),
            ("Pipfile", "not TOML", None),
            ("runtime.txt", "python-3.12.4\n", Some("python-3.12.4")),
            ("runtime.txt", "\n", None),
            (".tool-versions", "nodejs 22.1.0\npython 3.12.4 3.11.9 # both\n", Some("3.12.4")),
            (".tool-versions", "# python 3.9\npython system\n", None),
            (".tool-versions", "nodejs 22.1.0\n", None),
            ("mise.toml", "[tools]\npython = \"3.13\"\n", Some("3.13")),
            (".mise.toml", "[tools]\npython = [\"3.12\", \"3.11\"]\n", Some("3.12")),
            ("mise.toml", "[tools]\npython = { version = \"3.10\", virtualenv = \".venv\" }\n", Some("3.10")),
            ("mise.toml", "[tools]\npython = \"latest\"\n", None),
            ("mise.toml", "[tools]\npython = \"ref:main\"\n", None),
        ] {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join(name), text).unwrap();
            let found = python_pin(directory.path(), directory.path()).unwrap();
            let expected = expected.map(|request| PythonPin { file: name.to_owned(), request: request.to_owned() });
            assert_eq!(found, expected, "{name}: {text}");
            assert!(python_pin_files(directory.path()).any(|path| path.ends_with(name)));
        }
    }

    #[test]
    fn uvs_own_files_come_first_and_then_the_nearest() {
        let root = tempfile::tempdir().unwrap();
        let member = root.path().join("a");
        fs::create_dir(&member).unwrap();
        let pin = || python_pin(&member, root.path()).unwrap().map(|pin| format!("{} {}", pin.file, pin.request));
        assert_eq!(pin(), None);
        fs::write(root.path().join("runtime.txt"), "python-3.9\n").unwrap();
        assert_eq!(pin().as_deref(), Some("runtime.txt python-3.9"));
        fs::write(member.join(".tool-versions"), "python 3.10\n").unwrap();
        assert_eq!(pin().as_deref(), Some("a/.tool-versions 3.10"));
        fs::write(root.path().join(".python-version"), "3.11\n").unwrap();
        assert_eq!(pin().as_deref(), Some(".python-version 3.11"));
    }
}
