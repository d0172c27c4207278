//! Shared libraries that distributions open by name, and executables that they start: neither their metadata nor their
//! compiled files tell of them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use super::libraries::SystemKind;
use crate::debian::apt_hint;
use crate::name::DistributionName;
use crate::tree::Distribution;

/// What distributions need, by their sources: see the comment in the file.
const TABLE: &str = include_str!("system_needs/distributions.txt");

static NEEDS: LazyLock<Vec<SystemNeed>> =
    LazyLock::new(|| TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(SystemNeed::parse).collect());

/// Something that a distribution needs of the system.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SystemNeed {
    pub(crate) distribution: &'static str,
    pub(crate) kind: SystemNeedKind,
    /// Any of them suffices; at least one.
    pub(crate) names: Vec<&'static str>,
    debian_package: &'static str,
    /// A distribution that contains it.
    alternative: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SystemNeedKind {
    /// A shared library, named without `lib` and `.so`.
    Library,
    Executable,
}

impl SystemNeed {
    fn parse(line: &'static str) -> Option<Self> {
        let mut fields = line.split('#').next()?.split_whitespace();
        let distribution = fields.next()?;
        let kind = match fields.next()? {
            "library" => SystemNeedKind::Library,
            _ => SystemNeedKind::Executable,
        };
        let names = fields.next()?.split(',').collect();
        let debian_package = fields.next()?;
        let alternative = fields.next().filter(|alternative| *alternative != "-");
        Some(Self { distribution, kind, names, debian_package, alternative })
    }

    /// Returns what a distribution needs.
    pub(crate) fn of(distribution: &DistributionName) -> impl Iterator<Item = &'static Self> {
        NEEDS.iter().filter(|need| need.distribution == distribution.as_str())
    }

    /// Returns whether one of the installed distributions contains what is needed.
    pub(crate) fn is_installed(&self, installed: &BTreeSet<&str>) -> bool {
        self.alternative.is_some_and(|alternative| installed.contains(alternative))
    }

    /// Returns whether a file name is that of a library that suffices: `libmagic.so.1`, or `libsndfile_x86_64.so`.
    pub(crate) fn is_library(&self, file: &str) -> bool {
        let stem = file.strip_prefix("lib").filter(|_| file.contains(".so"));
        stem.is_some_and(|stem| {
            self.names.iter().any(|name| stem.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', '-', '_'])))
        })
    }
}

/// A distribution whose library or executable is neither in the artifact nor on the target.
#[derive(Debug)]
pub(crate) struct MissingSystemNeed {
    pub(crate) distribution: Distribution,
    pub(crate) need: &'static SystemNeed,
    /// The target's name.
    pub(crate) system: String,
    pub(crate) system_kind: SystemKind,
}

impl fmt::Display for MissingSystemNeed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { distribution, need, system, system_kind } = self;
        let name = need.names[0];
        match need.kind {
            SystemNeedKind::Library => write!(formatter, "{distribution} opens the library lib{name}")?,
            SystemNeedKind::Executable => write!(formatter, "{distribution} starts `{name}`")?,
        }
        write!(formatter, ", which is neither in the artifact nor in {system}: ")?;
        match (need.alternative, system_kind) {
            (Some(alternative), _) => write!(formatter, "the distribution {alternative} contains it"),
            (None, SystemKind::Image(None)) => {
                write!(formatter, "Debian's package {} contains it", need.debian_package)
            }
            (None, SystemKind::Image(Some(release))) => {
                let package = match need.kind {
                    SystemNeedKind::Executable => release.package_of_program(name),
                    SystemNeedKind::Library => None,
                };
                formatter.write_str(&apt_hint([package.unwrap_or(need.debian_package)]))
            }
            (None, SystemKind::MuslImage) => formatter.write_str("another base can provide it"),
            (None, SystemKind::Lambda) => formatter.write_str("a layer can provide it"),
            (None, SystemKind::Service) => formatter.write_str("the service has to provide it"),
        }
    }
}

impl std::error::Error for MissingSystemNeed {}

impl MissingSystemNeed {
    /// Returns whether `--allow-missing` names it.
    pub(crate) fn is_allowed(&self, allowed: &BTreeSet<String>) -> bool {
        self.need.names.iter().any(|name| {
            let library = format!("lib{name}");
            allowed
                .iter()
                .any(|allowed| allowed == name || *allowed == library || allowed.starts_with(&format!("{library}.so")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_complete() {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        assert_eq!(lines.clone().count(), NEEDS.len());
        assert!(lines.clone().all(|line| line.contains("  # ")), "each line has its source");
        assert!(NEEDS.is_sorted_by_key(|need| need.distribution));
        let distributions: BTreeSet<&str> = NEEDS.iter().map(|need| need.distribution).collect();
        assert!(distributions.len() >= 40, "{}", distributions.len());
        for name in distributions {
            assert_eq!(name.parse::<DistributionName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn libraries_are_recognized_by_their_file_names() {
        let need = SystemNeed::of(&"soundfile".parse().unwrap()).next().unwrap();
        for (file, expected) in [
            ("libsndfile.so.1", true),
            ("libsndfile_x86_64.so", true),
            ("libsndfile-1c2d.so.1.0.37", true),
            ("libsndfiles.so", false),
            ("sndfile.so", false),
            ("libsndfile.dylib", false),
        ] {
            assert_eq!(need.is_library(file), expected, "{file}");
        }
    }
}
