//! The layers of real packages, for the tests that compare them with what apt installs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use oci_spec::image::MediaType;

use crate::archive::layer;
use crate::cache::Cache;
use crate::debian::Deb;
use crate::debian::deb::field_of;
use crate::digest::Sha256;
use crate::hints::Hints;
use crate::image::search::LayerSearch;
use crate::pipeline::apt::{FetchedPackage, layers};

/// What was laid over a base.
pub struct LaidPackages {
    /// What each layer contains, lowest first; their files are `0.tar.gz` and so on.
    pub layers: Vec<String>,
    /// The packages of the base that were replaced.
    pub upgraded: Vec<String>,
    /// The packages that are not configured.
    pub unconfigured: Vec<String>,
    /// The number of files that the base's dpkg omits.
    pub omitted: usize,
    /// The effects by package.
    pub effects: BTreeMap<String, Vec<String>>,
}

/// Lays .debs, in the order of their configuration, over a base that is one uncompressed tar archive, and writes the layers
/// into `output`.
///
/// # Errors
/// As the pipeline's, with causes and hints, each on a line.
pub fn lay_packages(
    base: Option<&Path>,
    debs: &[PathBuf],
    allow_unconfigured: &[&str],
    cache: &Path,
    output: &Path,
) -> Result<LaidPackages, String> {
    let mut search = LayerSearch::of_system();
    if let Some(base) = base {
        let file = File::open(base).map_err(shown)?;
        search.in_layer(&MediaType::ImageLayer, file).map_err(shown)?;
    }
    let base = search.into_system().ok_or("the base is too large")?;
    let packages = debs.iter().map(|path| fetched(path)).collect::<Result<Vec<_>, String>>()?;
    let cache = Cache::open(cache).map_err(shown)?;
    let allow_unconfigured = allow_unconfigured.iter().map(|name| (*name).to_owned()).collect();
    let laid = layers(&packages, &base, &allow_unconfigured, &cache).map_err(|error| {
        let hints = error.hints().into_iter().map(|hint| format!("\nhint: {hint}")).collect::<String>();
        format!("{}{hints}", shown(error))
    })?;
    for (at, layer) in laid.layers.iter().enumerate() {
        let mut file = std::io::BufWriter::new(File::create(output.join(format!("{at}.tar.gz"))).map_err(shown)?);
        layer::gzip(&layer.tree, &mut file).map_err(shown)?;
    }
    Ok(LaidPackages {
        layers: laid.layers.iter().map(|layer| format!("{} {}", layer.key.hex(), layer.holds)).collect(),
        upgraded: laid.upgraded.iter().map(|one| format!("{} {} {}", one.name, one.from, one.to)).collect(),
        unconfigured: laid.unconfigured,
        omitted: laid.omitted,
        effects: laid.effects,
    })
}

/// Takes the identity of a package from its control file, as a lock has it.
fn fetched(path: &Path) -> Result<FetchedPackage, String> {
    let file = File::open(path).map_err(shown)?;
    let deb = Deb::open(path, &file).map_err(shown)?;
    let field = |name| field_of(&deb.control, name).unwrap_or_default().to_owned();
    let bytes = fs::read(path).map_err(shown)?;
    Ok(FetchedPackage {
        name: field("Package"),
        version: field("Version"),
        architecture: field("Architecture"),
        sha256: Sha256::of(&bytes),
        path: path.to_owned(),
    })
}

/// Formats an error with its causes.
fn shown(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
