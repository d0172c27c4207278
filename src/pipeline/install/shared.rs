//! Paths that more than one distribution has.
//!
//! pip and uv install one file over the other, and which one depends on the order. Here the order is given, and code is an
//! error unless the user decides.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::name::DistributionName;
use crate::pipeline::install::{InstallSchemes, InstalledDistribution};
use crate::pipeline::plan::Plan;
use crate::pipeline::{BuildError, plan};
use crate::platform::Scheme;
use crate::report::Reporter;
use crate::tree::TreeEntry;
use crate::trim::{self, NamespaceStyle};
use crate::wheel;

/// The largest `__init__.py` that is read to find out whether it only declares a namespace, in bytes.
const LARGEST_NAMESPACE: u64 = 64 << 10;

/// What distributions lose to others, by the position of the distribution.
pub(super) type LostFiles = BTreeMap<usize, BTreeSet<LostFile>>;

/// A file of a distribution that another one has, too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LostFile {
    /// The position in [`WheelInventory::files`](crate::wheel::WheelInventory::files).
    InWheel(usize),
    /// A console script that is generated when the wheel is installed.
    Script(String),
}

/// A path with different contents in several distributions.
struct SharedPath<'a> {
    path: &'a str,
    /// The positions of the distributions.
    owners: Vec<usize>,
}

/// Decides whose file is installed, for paths that several distributions have with different contents. Warns of files
/// that are no code. What is not decided stays, and is an error when it is inserted into a tree.
///
/// # Errors
/// A file cannot be read.
pub(super) fn lost_files(
    distributions: &[InstalledDistribution],
    prefer: &[DistributionName],
    schemes: InstallSchemes,
    plan: &Plan,
    reporter: &dyn Reporter,
) -> Result<LostFiles, BuildError> {
    let mut lost = LostFiles::new();
    let mut replaced: BTreeMap<(usize, usize), Vec<&str>> = BTreeMap::new();
    for shared in shared_paths(distributions)? {
        let scheme_of = |owner: usize| schemes.of(distributions[owner].selected);
        let site_packages = &*scheme_of(shared.owners[0]).site_packages;
        let relative = shared.path.strip_prefix(site_packages).unwrap_or(shared.path).trim_start_matches('/');
        let files = shared
            .owners
            .iter()
            .map(|owner| Some((*owner, lost_file(&distributions[*owner], shared.path, scheme_of(*owner))?)));
        // RECORD is generated, too, but in a directory of its own.
        let Some(files) = files.collect::<Option<Vec<_>>>() else { continue };
        let named = prefer.iter().find_map(|name| {
            shared.owners.iter().copied().find(|owner| distributions[*owner].wheel.inventory.name == *name)
        });
        let is_data = is_no_code(relative);
        let winner = match named {
            Some(winner) => winner,
            None => match namespace(distributions, &shared, relative)? {
                Some(winner) => winner,
                None if is_data => first(distributions, &shared.owners, plan),
                None => continue,
            },
        };
        for (loser, file) in files.into_iter().filter(|(owner, _)| *owner != winner) {
            lost.entry(loser).or_default().insert(file);
            if named.is_none() && is_data {
                replaced.entry((winner, loser)).or_default().push(relative);
            }
        }
    }
    for ((winner, loser), paths) in replaced {
        let [winner, loser] = [winner, loser].map(|position| &distributions[position].wheel.inventory);
        let more = match paths.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        reporter.warn(&format!(
            "{} {} and {} {} have different files with the same paths, which are no code: {}{more}; those of {} are bundled",
            winner.name, winner.version, loser.name, loser.version, paths[0], winner.name
        ));
    }
    Ok(lost)
}

/// Finds the paths that several distributions have with different contents, ordered.
fn shared_paths<'a>(distributions: &'a [InstalledDistribution]) -> Result<Vec<SharedPath<'a>>, BuildError> {
    let mut first: HashMap<&str, usize> = HashMap::new();
    let mut shared: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, distribution) in distributions.iter().enumerate() {
        for (path, _) in &distribution.files {
            match first.get(path.as_str()) {
                Some(owner) => shared.entry(path.as_str()).or_insert_with(|| vec![*owner]).push(at),
                None => drop(first.insert(path.as_str(), at)),
            }
        }
    }
    let mut differing = Vec::new();
    for (path, mut owners) in shared {
        owners.dedup();
        let digests = owners.iter().map(|owner| Ok(entry(&distributions[*owner], path)?.content.sha256()?));
        let digests: BTreeSet<_> = digests.collect::<Result<_, BuildError>>()?;
        if digests.len() > 1 && owners.len() > 1 {
            differing.push(SharedPath { path, owners });
        }
    }
    Ok(differing)
}

fn entry<'a>(distribution: &'a InstalledDistribution, path: &str) -> Result<&'a TreeEntry, BuildError> {
    let found = distribution.files.iter().find(|(other, _)| other.as_str() == path);
    found.map(|(_, entry)| entry).ok_or(BuildError::Empty)
}

/// Returns a file of a wheel, or a script that is generated for it, by its path in the artifact.
fn lost_file(distribution: &InstalledDistribution, path: &str, scheme: &Scheme) -> Option<LostFile> {
    let inventory = &distribution.wheel.inventory;
    let position = inventory.files.iter().position(|file| {
        let directory = wheel::destination_directory(file.part, &inventory.name, scheme);
        let relative = if directory.is_empty() {
            Some(path)
        } else {
            path.strip_prefix(&*directory).and_then(|rest| rest.strip_prefix('/'))
        };
        relative == Some(&*file.path)
    });
    let script = match path.strip_prefix(&*scheme.scripts) {
        Some(script) => script.trim_start_matches('/'),
        None => return position.map(LostFile::InWheel),
    };
    let is_generated = inventory.entry_points.iter().any(|entry_point| entry_point.name == script);
    if is_generated { Some(LostFile::Script(script.to_owned())) } else { position.map(LostFile::InWheel) }
}

/// Returns the owner whose `__init__.py` declares the namespace best, if all only declare it.
fn namespace(
    distributions: &[InstalledDistribution],
    shared: &SharedPath,
    relative: &str,
) -> Result<Option<usize>, BuildError> {
    if relative.rsplit('/').next() != Some("__init__.py") {
        return Ok(None);
    }
    let mut styles: Vec<(NamespaceStyle, usize)> = Vec::new();
    for owner in &shared.owners {
        let content = &entry(&distributions[*owner], shared.path)?.content;
        if content.size() > LARGEST_NAMESPACE {
            return Ok(None);
        }
        let bytes = content.read(LARGEST_NAMESPACE).map_err(BuildError::reading(shared.path.as_ref()))?;
        match std::str::from_utf8(&bytes).ok().and_then(trim::namespace_style) {
            Some(style) => styles.push((style, *owner)),
            None => return Ok(None),
        }
    }
    Ok(styles.into_iter().min().map(|(_, owner)| owner))
}

/// Returns the owner whose files are kept: of the lowest target that others extend, whose layers others share, then a local
/// project, then the first by name.
fn first(distributions: &[InstalledDistribution], owners: &[usize], plan: &Plan) -> usize {
    let stages = plan.stages();
    let rank = |owner: &usize| {
        let selected = distributions[*owner].selected;
        let stage = stages.iter().position(|stage| stage.selected.iter().any(|other| other.name == selected.name));
        (stage, !plan::is_local_project(selected), selected.name.clone())
    };
    owners.iter().copied().min_by_key(rank).unwrap_or_default()
}

/// Tells whether a path below site-packages is nothing that a program imports or reads: tests, documents and examples that
/// were installed beside the packages by mistake, texts for people, and what type checkers read.
fn is_no_code(path: &str) -> bool {
    trim::is_test_or_document(path) || trim::is_stub(path)
}
