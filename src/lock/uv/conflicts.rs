//! Conflicting extras, groups and projects (`tool.uv.conflicts`).
//!
//! If a lock has conflicts, the markers of its edges test which of the conflicting items are active. uv encodes an item as a
//! value of the marker variable `extra`: `extra == 'extra-3-foo-cpu'` holds if the extra `cpu` of `foo` is active. The
//! number is the length of the distribution's name.

use std::collections::BTreeSet;
use std::fmt;

use crate::marker::ActiveExtras;
use crate::name::{DistributionName, ExtraName, GroupName};

/// An item of a set of conflicts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(try_from = "ConflictItemTable")]
pub(super) enum ConflictItem {
    Project(DistributionName),
    Extra(DistributionName, ExtraName),
    Group(DistributionName, GroupName),
}

#[derive(serde::Deserialize)]
struct ConflictItemTable {
    package: DistributionName,
    extra: Option<ExtraName>,
    group: Option<GroupName>,
}

impl TryFrom<ConflictItemTable> for ConflictItem {
    type Error = &'static str;

    fn try_from(table: ConflictItemTable) -> Result<Self, &'static str> {
        match (table.extra, table.group) {
            (None, None) => Ok(Self::Project(table.package)),
            (Some(extra), None) => Ok(Self::Extra(table.package, extra)),
            (None, Some(group)) => Ok(Self::Group(table.package, group)),
            (Some(_), Some(_)) => Err("an item of `conflicts` cannot have both an `extra` and a `group`"),
        }
    }
}

impl ConflictItem {
    /// Returns the value of the marker variable `extra` that stands for the item.
    fn encoded(&self) -> String {
        match self {
            Self::Project(name) => format!("project-{}-{name}", name.as_str().len()),
            Self::Extra(name, extra) => format!("extra-{}-{name}-{extra}", name.as_str().len()),
            Self::Group(name, group) => format!("group-{}-{name}-{group}", name.as_str().len()),
        }
    }
}

impl fmt::Display for ConflictItem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project(name) => write!(formatter, "the project `{name}`"),
            Self::Extra(name, extra) => write!(formatter, "the extra `{extra}` of `{name}`"),
            Self::Group(name, group) => write!(formatter, "the group `{group}` of `{name}`"),
        }
    }
}

/// Returns active items as markers are evaluated with them.
pub(super) fn encode<'a>(items: impl IntoIterator<Item = &'a ConflictItem>) -> ActiveExtras {
    ActiveExtras { extras: items.into_iter().map(ConflictItem::encoded).collect(), groups: BTreeSet::new() }
}

/// Returns the active items of the first set that has more than one.
pub(super) fn first_violation<'a>(
    sets: &'a [BTreeSet<ConflictItem>],
    active: &BTreeSet<ConflictItem>,
) -> Option<Vec<&'a ConflictItem>> {
    sets.iter()
        .map(|set| set.iter().filter(|item| active.contains(*item)).collect::<Vec<_>>())
        .find(|items| items.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items() -> [ConflictItem; 3] {
        let name: DistributionName = "foo-bar".parse().unwrap();
        [
            ConflictItem::Project(name.clone()),
            ConflictItem::Extra(name.clone(), "cpu".parse().unwrap()),
            ConflictItem::Group(name, "dev".parse().unwrap()),
        ]
    }

    #[test]
    fn items_are_encoded_as_values_of_extra() {
        let encoded = encode(&items());
        let expected = ["extra-7-foo-bar-cpu", "group-7-foo-bar-dev", "project-7-foo-bar"];
        assert!(encoded.extras.iter().eq(expected), "{encoded:?}");
    }

    #[test]
    fn two_active_items_of_one_set_are_a_violation() {
        let [project, extra, group] = items();
        let sets = [BTreeSet::from([project.clone(), extra.clone()]), BTreeSet::from([extra.clone(), group.clone()])];
        assert_eq!(first_violation(&sets, &BTreeSet::from([project, group.clone()])), None);
        let active = BTreeSet::from([extra.clone(), group.clone()]);
        assert_eq!(first_violation(&sets, &active), Some(vec![&extra, &group]));
    }
}
