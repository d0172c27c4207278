//! What is known of modules by their names: the standard library's, and distributions that are called otherwise.

use crate::platform::PythonVersion;

/// A line for each module: its name, and since and until which version there is one.
const STANDARD: &str = include_str!("stdlib.txt");

/// A line for each module: its dotted name, and the distributions that provide it, the likeliest first.
const DISTRIBUTIONS: &str = include_str!("distributions.txt");

/// A top-level module of the standard library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standard {
    /// The minor version of the first Python 3 that has it, if there were ones before.
    pub(super) since: Option<u8>,
    /// That of the last one, if there are ones after.
    pub(super) until: Option<u8>,
}

impl Standard {
    /// Finds a module by its name.
    pub(super) fn get(name: &str) -> Option<Self> {
        let words =
            lines(STANDARD).map(str::split_ascii_whitespace).find(|words| words.clone().next() == Some(name))?;
        let words: Vec<&str> = words.collect();
        let minor = |key: &str| {
            let at = words.iter().position(|word| *word == key)?;
            words.get(at + 1)?.strip_prefix("3.")?.parse().ok()
        };
        Some(Self { since: minor("since"), until: minor("until") })
    }

    /// Returns whether a version has the module.
    pub(super) fn is_in(self, python: PythonVersion) -> bool {
        self.since.is_none_or(|since| since <= python.minor) && self.until.is_none_or(|until| python.minor <= until)
    }
}

/// Top-level packages that many distributions put modules into. None of them is provided by what is called as it is.
const SHARED: [&str; 8] =
    ["azure", "backports", "google", "jaraco", "opentelemetry", "ruamel", "sphinxcontrib", "zope"];

/// Returns whether many distributions put modules into a top-level package.
pub(super) fn is_shared(top: &str) -> bool {
    SHARED.contains(&top)
}

/// Returns the distributions that are known to provide a module, or else those that are called as it is.
pub(super) fn distributions(module: &str) -> Vec<String> {
    // The deepest name decides: `google.cloud.storage` before `google.cloud`.
    let mut name = module;
    loop {
        let found = lines(DISTRIBUTIONS).find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        if let Some(found) = found {
            return found.split_ascii_whitespace().map(str::to_owned).collect();
        }
        match name.rsplit_once('.') {
            Some((parent, _)) => name = parent,
            None => break,
        }
    }
    let dashed = module.replace(['.', '_'], "-").to_lowercase();
    let first = module.split('.').next().unwrap_or(module).replace('_', "-").to_lowercase();
    if first == dashed || first.is_empty() || is_shared(&first) { vec![dashed] } else { vec![dashed, first] }
}

/// Returns the top-level modules that a distribution provides, as far as names tell.
pub(super) fn modules_of(distribution: &str) -> Vec<String> {
    let provides = |line: &&str| line.split(' ').nth(1) == Some(distribution);
    let named = lines(DISTRIBUTIONS).filter(provides).filter_map(|line| line.split([' ', '.']).next());
    named.map(str::to_owned).chain([distribution.replace('-', "_")]).collect()
}

/// Returns whether a module is one of another platform, which nobody misses here.
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
    fn the_standard_library_changes() {
        let has = |name, minor| Standard::get(name).is_some_and(|known| known.is_in(PythonVersion { major: 3, minor }));
        for (name, first, last) in [
            ("os", 9, 15),
            ("tomllib", 11, 15),
            ("distutils", 9, 11),
            ("cgi", 9, 12),
            ("asyncore", 9, 11),
            ("annotationlib", 14, 15),
        ] {
            for minor in 9..=15 {
                assert_eq!(has(name, minor), (first..=last).contains(&minor), "{name} of 3.{minor}");
            }
        }
        assert_eq!(Standard::get("requests"), None);
    }

    #[test]
    fn names_of_distributions_are_known_or_guessed() {
        for (module, expected) in [
            ("yaml", "pyyaml"),
            ("google.cloud.storage", "google-cloud-storage"),
            ("google.protobuf.json_format", "protobuf"),
            ("azure.storage.blob", "azure-storage-blob"),
            ("requests", "requests"),
            ("my_module", "my-module"),
        ] {
            assert_eq!(distributions(module)[0], expected);
        }
    }

    #[test]
    fn tables_are_ordered_and_well_formed() {
        for table in [STANDARD, DISTRIBUTIONS] {
            let names: Vec<&str> = lines(table).map(|line| line.split(' ').next().unwrap()).collect();
            assert!(names.len() > 50 && names.is_sorted_by(|one, next| one < next));
        }
    }
}
