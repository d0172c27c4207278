//! Finds distributions that nothing in an artifact imports.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rayon::prelude::*;

use super::Audited;
use crate::lock::{Dependent, SelectedDistribution};
use crate::marker::Requirement;
use crate::name::DistributionName;
use crate::tree::TreeEntry;
use crate::wheel::{SchemePart, WheelInventory};

/// The largest file of the application that is searched for names, in bytes.
const LARGEST_READ: u64 = 1 << 20;

/// Distributions that others load by a computed name: drivers, workers and data.
const LOADED_BY_OTHERS: [&str; 30] = [
    "aiomysql",
    "aiosqlite",
    "asyncpg",
    "awslambdaric",
    "brotli",
    "certifi",
    "cryptography",
    "daphne",
    "greenlet",
    "gunicorn",
    "hiredis",
    "httptools",
    "hypercorn",
    "mysqlclient",
    "orjson",
    "psycopg",
    "psycopg-binary",
    "psycopg2",
    "psycopg2-binary",
    "pyarrow",
    "pymysql",
    "python-multipart",
    "redis",
    "setuptools",
    "tzdata",
    "uvicorn",
    "uvloop",
    "watchfiles",
    "websockets",
    "wheel",
];

/// Returns the distributions that the project requires directly and that nothing imports or requires, ordered by name.
/// `used` are those that the application imports, and `projects` the project's own.
pub(super) fn unused(
    audited: &Audited,
    used: &BTreeSet<DistributionName>,
    projects: &BTreeSet<&DistributionName>,
) -> Vec<String> {
    let plan = audited.plan;
    let dependencies = audited.distributions.iter().filter(|distribution| !distribution.is_local_project());
    let inventories: BTreeMap<&DistributionName, &WheelInventory> = dependencies
        .map(|distribution| &distribution.wheel.inventory)
        .map(|inventory| (&inventory.name, inventory))
        .collect();
    let required: BTreeSet<DistributionName> = inventories
        .values()
        .flat_map(|inventory| &inventory.requires)
        .filter_map(|requirement| Some(requirement.parse::<Requirement>().ok()?.name))
        .collect();
    let suspects: Vec<(&SelectedDistribution, &WheelInventory)> = plan
        .dependencies()
        .filter(|selected| is_direct(selected, audited) && !used.contains(&selected.name))
        .filter(|selected| !required.contains(&selected.name) && !is_loaded_by_others(&selected.name))
        .filter_map(|selected| Some((selected, *inventories.get(&selected.name)?)))
        .filter(|(_, inventory)| audited.runs_on_lambda() || inventory.entry_points.is_empty())
        .filter(|(_, inventory)| !is_plugin(audited, inventory))
        .collect();
    if suspects.is_empty() {
        return Vec::new();
    }
    let words = words_of_application(audited, projects);
    suspects
        .into_iter()
        .filter(|(_, inventory)| names_of(inventory).is_disjoint(&words))
        .map(|(selected, _)| selected.name.to_string())
        .collect()
}

/// Tells whether the project requires a distribution directly.
fn is_direct(selected: &SelectedDistribution, audited: &Audited) -> bool {
    // Some locks do not say who requires what.
    selected.required_by.is_empty()
        || selected.required_by.iter().any(|dependent| match dependent {
            Dependent::Root | Dependent::Group(..) | Dependent::File(_) => true,
            Dependent::Distribution(name, _) => {
                audited.plan.selected.iter().any(|other| other.name == *name && other.is_root())
            }
        })
}

fn is_loaded_by_others(name: &DistributionName) -> bool {
    let name = name.as_str();
    LOADED_BY_OTHERS.contains(&name) || name.starts_with("types-") || name.ends_with("-stubs")
}

/// Tells whether other distributions find this one by its entry points.
fn is_plugin(audited: &Audited, inventory: &WheelInventory) -> bool {
    let path = format!("{}/entry_points.txt", inventory.dist_info);
    let text = audited.roots.iter().find_map(|root| {
        let path = if root.site_packages.is_empty() { path.clone() } else { format!("{}/{path}", root.site_packages) };
        root.tree.get(&path)?.content.read(LARGEST_READ).ok()
    });
    let text = text.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut groups = text.lines().filter_map(|line| line.trim().strip_prefix('[')?.strip_suffix(']'));
    groups.any(|group| !matches!(group.trim(), "console_scripts" | "gui_scripts"))
}

/// Returns the names by which an application would mention a distribution: its own, and those of its top-level modules.
fn names_of(inventory: &WheelInventory) -> HashSet<String> {
    let library = inventory.files.iter().filter(|file| file.part == SchemePart::Library);
    let modules = library.filter(|file| !file.path.starts_with(&*inventory.dist_info));
    let tops = modules.filter_map(|file| file.path.split(['/', '.']).next());
    let name = inventory.name.as_str();
    tops.map(str::to_owned).chain([name.to_owned(), name.replace('-', "_")]).collect()
}

/// Returns every word of the application's files: modules are also named in settings, templates and URLs.
fn words_of_application(audited: &Audited, projects: &BTreeSet<&DistributionName>) -> HashSet<String> {
    let entries: Vec<_> = audited
        .roots
        .iter()
        .flat_map(|root| root.tree.iter())
        .filter(|(path, entry)| entry.origin.is_own(projects) && !path.as_str().contains(".dist-info/"))
        .filter(|(_, entry)| entry.content.size() <= LARGEST_READ)
        .collect();
    entries.par_iter().map(|(_, entry)| words_of(entry)).reduce(HashSet::new, |mut all, some| {
        all.extend(some);
        all
    })
}

fn words_of(entry: &TreeEntry) -> HashSet<String> {
    let bytes = entry.content.read(LARGEST_READ).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let words = text.split(|character: char| !character.is_alphanumeric() && !matches!(character, '_' | '-'));
    words.map(str::to_owned).collect()
}
