//! Projects that declare their metadata only in `setup.cfg` or `setup.py`.
//!
//! Specification: [setuptools, declarative configuration](https://setuptools.pypa.io/en/latest/userguide/declarative_config.html).
//! A `setup.py` is not run: the constants that it passes to `setup()` count.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use configparser::ini::{Ini, IniDefault};
use pep440_rs::VersionSpecifiers;

use super::setup_script;
use crate::limited_reader::{self, LARGEST_PROJECT_FILE};
use crate::name::DistributionName;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SetuptoolsMetadata {
    /// `None` if it is computed.
    pub(crate) name: Option<DistributionName>,
    /// `None` if it is computed.
    pub(crate) requires_python: Option<VersionSpecifiers>,
}

/// Returns what the files of a directory declare; `None` if none of them declares a distribution.
///
/// # Errors
/// A file cannot be read.
pub(super) fn read(directory: &Path) -> io::Result<Option<SetuptoolsMetadata>> {
    let mut values = match read_if_present(&directory.join("setup.cfg"))? {
        Some(bytes) => configured(&String::from_utf8_lossy(&bytes)),
        None => BTreeMap::new(),
    };
    match read_if_present(&directory.join("setup.py"))? {
        // setuptools keeps the arguments of `setup()` where setup.cfg has the same (65.5, `ConfigHandler.__setitem__`).
        Some(script) => values.extend(setup_script::arguments(&script)),
        None if !values.contains_key("name") => return Ok(None),
        None => {}
    }
    Ok(Some(SetuptoolsMetadata {
        name: values.get("name").cloned().flatten().and_then(|name| name.parse().ok()),
        requires_python: values.get("python_requires").cloned().flatten().and_then(|text| text.parse().ok()),
    }))
}

/// Returns the name and the versions of Python that a setup.cfg configures, by the names of the arguments of `setup()`.
fn configured(text: &str) -> BTreeMap<String, Option<String>> {
    let mut syntax = IniDefault::default();
    syntax.multiline = true;
    syntax.enable_inline_comments = false;
    let mut file = Ini::new_from_defaults(syntax);
    // setuptools reports an invalid file better when it builds the project.
    if file.read(text.to_owned()).is_err() {
        return BTreeMap::new();
    }
    let name = file.get("metadata", "name").or_else(|| file.get("metadata", "Name"));
    let python = file.get("options", "python_requires").or_else(|| file.get("options", "python-requires"));
    let values = [("name", name), ("python_requires", python)];
    values.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Some(value?)))).collect()
}

fn read_if_present(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match limited_reader::read_regular_file(path, LARGEST_PROJECT_FILE) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_that_never_end_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["setup.cfg", "setup.py"] {
            std::os::unix::fs::symlink("/dev/zero", directory.path().join(name)).unwrap();
            let error = read_if_present(&directory.path().join(name)).unwrap_err().to_string();
            assert_eq!(error, format!("`{name}` is not a regular file, but a device, pipe or socket"));
        }
    }

    fn read_files(files: &[(&str, &str)]) -> Option<SetuptoolsMetadata> {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        read(directory.path()).unwrap()
    }

    fn metadata(name: &str, requires_python: &str) -> Option<SetuptoolsMetadata> {
        let specifiers = Some(requires_python).filter(|specifiers| !specifiers.is_empty());
        Some(SetuptoolsMetadata { name: name.parse().ok(), requires_python: specifiers.and_then(|it| it.parse().ok()) })
    }

    #[test]
    fn a_configuration_is_read_as_setuptools_does() {
        let text = "[metadata]\nname = My.App\ndescription =\n  name = no\n[options]\npython_requires = >=3.10\ninstall_requires =\n  six\n";
        assert_eq!(read_files(&[("setup.cfg", text)]), metadata("my-app", ">=3.10"));
        for text in ["[flake8]\nmax-line-length = 100\n", "[metadata"] {
            assert_eq!(read_files(&[("setup.cfg", text)]), None, "{text}");
        }
    }

    #[test]
    fn a_directory_is_a_project_by_its_script_or_its_named_configuration() {
        assert_eq!(read_files(&[]), None);
        assert_eq!(read_files(&[("setup.py", "")]), metadata("", ""));
        let script = "from setuptools import setup\nsetup(name='script', python_requires='>=3.9')";
        assert_eq!(read_files(&[("setup.py", script), ("setup.cfg", "[flake8]\n")]), metadata("script", ">=3.9"));
    }

    #[test]
    fn arguments_count_before_the_configuration() {
        let configuration = "[metadata]\nname = file\n[options]\npython_requires = >=3.10\n";
        for (script, name, requires_python) in [
            ("setup(name='script', python_requires='>=3.8')", "script", ">=3.8"),
            ("setup(name='script')", "script", ">=3.10"),
            ("setup(name=None)", "file", ">=3.10"),
            ("setup(name=read('NAME'))", "", ">=3.10"),
            ("setup()", "file", ">=3.10"),
        ] {
            let read = read_files(&[("setup.cfg", configuration), ("setup.py", script)]);
            assert_eq!(read, metadata(name, requires_python), "{script}");
        }
    }
}
