//! Projects that declare themselves to setuptools only: by `setup.cfg` or `setup.py`.
//!
//! Specification: [setuptools, declarative configuration](https://setuptools.pypa.io/en/latest/userguide/declarative_config.html).
//! A `setup.py` is not run; what it says by a literal is read from its text.

use std::fs;
use std::io;
use std::path::Path;

use configparser::ini::{Ini, IniDefault};
use pep440_rs::VersionSpecifiers;

use crate::name::DistributionName;

/// What `setup.cfg` and `setup.py` say of a project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Setup {
    /// The distribution's name, unless it is computed.
    pub name: Option<DistributionName>,
    /// The versions of Python, unless they are computed.
    pub requires_python: Option<VersionSpecifiers>,
}

/// Returns what the files of a folder say; nothing if it has none that declares a distribution.
///
/// # Errors
/// A file cannot be read.
pub fn read(folder: &Path) -> io::Result<Option<Setup>> {
    let configuration = optional(&folder.join("setup.cfg"))?.map(|text| from_configuration(&text)).unwrap_or_default();
    match optional(&folder.join("setup.py"))? {
        Some(script) => {
            let script = from_script(&script);
            // What `setup()` is called with counts for less than what setup.cfg says.
            Ok(Some(Setup {
                name: configuration.name.or(script.name),
                requires_python: configuration.requires_python.or(script.requires_python),
            }))
        }
        None => Ok(configuration.name.is_some().then_some(configuration)),
    }
}

fn optional(path: &Path) -> io::Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn from_configuration(text: &str) -> Setup {
    let mut form = IniDefault::default();
    form.multiline = true;
    form.enable_inline_comments = false;
    let mut file = Ini::new_from_defaults(form);
    // What is wrong in it setuptools will say better.
    if file.read(text.to_owned()).is_err() {
        return Setup::default();
    }
    let value = |section: &str, keys: [&str; 2]| keys.into_iter().find_map(|key| file.get(section, key));
    Setup {
        name: value("metadata", ["name", "Name"]).and_then(|name| name.parse().ok()),
        requires_python: value("options", ["python_requires", "python-requires"])
            .and_then(|specifiers| specifiers.parse().ok()),
    }
}

fn from_script(text: &str) -> Setup {
    let argument = |name| argument(text, name).or_else(|| assigned(text, variable(text, name)?));
    Setup {
        name: argument("name").and_then(|name| name.parse().ok()),
        requires_python: argument("python_requires").and_then(|specifiers| specifiers.parse().ok()),
    }
}

/// Returns the literal that `setup(…)` gets for an argument.
fn argument<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    literal(value_in_call(text, name)?)
}

/// Returns the variable that `setup(…)` gets for an argument.
fn variable<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let value = value_in_call(text, name)?;
    let end = value.find(|character: char| !character.is_alphanumeric() && character != '_').unwrap_or(value.len());
    Some(&value[..end]).filter(|name| !name.is_empty())
}

/// Returns the literal that a line of the module assigns to a variable.
fn assigned<'a>(text: &'a str, variable: &str) -> Option<&'a str> {
    text.lines().find_map(|line| literal(line.strip_prefix(variable)?.trim_start().strip_prefix('=')?.trim_start()))
}

/// Returns the text that follows `name =` among the arguments of `setup(…)` themselves.
fn value_in_call<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let call = text.match_indices("setup(").map(|(at, call)| (at, &text[at + call.len()..]));
    let is_call = |at: usize| !text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
    let (_, arguments) = call.into_iter().find(|(at, _)| is_call(*at))?;
    let (mut depth, mut quote, mut starts) = (0_usize, None, true);
    let mut characters = arguments.char_indices();
    while let Some((at, character)) = characters.next() {
        match (quote, character) {
            (Some(_), '\\') => {
                characters.next();
            }
            (Some(open), _) if character == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(character),
            (None, '#') => {
                characters.by_ref().find(|(_, character)| *character == '\n')?;
                continue;
            }
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.checked_sub(1)?,
            (None, ',') => {
                starts = true;
                continue;
            }
            (None, _) if character.is_whitespace() => continue,
            (None, _) if starts && depth == 0 => {
                let value = arguments[at..].strip_prefix(name).map(str::trim_start);
                if let Some(value) = value.and_then(|value| value.strip_prefix('=')) {
                    return Some(value.trim_start());
                }
            }
            (None, _) => {}
        }
        starts = false;
    }
    None
}

/// Returns what a string literal without escapes holds, if the text begins with one.
fn literal(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let inner = &text[1..];
    inner.find(quote).map(|end| &inner[..end]).filter(|inner| !inner.contains('\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(name: &str, requires_python: &str) -> Setup {
        Setup {
            name: name.parse().ok(),
            requires_python: requires_python.parse().ok().filter(|_| !requires_python.is_empty()),
        }
    }

    #[test]
    fn literals_of_a_script_are_found() {
        for (script, expected) in [
            (
                "from setuptools import setup\nsetup(name='Foo_Bar', python_requires=\">=3.9\")",
                setup("foo-bar", ">=3.9"),
            ),
            ("setuptools.setup(\n    # name='no',\n    name = \"a\",\n)", setup("a", "")),
            ("NAME = 'app'\nsetup(\n  version='name=1',\n  ext=[E(name='x')], name=NAME)", setup("app", "")),
            ("my_setup(name='no')\nsetup(description='it\\'s, name=\"no\"', name='yes')", setup("yes", "")),
            ("setup(**arguments)", setup("", "")),
            ("setup(name=read('NAME'))", setup("", "")),
            ("setup(name='cut", setup("", "")),
            ("setup(", setup("", "")),
            ("setup())))", setup("", "")),
        ] {
            assert_eq!(from_script(script), expected, "{script}");
        }
    }

    #[test]
    fn a_configuration_is_read_as_setuptools_does() {
        let text = "[metadata]\nname = My.App\ndescription =\n  name = no\n[options]\npython_requires = >=3.10\ninstall_requires =\n  six\n";
        assert_eq!(from_configuration(text), setup("my-app", ">=3.10"));
        assert_eq!(from_configuration("[flake8]\nmax-line-length = 100\n"), Setup::default());
        assert_eq!(from_configuration("[metadata"), Setup::default());
    }

    #[test]
    fn a_folder_is_a_project_by_its_script_or_its_named_configuration() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), None);
        fs::write(folder.path().join("setup.cfg"), "[flake8]\n").unwrap();
        assert_eq!(read(folder.path()).unwrap(), None);
        fs::write(folder.path().join("setup.py"), "setup(name='script')").unwrap();
        assert_eq!(read(folder.path()).unwrap(), Some(setup("script", "")));
        fs::write(folder.path().join("setup.cfg"), "[metadata]\nname = file\n").unwrap();
        assert_eq!(read(folder.path()).unwrap(), Some(setup("file", "")));
    }
}
