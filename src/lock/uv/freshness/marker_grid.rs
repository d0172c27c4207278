//! Comparison of markers by their meaning.
//!
//! uv rewrites markers when it locks: it simplifies them by `requires-python` and normalizes them. Two markers are therefore
//! considered equal if they hold in the same environments of a grid of Python versions and platforms. The grid is finite, so
//! markers that only differ between its points are considered equal as well.

use std::ops::RangeInclusive;

use pep440_rs::{Version, VersionSpecifiers};

use crate::marker::{ActiveExtras, Marker};
use crate::name::ExtraName;
use crate::platform::{MarkerEnvironment, PythonVersion};

/// The minor versions of Python 3 on the grid. Markers about the next one, too, tell what they mean.
const MINORS: RangeInclusive<u8> = 6..=*PythonVersion::MINORS.end() + 1;

/// The patch versions of each on the grid.
const PATCHES: [u64; 3] = [0, 6, 12];

/// `os_name`, `sys_platform`, `platform_system` and `platform_machine` of each platform on the grid.
const PLATFORMS: [[&str; 4]; 7] = [
    ["posix", "linux", "Linux", "x86_64"],
    ["posix", "linux", "Linux", "aarch64"],
    ["posix", "darwin", "Darwin", "arm64"],
    ["posix", "darwin", "Darwin", "x86_64"],
    ["nt", "win32", "Windows", "AMD64"],
    ["posix", "cygwin", "CYGWIN_NT-10.0", "x86_64"],
    ["posix", "emscripten", "Emscripten", "wasm32"],
];

/// `implementation_name` and `platform_python_implementation` of each interpreter on the grid.
const INTERPRETERS: [[&str; 2]; 2] = [["cpython", "CPython"], ["pypy", "PyPy"]];

/// The environments within a lock's `requires-python`, each without an extra and with each extra of a project.
pub(super) struct MarkerGrid {
    environments: Vec<MarkerEnvironment>,
    extras: Vec<ActiveExtras>,
}

/// One truth value for each point of a [`MarkerGrid`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TruthTable(Vec<bool>);

impl MarkerGrid {
    pub(super) fn new<'a>(
        requires_python: &VersionSpecifiers,
        extras: impl IntoIterator<Item = &'a ExtraName>,
    ) -> Self {
        let versions = MINORS.flat_map(|minor| PATCHES.map(|patch| Version::new([3, u64::from(minor), patch])));
        let environments = versions
            .filter(|version| requires_python.contains(version))
            .flat_map(|version| PLATFORMS.map(|platform| (version.clone(), platform)))
            .flat_map(|(version, platform)| INTERPRETERS.map(|python| environment(&version, platform, python)))
            .collect();
        let each_extra = extras
            .into_iter()
            .map(|extra| ActiveExtras { extras: [extra.to_string()].into(), ..ActiveExtras::default() });
        let extras = std::iter::once(ActiveExtras::default()).chain(each_extra).collect();
        Self { environments, extras }
    }

    /// Returns where a marker holds. No marker holds everywhere.
    pub(super) fn marker(&self, marker: Option<&Marker>) -> TruthTable {
        self.table(|environment, extras| marker.is_none_or(|marker| marker.evaluate(environment, extras)))
    }

    /// Returns where an extra is active.
    pub(super) fn extra(&self, extra: &ExtraName) -> TruthTable {
        self.table(|_, extras| extras.extras.contains(extra.as_str()))
    }

    /// Returns where the version of Python is within a range.
    pub(super) fn python(&self, range: &VersionSpecifiers) -> TruthTable {
        self.table(|environment, _| range.contains(&environment.python_full_version))
    }

    fn table(&self, holds: impl Fn(&MarkerEnvironment, &ActiveExtras) -> bool) -> TruthTable {
        let extras = self.extras.iter();
        TruthTable(
            extras.flat_map(|extras| self.environments.iter().map(|environment| holds(environment, extras))).collect(),
        )
    }

    /// Returns the extras with which a table holds, if it holds nowhere without an extra.
    pub(super) fn extras_of(&self, table: &TruthTable) -> Vec<&str> {
        let columns = table.0.chunks(self.environments.len().max(1)).map(|column| column.contains(&true));
        let holding = self.extras.iter().zip(columns).filter(|(_, holds)| *holds).map(|(extras, _)| extras);
        match holding.clone().next() {
            Some(first) if !first.extras.is_empty() => {
                holding.flat_map(|extras| &extras.extras).map(String::as_str).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl TruthTable {
    pub(super) fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(left, right)| *left && *right).collect())
    }

    pub(super) fn or(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(left, right)| *left || *right).collect())
    }

    pub(super) fn not(&self) -> Self {
        Self(self.0.iter().map(|holds| !holds).collect())
    }

    pub(super) fn holds_nowhere(&self) -> bool {
        !self.0.contains(&true)
    }
}

fn environment(version: &Version, platform: [&str; 4], interpreter: [&str; 2]) -> MarkerEnvironment {
    let [os_name, sys_platform, platform_system, platform_machine] = platform.map(str::to_owned);
    let [implementation_name, platform_python_implementation] = interpreter.map(str::to_owned);
    MarkerEnvironment {
        implementation_name,
        implementation_version: version.clone(),
        os_name,
        platform_machine,
        platform_python_implementation,
        platform_release: String::new(),
        platform_system,
        platform_version: String::new(),
        python_full_version: version.clone(),
        python_version: Version::new(version.release().iter().take(2)),
        sys_platform,
    }
}
