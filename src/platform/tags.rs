//! Compatibility tags of target platforms.
//!
//! Specification: [PyPA, platform compatibility tags](https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/)
//! (PEP 425, PEP 600, PEP 656). Tags are ordered as in PyPA's library `packaging`.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::{Architecture, CLibrary, Glibc, Musl, PythonVersion};
use crate::wheel::filename::WheelFilename;

/// One compatibility tag, for instance `cp312-cp312-manylinux_2_17_x86_64`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CompatibilityTag {
    /// For instance `cp312`.
    pub python: String,
    /// For instance `cp312`, `abi3` or `none`.
    pub abi: String,
    /// For instance `manylinux_2_17_x86_64` or `any`.
    pub platform: String,
}

impl fmt::Display for CompatibilityTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}-{}", self.python, self.abi, self.platform)
    }
}

/// The compatibility tags of a platform, best first.
#[derive(Debug, Clone)]
pub struct CompatibilityTags {
    ordered: Vec<Arc<CompatibilityTag>>,
    /// The rank of each tag, by its Python, ABI and platform tag.
    ranks: HashMap<String, HashMap<String, HashMap<String, usize>>>,
}

impl CompatibilityTags {
    /// Returns the tags of CPython on Linux with the given C library.
    pub fn new(python: PythonVersion, libc: CLibrary, architecture: Architecture) -> Self {
        let PythonVersion { major, minor, free_threaded } = python;
        let platforms = platforms(libc, architecture);
        let cpython = format!("cp{major}{minor}");
        let mut tags = Self { ordered: vec![], ranks: HashMap::new() };

        // The interpreter's own ABI, the stable ABI (PEP 384; PEP 803 for free-threaded builds), and native code that uses no
        // ABI.
        let (own, stable) = (format!("{cpython}{}", python.abi_flag()), if free_threaded { "abi3t" } else { "abi3" });
        for abi in [own.as_str(), stable, "none"] {
            tags.extend(&cpython, abi, &platforms);
        }
        // The stable ABI of older versions, which exists since 3.2. `packaging` has those of abi3t, too, although that exists
        // since 3.15.
        for older in (2..minor).rev() {
            tags.extend(&format!("cp{major}{older}"), stable, &platforms);
        }
        // Any implementation of this version, of the major version, of older versions: with native code, then without.
        let generic: Vec<String> = std::iter::once(format!("py{major}{minor}"))
            .chain([format!("py{major}")])
            .chain((0..minor).rev().map(|older| format!("py{major}{older}")))
            .collect();
        for python in &generic {
            tags.extend(python, "none", &platforms);
        }
        let any = ["any".to_owned()];
        tags.extend(&cpython, "none", &any);
        for python in &generic {
            tags.extend(python, "none", &any);
        }
        tags
    }

    /// Appends the tags of one Python and one ABI tag.
    fn extend(&mut self, python: &str, abi: &str, platforms: &[String]) {
        let ranks = self.ranks.entry(python.to_owned()).or_default().entry(abi.to_owned()).or_default();
        for platform in platforms {
            ranks.insert(platform.clone(), self.ordered.len());
            self.ordered.push(Arc::new(CompatibilityTag {
                python: python.to_owned(),
                abi: abi.to_owned(),
                platform: platform.clone(),
            }));
        }
    }

    /// Returns the tags, best first.
    pub fn as_slice(&self) -> &[Arc<CompatibilityTag>] {
        &self.ordered
    }

    /// Returns the best of a wheel's tags that is compatible, and its rank; 0 is the best. `None` if none is compatible.
    pub fn best_match(&self, wheel: &WheelFilename) -> Option<(usize, &Arc<CompatibilityTag>)> {
        let by_abi = wheel.python_tags.iter().filter_map(|python| self.ranks.get(python));
        let by_platform = by_abi.flat_map(|ranks| wheel.abi_tags.iter().filter_map(|abi| ranks.get(abi)));
        let ranks = by_platform.flat_map(|ranks| wheel.platform_tags.iter().filter_map(|platform| ranks.get(platform)));
        let best = *ranks.min()?;
        self.ordered.get(best).map(|tag| (best, tag))
    }
}

/// Returns the platform tags: those of the C library's version and all older ones, and `linux` last, which guarantees no C
/// library.
fn platforms(libc: CLibrary, architecture: Architecture) -> Vec<String> {
    let mut platforms = match libc {
        CLibrary::Glibc(glibc) => manylinux(glibc, architecture),
        CLibrary::Musl(musl) => musllinux(musl, architecture),
    };
    platforms.push(format!("linux_{}", architecture.wheel_name()));
    platforms
}

/// Returns the tags of musl (PEP 656), which have no patch release.
fn musllinux(musl: Musl, architecture: Architecture) -> Vec<String> {
    let name = architecture.wheel_name();
    (0..=musl.minor).rev().map(|minor| format!("musllinux_1_{minor}_{name}")).collect()
}

/// Returns the tags of glibc down to the oldest version that PEP 600 defines for the architecture, each with its legacy alias.
fn manylinux(glibc: Glibc, architecture: Architecture) -> Vec<String> {
    let oldest = match architecture {
        Architecture::X86_64 => 5,
        Architecture::Arm64 => 17,
    };
    let name = architecture.wheel_name();
    let mut platforms = vec![];
    for minor in (oldest..=glibc.minor).rev() {
        platforms.push(format!("manylinux_{}_{minor}_{name}", glibc.major));
        let legacy = match minor {
            17 => "manylinux2014",
            12 => "manylinux2010",
            5 => "manylinux1",
            _ => continue,
        };
        platforms.push(format!("{legacy}_{name}"));
    }
    platforms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(python: &str, glibc: &str, architecture: Architecture) -> CompatibilityTags {
        CompatibilityTags::new(python.parse().unwrap(), CLibrary::Glibc(glibc.parse().unwrap()), architecture)
    }

    #[test]
    fn musl_has_tags_of_its_own() {
        let musl = CLibrary::Musl("1.2.5".parse().unwrap());
        let tags = CompatibilityTags::new("3.12".parse().unwrap(), musl, Architecture::Arm64);
        let own: Vec<&str> = tags.as_slice().iter().take(4).map(|tag| tag.platform.as_str()).collect();
        let expected = ["musllinux_1_2_aarch64", "musllinux_1_1_aarch64", "musllinux_1_0_aarch64", "linux_aarch64"];
        assert_eq!(own, expected);
        assert!(tags.as_slice().iter().all(|tag| !tag.platform.contains("manylinux")));
        assert_eq!(best(&tags, "a-1-cp312-cp312-musllinux_1_3_aarch64.whl"), None);
    }

    fn best(tags: &CompatibilityTags, wheel: &str) -> Option<String> {
        tags.best_match(&wheel.parse().unwrap()).map(|(rank, tag)| {
            assert_eq!(&tags.as_slice()[rank], tag);
            tag.to_string()
        })
    }

    #[test]
    fn the_best_of_a_wheels_tags_is_found() {
        let tags = tags("3.12", "2.34", Architecture::X86_64);
        for (wheel, tag) in [
            ("a-1-py2.py3-none-any.whl", Some("py3-none-any")),
            (
                "a-1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
                Some("cp312-cp312-manylinux_2_17_x86_64"),
            ),
            ("a-1-cp39-abi3-manylinux2014_x86_64.whl", Some("cp39-abi3-manylinux2014_x86_64")),
            ("a-1-cp312-cp312-linux_x86_64.whl", Some("cp312-cp312-linux_x86_64")),
            ("a-1-cp313-cp313-manylinux_2_17_x86_64.whl", None),
            ("a-1-cp313-abi3-manylinux_2_17_x86_64.whl", None),
            ("a-1-cp312-cp312-manylinux_2_35_x86_64.whl", None),
            ("a-1-cp312-cp312-manylinux_2_17_aarch64.whl", None),
            ("a-1-cp312-cp312-musllinux_1_2_x86_64.whl", None),
            ("a-1-cp312-cp312t-manylinux_2_17_x86_64.whl", None),
            ("a-1-cp312-abi3-any.whl", None),
        ] {
            assert_eq!(best(&tags, wheel).as_deref(), tag, "{wheel}");
        }
    }

    #[test]
    fn a_newer_c_library_and_a_tighter_abi_win() {
        let tags = tags("3.12", "2.34", Architecture::Arm64);
        let best_first = [
            "a-1-cp312-cp312-manylinux_2_28_aarch64.whl",
            "a-1-cp312-cp312-manylinux_2_17_aarch64.whl",
            "a-1-cp312-cp312-manylinux2014_aarch64.whl",
            "a-1-cp312-cp312-linux_aarch64.whl",
            "a-1-cp312-abi3-manylinux_2_17_aarch64.whl",
            "a-1-cp38-abi3-manylinux_2_28_aarch64.whl",
            "a-1-py3-none-manylinux_2_17_aarch64.whl",
            "a-1-py312-none-any.whl",
            "a-1-py3-none-any.whl",
        ];
        let ranks: Vec<usize> =
            best_first.iter().map(|wheel| tags.best_match(&wheel.parse().unwrap()).expect(wheel).0).collect();
        assert!(ranks.is_sorted(), "{ranks:?}");
    }

    #[test]
    fn a_runtime_with_an_old_c_library_refuses_wheels_for_a_newer_one() {
        let wheel = "a-1-cp311-cp311-manylinux_2_28_x86_64.whl";
        assert_eq!(best(&tags("3.11", "2.26", Architecture::X86_64), wheel), None);
        assert!(best(&tags("3.11", "2.28", Architecture::X86_64), wheel).is_some());
    }
}
