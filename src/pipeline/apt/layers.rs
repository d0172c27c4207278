//! The layers of a closure of packages over a base.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use rayon::prelude::*;

use crate::archive::layer::LayerTree;
use crate::cache::Cache;
use crate::debian::{self, InstalledState, PathFilter};
use crate::digest::Sha256;
use crate::image::manifest::PACKAGE_DATABASE;
use crate::image::system::BaseSystem;
use crate::pipeline::apt::SystemLayerError;
use crate::pipeline::apt::closure_files::ClosureFiles;
use crate::pipeline::apt::database::{DatabaseFile, PackageDatabase};
use crate::pipeline::apt::layer_trees::{insert, keep_directories, key, tree_of};
use crate::pipeline::apt::packed::{self, PackedPackage};
use crate::pipeline::apt::system_state::SystemState;
use crate::pipeline::apt::{effects, libraries};
use crate::tree::{FileOrigin, TreeEntry, TreePath};

/// From this size on a package has a layer of its own, in bytes as it is packed: an update of another package does not
/// change it.
const LARGE_PACKAGE: u64 = 10 << 20;

/// A locked package and its verified .deb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FetchedPackage {
    pub name: String,
    pub version: String,
    /// The architecture, or `all`.
    pub architecture: String,
    pub sha256: Sha256,
    pub path: PathBuf,
}

impl fmt::Display for FetchedPackage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.name, self.version)
    }
}

/// A layer before its bytes or digests are computed. All of its content is in the cache or in memory.
#[derive(Debug, Clone)]
pub(crate) struct SystemLayer {
    /// What the layer contains, for reports and history entries.
    pub holds: String,
    pub tree: LayerTree,
    /// The digest of everything that decides the layer's bytes.
    pub key: Sha256,
}

/// A package of the base that is replaced by another version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UpgradedPackage {
    pub name: String,
    pub from: String,
    pub to: String,
}

/// The layers of a closure, lowest first, and what reports say about them.
#[derive(Debug, Clone, Default)]
pub(crate) struct SystemLayers {
    pub layers: Vec<SystemLayer>,
    pub upgraded: Vec<UpgradedPackage>,
    /// The packages that are unpacked and not configured.
    pub unconfigured: Vec<String>,
    /// The number of files that the base's dpkg omits.
    pub omitted: usize,
    /// What is done instead of maintainer scripts, for each package with any.
    pub effects: BTreeMap<String, Vec<String>>,
    /// The short names of the licences of each package with a machine-readable copyright file.
    pub licenses: BTreeMap<String, Vec<String>>,
}

/// Lays packages over a base, in the order in which dpkg would configure them.
///
/// Small packages share a layer, large ones have one each, and the last layer has what maintainer scripts would write, and
/// dpkg's database. The maintainer scripts of `allow_unconfigured` need not be understood: these packages are unpacked, and not
/// configured.
///
/// # Errors
/// A .deb is not valid or not the locked package, two packages have different files at one path, or what a package's
/// maintainer scripts do is not known.
pub(crate) fn layers(
    packages: &[FetchedPackage],
    base: &BaseSystem,
    allow_unconfigured: &BTreeSet<String>,
    cache: &Cache,
) -> Result<SystemLayers, SystemLayerError> {
    let packed = pack_all(packages, cache)?;
    let filter = path_filter(base);
    let files = ClosureFiles::place(packages, &packed, base.files(), &filter)?;
    let effects = effects::of_packages(packages, &packed, allow_unconfigured)?;
    let mut database = PackageDatabase::new(base);
    let mut result = SystemLayers { omitted: files.omitted, ..SystemLayers::default() };
    let mut whiteouts: BTreeSet<String> = BTreeSet::new();
    for ((package, packed), effects) in packages.iter().zip(&packed).zip(&effects) {
        if let Some(from) = database.version(&package.name, &package.architecture) {
            whiteouts.extend(abandoned(package, packed, &files, &database, base));
            result.upgraded.push(UpgradedPackage { name: package.name.clone(), from, to: package.version.clone() });
        }
        let state = match effects {
            Some(effects) => {
                let texts: Vec<String> = effects.iter().map(ToString::to_string).collect();
                if !texts.is_empty() {
                    result.effects.insert(package.name.clone(), texts);
                }
                InstalledState::Installed
            }
            None => {
                result.unconfigured.push(package.name.clone());
                InstalledState::Unpacked
            }
        };
        database.add(package, packed, state);
    }
    let mut state = SystemState::new(base, &packed, files);
    result.licenses = licenses(packages, &state)?;
    effects::apply(&mut state, &effects)?;
    libraries::write(&mut state, database.paragraph("libc-bin"))?;
    result.layers = layers_of_packages(packages, &state)?;
    whiteouts.extend(std::mem::take(&mut database.removed));
    result.layers.push(last_layer(database.finish(), whiteouts, state)?);
    Ok(result)
}

/// Packs all packages in parallel, the largest first: started last, it alone would decide the total time.
fn pack_all(packages: &[FetchedPackage], cache: &Cache) -> Result<Vec<PackedPackage>, SystemLayerError> {
    let sizes = packages.iter().map(|package| package.path.metadata().map_or(0, |file| file.len()));
    let mut queue: Vec<(usize, u64)> = sizes.enumerate().collect();
    queue.sort_by_key(|(_, size)| Reverse(*size));
    let packed = queue.into_iter().par_bridge().map(|(at, _)| Ok((at, packed::packed(&packages[at], cache)?)));
    let mut packed: Vec<(usize, PackedPackage)> = packed.collect::<Result<_, SystemLayerError>>()?;
    packed.sort_by_key(|(at, _)| *at);
    Ok(packed.into_iter().map(|(_, packed)| packed).collect())
}

/// Returns the licences of packages, whose copyright files may be links to those of other packages.
fn licenses(
    packages: &[FetchedPackage],
    state: &SystemState,
) -> Result<BTreeMap<String, Vec<String>>, SystemLayerError> {
    let mut found = BTreeMap::new();
    for FetchedPackage { name, .. } in packages {
        let text = state.text(&format!("usr/share/doc/{name}/copyright"))?;
        let licenses = text.map(|text| debian::licenses(&text)).unwrap_or_default();
        if !licenses.is_empty() {
            found.insert(name.clone(), licenses);
        }
    }
    Ok(found)
}

/// Returns which paths the base's dpkg omits.
fn path_filter(base: &BaseSystem) -> PathFilter {
    let directory = base.texts_below("etc/dpkg/dpkg.cfg.d").map(|(_, text)| &text.bytes);
    let main = base.text("etc/dpkg/dpkg.cfg").map(|text| &text.bytes);
    let texts: Vec<String> = directory.chain(main).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect();
    PathFilter::parse(texts.iter().map(String::as_str))
}

/// Returns the files of a package in the base that its new version does not have.
fn abandoned(
    package: &FetchedPackage,
    packed: &PackedPackage,
    files: &ClosureFiles,
    database: &PackageDatabase,
    base: &BaseSystem,
) -> Vec<String> {
    let kept: BTreeSet<&str> = packed.entries.iter().map(|entry| entry.path.as_str()).collect();
    let list = database.list(&package.name, &package.architecture);
    if list.iter().all(|path| kept.contains(path.as_str())) {
        return Vec::new();
    }
    let others = database.owned_by_others(&package.name, &package.architecture);
    let gone = list.into_iter().filter(|path| !kept.contains(path.as_str()) && !others.contains(path));
    // dpkg keeps configuration files that a new version no longer has.
    let gone = gone.filter(|path| !path.starts_with("etc/")).filter_map(|path| base.files().resolve(&path, false));
    gone.filter(|path| {
        let exists = base.files().is_link(path) || base.files().contains(path) && !base.files().is_directory(path);
        exists && !files.entries.contains_key(path)
    })
    .collect()
}

/// Returns the layers of the packages' own files.
fn layers_of_packages(packages: &[FetchedPackage], state: &SystemState) -> Result<Vec<SystemLayer>, SystemLayerError> {
    let large = state.packed.iter().map(|packed| packed.size >= LARGE_PACKAGE).collect::<Vec<_>>();
    let groups = (0..packages.len()).filter(|at| large[*at]).map(|at| vec![at]);
    let small: Vec<usize> = (0..packages.len()).filter(|at| !large[*at]).collect();
    let groups = [small].into_iter().chain(groups).filter(|group| !group.is_empty());
    groups
        .map(|group| {
            let mut names: Vec<String> = group.iter().map(|at| packages[*at].to_string()).collect();
            names.sort_unstable();
            let tree = tree_of(&group.into_iter().collect(), packages, state)?;
            Ok(SystemLayer { holds: names.join(", "), key: key(&tree), tree })
        })
        .collect()
}

/// Returns the layer of what maintainer scripts would write, and of dpkg's database.
fn last_layer(
    database: Vec<DatabaseFile>,
    whiteouts: BTreeSet<String>,
    mut state: SystemState,
) -> Result<SystemLayer, SystemLayerError> {
    for (path, access, bytes) in database {
        state.write(&path, access, bytes);
    }
    let mut tree = LayerTree::default();
    for (path, (access, content)) in std::mem::take(&mut state.written) {
        if let Some(value) = state.capabilities.get(&path) {
            tree.capabilities.insert(TreePath::of_system(&path)?, value.clone());
        }
        insert(&mut tree.files, &path, TreeEntry { access, content, origin: FileOrigin::Application })?;
    }
    for (path, target) in std::mem::take(&mut state.links) {
        tree.links.insert(TreePath::of_system(&path)?, target);
    }
    for path in whiteouts.into_iter().filter(|path| state.files.paths.is_removable(path)) {
        tree.whiteouts.insert(TreePath::of_system(&path)?);
    }
    keep_directories(&mut tree, state.directories.keys(), &state.files)?;
    Ok(SystemLayer { holds: PACKAGE_DATABASE.to_owned(), key: key(&tree), tree })
}
