//! Extras, groups and projects that exclude one another (`tool.uv.conflicts`).
//!
//! Where a lock has such sets, markers on its edges ask which of their items are active. uv encodes the question as a
//! value of the marker variable `extra`: `extra == 'extra-3-foo-cpu'` holds when the extra `cpu` of `foo` is active;
//! the number is the length of the distribution's name.

use std::collections::BTreeSet;
use std::fmt;

use crate::marker::ActiveExtras;
use crate::name::{DistributionName, ExtraName, GroupName};

/// Something that may be active, and may exclude others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(try_from = "ItemTable")]
pub enum Item {
    /// A project with its dependencies.
    Project(DistributionName),
    /// An extra.
    Extra(DistributionName, ExtraName),
    /// A dependency group.
    Group(DistributionName, GroupName),
}

#[derive(serde::Deserialize)]
struct ItemTable {
    package: DistributionName,
    extra: Option<ExtraName>,
    group: Option<GroupName>,
}

impl TryFrom<ItemTable> for Item {
    type Error = &'static str;

    fn try_from(table: ItemTable) -> Result<Self, &'static str> {
        match (table.extra, table.group) {
            (None, None) => Ok(Self::Project(table.package)),
            (Some(extra), None) => Ok(Self::Extra(table.package, extra)),
            (None, Some(group)) => Ok(Self::Group(table.package, group)),
            (Some(_), Some(_)) => Err("an item of `conflicts` has an `extra` or a `group`, not both"),
        }
    }
}

impl Item {
    /// Returns the value of `extra` that stands for the item in markers.
    fn encoded(&self) -> String {
        match self {
            Self::Project(name) => format!("project-{}-{name}", name.as_str().len()),
            Self::Extra(name, extra) => format!("extra-{}-{name}-{extra}", name.as_str().len()),
            Self::Group(name, group) => format!("group-{}-{name}-{group}", name.as_str().len()),
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project(name) => write!(formatter, "the project `{name}`"),
            Self::Extra(name, extra) => write!(formatter, "the extra `{extra}` of `{name}`"),
            Self::Group(name, group) => write!(formatter, "the group `{group}` of `{name}`"),
        }
    }
}

/// Returns the items in the form that markers are evaluated with.
pub fn encode<'a>(items: impl IntoIterator<Item = &'a Item>) -> ActiveExtras {
    ActiveExtras { extras: items.into_iter().map(Item::encoded).collect(), groups: BTreeSet::new() }
}

/// Returns the active items of the first set of which more than one is active.
pub fn first_violation<'a>(sets: &'a [BTreeSet<Item>], active: &BTreeSet<Item>) -> Option<Vec<&'a Item>> {
    sets.iter()
        .map(|set| set.iter().filter(|item| active.contains(*item)).collect::<Vec<_>>())
        .find(|items| items.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items() -> [Item; 3] {
        let name: DistributionName = "foo-bar".parse().unwrap();
        [
            Item::Project(name.clone()),
            Item::Extra(name.clone(), "cpu".parse().unwrap()),
            Item::Group(name, "dev".parse().unwrap()),
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
