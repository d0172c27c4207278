//! The distribution of which no wheel is compatible with the target, and its other versions.

use pep440_rs::Version;
use url::Url;

use super::error::list;
use crate::name::DistributionName;
use crate::redact;

/// A distribution of which another version may have a compatible wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedWheel {
    pub(crate) name: DistributionName,
    /// The locked version.
    pub(crate) version: Version,
    /// The index of its files, if the lock states it.
    pub(crate) index: Option<Url>,
    /// The versions with a compatible wheel, oldest first, if an index was asked for them.
    pub(crate) known: Option<Vec<Version>>,
}

impl WantedWheel {
    /// Returns what to lock instead: the nearest versions, and the newest.
    pub(super) fn hint(&self) -> String {
        let Self { name, version, index, known } = self;
        let Some(known) = known else { return format!("lock a version of {name} that has a wheel for the target") };
        let older = known.iter().rfind(|other| *other < version);
        let newer = known.iter().find(|other| *other > version);
        let mut named: Vec<&Version> = [older, newer, known.last()].into_iter().flatten().collect();
        named.dedup();
        if named.is_empty() {
            let index = index.as_ref().map(|index| format!(" on {}", redact::url(index))).unwrap_or_default();
            return format!("replace {name}: no version of it{index} has a wheel for the target");
        }
        let named: Vec<String> = named.into_iter().map(ToString::to_string).collect();
        let verb = if named.len() == 1 { "has" } else { "have" };
        format!("lock another version of {name}: {} {verb} a wheel for the target", list(&named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_versions_and_the_newest_are_named() {
        for (known, hint) in [
            (None, "lock a version of numpy that has a wheel for the target"),
            (Some(&[][..]), "replace numpy: no version of it on https://index.example has a wheel for the target"),
            (Some(&["1.0"]), "lock another version of numpy: 1.0 has a wheel for the target"),
            (Some(&["2.2", "2.3"]), "lock another version of numpy: 2.2 and 2.3 have a wheel for the target"),
            (
                Some(&["1.0", "1.9", "2.2", "2.3", "3.0"]),
                "lock another version of numpy: 1.9, 2.2 and 3.0 have a wheel for the target",
            ),
        ] {
            let wanted = WantedWheel {
                name: "numpy".parse().unwrap(),
                version: "2.0".parse().unwrap(),
                index: Some("https://index.example".parse().unwrap()),
                known: known.map(|known| known.iter().map(|version| version.parse().unwrap()).collect()),
            };
            assert_eq!(wanted.hint().replace("example/", "example"), hint);
        }
    }
}
