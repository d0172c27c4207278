//! Tables of modules by name: those of the standard library, and the distributions that provide the others.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::platform::PythonVersion;

/// A line for each module: its name, and the first and last version that has it.
const STANDARD: &str = include_str!("stdlib.txt");

/// A line for each module: its dotted name and the distributions that provide it, the likeliest first.
const DISTRIBUTIONS: &str = include_str!("distributions.txt");

/// A top-level module of the standard library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StandardModule {
    /// The minor version of the first Python 3 that has it; `None` if the oldest version does.
    pub(super) since: Option<u8>,
    /// The minor version of the last Python 3 that has it; `None` if the newest version does.
    pub(super) until: Option<u8>,
}

/// The modules of [`STANDARD`] by name: some audits ask for each top-level file of an artifact.
static STANDARD_MODULES: LazyLock<HashMap<&str, StandardModule>> = LazyLock::new(|| {
    let modules = lines(STANDARD).map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next().unwrap_or_default(), StandardModule::parse(words))
    });
    modules.collect()
});

impl StandardModule {
    pub(super) fn get(name: &str) -> Option<Self> {
        STANDARD_MODULES.get(name).copied()
    }

    /// Reads what follows upon a module's name.
    fn parse<'a>(mut words: impl Iterator<Item = &'a str>) -> Self {
        let mut module = Self { since: None, until: None };
        while let Some(word) = words.next() {
            match word {
                "since" => module.since = minor(words.next()),
                "until" => module.until = minor(words.next()),
                _ => {}
            }
        }
        module
    }

    pub(super) fn is_in(self, python: PythonVersion) -> bool {
        self.since.is_none_or(|since| since <= python.minor) && self.until.is_none_or(|until| python.minor <= until)
    }
}

/// Reads the minor version of a Python 3.
fn minor(version: Option<&str>) -> Option<u8> {
    version?.strip_prefix("3.")?.parse().ok()
}

/// Top-level packages that many distributions install into. None of them has a distribution of the same name that provides
/// its modules.
const SHARED: [&str; 8] =
    ["azure", "backports", "google", "jaraco", "opentelemetry", "ruamel", "sphinxcontrib", "zope"];

/// Returns whether many distributions install into a top-level package.
pub(super) fn is_shared(top: &str) -> bool {
    SHARED.contains(&top)
}

/// The distributions that may provide a module, the likeliest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Providers {
    /// From the table.
    Known(Vec<String>),
    /// Guessed from the module's name. They may not exist, or be something else.
    Guessed(Vec<String>),
}

impl Providers {
    pub(crate) fn names(&self) -> &[String] {
        match self {
            Self::Known(names) | Self::Guessed(names) => names,
        }
    }

    pub(super) fn names_mut(&mut self) -> &mut Vec<String> {
        match self {
            Self::Known(names) | Self::Guessed(names) => names,
        }
    }
}

/// Returns the distributions that provide a module, from the table or guessed from its name.
pub(super) fn distributions(module: &str) -> Providers {
    // The longest name takes precedence: `google.cloud.storage` over `google.cloud`.
    let mut name = module;
    loop {
        let found = lines(DISTRIBUTIONS).find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        if let Some(found) = found {
            return Providers::Known(found.split_ascii_whitespace().map(str::to_owned).collect());
        }
        match name.rsplit_once('.') {
            Some((parent, _)) => name = parent,
            None => break,
        }
    }
    let dashed = module.replace(['.', '_'], "-").to_lowercase();
    let first = module.split('.').next().unwrap_or(module).replace('_', "-").to_lowercase();
    let is_one = first == dashed || first.is_empty() || is_shared(&first);
    Providers::Guessed(if is_one { vec![dashed] } else { vec![dashed, first] })
}

/// Returns the top-level modules that a distribution provides, from the table and guessed from its name.
pub(super) fn modules_of(distribution: &str) -> Vec<String> {
    let lines = lines(DISTRIBUTIONS).filter(|line| line.split(' ').nth(1) == Some(distribution));
    let modules = lines.filter_map(|line| line.split([' ', '.']).next());
    modules.map(str::to_owned).chain([distribution.replace('-', "_")]).collect()
}

/// Returns whether a module exists only on another platform, so that applications import it under a condition.
pub(super) fn is_of_another_platform(module: &str) -> bool {
    const MODULES: [&str; 16] = [
        "AppKit",
        "Foundation",
        "Quartz",
        "objc",
        "java",
        "js",
        "pyodide",
        "pythoncom",
        "pywintypes",
        "win32api",
        "win32com",
        "win32con",
        "win32file",
        "win32gui",
        "win32security",
        "winerror",
    ];
    MODULES.contains(&module.split('.').next().unwrap_or(module))
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_of_the_standard_library_have_a_first_and_a_last_version() {
        for (name, first, last) in [
            ("os", 9, 15),
            ("tomllib", 11, 15),
            ("distutils", 9, 11),
            ("cgi", 9, 12),
            ("asyncore", 9, 11),
            ("annotationlib", 14, 15),
        ] {
            let module = StandardModule::get(name).unwrap();
            for minor in PythonVersion::MINORS {
                let python = PythonVersion::new(minor);
                assert_eq!(module.is_in(python), (first..=last).contains(&minor), "{name} of {python}");
            }
        }
        assert_eq!(StandardModule::get("requests"), None);
    }

    #[test]
    fn distributions_come_from_the_table_or_from_the_name_of_the_module() {
        for (module, expected) in [
            ("yaml", "pyyaml"),
            ("google.cloud.storage", "google-cloud-storage"),
            ("google.protobuf.json_format", "protobuf"),
            ("azure.storage.blob", "azure-storage-blob"),
            ("requests.sessions", "requests"),
        ] {
            assert!(matches!(distributions(module), Providers::Known(names) if names[0] == expected), "{module}");
        }
        for (module, expected) in [("my_module", "my-module"), ("google.cloud.unknown", "google-cloud-unknown")] {
            assert!(matches!(distributions(module), Providers::Guessed(names) if names[0] == expected), "{module}");
        }
    }

    #[test]
    fn tables_are_sorted() {
        for table in [STANDARD, DISTRIBUTIONS] {
            let names: Vec<&str> = lines(table).map(|line| line.split(' ').next().unwrap()).collect();
            assert!(names.len() > 50 && names.is_sorted_by(|one, next| one < next));
        }
    }
}
