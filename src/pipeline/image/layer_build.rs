//! Builds layers: their bytes, or only their digests where they can be spliced from wheels at any time.

use std::cmp::Reverse;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oci_spec::image::MediaType;
use rayon::prelude::*;

use crate::archive::ArchiveError;
use crate::archive::layer::{self, LayerTree};
use crate::cache::{Cache, CacheError, RecordKey, RecordKind};
use crate::digest::{HashingWriter, Sha256};
use crate::image::{Blob, BlobContent, Layer};
use crate::pipeline::BuildError;
use crate::pipeline::apt::SystemLayer;
use crate::pipeline::image::layers::LayerPlan;
use crate::pipeline::remote_cache::LayerOfWheels;
use crate::report::{Phase, Reporter, RunningPhase};
use crate::settings::LayerCompression;

/// A layer and how it was built.
pub(crate) struct BuiltLayer {
    pub layer: Layer,
    /// What the layer contains, for reports and history entries.
    pub holds: String,
    /// The digests of the wheels whose files it has; empty if it may have other files.
    pub wheels: Vec<Sha256>,
    /// Whether its digests were cached, so that no file had to be read.
    pub was_known: bool,
}

impl BuiltLayer {
    /// Returns the layer with its wheels, if it has nothing but their files.
    pub(super) fn of_wheels(&self) -> Option<LayerOfWheels<'_>> {
        let Self { layer, holds, wheels, .. } = self;
        (!wheels.is_empty()).then_some(LayerOfWheels { layer, holds, wheels })
    }
}

/// Builds layers in parallel; the result is in the order of the plans. Layers that cannot be spliced from wheels are
/// written into `directory`.
///
/// # Errors
/// A file cannot be read, or a layer cannot be written.
pub(super) fn build(
    plans: Vec<LayerPlan>,
    compression: LayerCompression,
    cache: &Cache,
    directory: &Path,
    reporter: &dyn Reporter,
) -> Result<Vec<BuiltLayer>, BuildError> {
    let building = RunningPhase::start(reporter, Phase::Layers, plans.len() as u64);
    let mut queue: Vec<(usize, LayerPlan)> = plans.into_iter().enumerate().collect();
    // The largest first: started last, it alone would decide the total time.
    queue.sort_by_key(|(_, plan)| Reverse(plan.tree.files.size()));
    // `par_bridge` hands them out one by one; splitting the vector would give one thread all the large ones.
    let built = queue.into_iter().par_bridge().map(|(index, plan)| {
        let LayerPlan { holds, wheels, tree, key } = plan;
        let (layer, was_known) = match (compression, key) {
            (LayerCompression::Gzip, Some(key)) => spliced(tree, key, cache)?,
            (LayerCompression::Gzip, None) => (written(&tree, &directory.join(format!("{index}.tar.gz")))?, false),
            (LayerCompression::Zstd, key) => compressed(&tree, key, cache)?,
        };
        building.advance(1);
        Ok((index, BuiltLayer { layer, holds, wheels, was_known }))
    });
    let mut built: Vec<(usize, BuiltLayer)> = built.collect::<Result<_, BuildError>>()?;
    building.finish();
    built.sort_by_key(|(index, _)| *index);
    Ok(built.into_iter().map(|(_, layer)| layer).collect())
}

/// Builds the layers of packages, as [`build`] does.
///
/// # Errors
/// A package in the cache cannot be read.
pub(super) fn of_packages(
    layers: Vec<SystemLayer>,
    compression: LayerCompression,
    cache: &Cache,
) -> Result<Vec<BuiltLayer>, BuildError> {
    let built = layers.into_par_iter().map(|SystemLayer { holds, tree, key }| {
        let (layer, was_known) = match compression {
            LayerCompression::Gzip => spliced(tree, key, cache)?,
            LayerCompression::Zstd => compressed(&tree, Some(key), cache)?,
        };
        Ok(BuiltLayer { layer, holds, wheels: Vec::new(), was_known })
    });
    built.collect()
}

/// Returns a layer that is spliced from wheels each time it is needed: only its digests are computed and cached.
fn spliced(tree: LayerTree, key: Sha256, cache: &Cache) -> Result<(Layer, bool), BuildError> {
    let mut was_known = true;
    let (digest, diff_id, size) = cache.remember(RecordKind::Layer, key, || {
        was_known = false;
        let (mut gzip, mut tar) = (HashingWriter::new(io::sink()), HashingWriter::new(io::sink()));
        layer::gzip_and_tar(&tree, &mut gzip, &mut tar)?;
        let ((_, digest, size), (_, diff_id, _)) = (gzip.finish(), tar.finish());
        Ok::<(Sha256, Sha256, u64), BuildError>((digest, diff_id, size))
    })?;
    let content = BlobContent::Layer(Arc::new(tree));
    let blob = Blob { media_type: MediaType::ImageLayerGzip, digest, size, content };
    Ok((Layer { blob, diff_id }, was_known))
}

/// Returns a layer that is written to a file: deflating it again each time it is needed would be slow.
fn written(tree: &LayerTree, path: &Path) -> Result<Layer, BuildError> {
    let file = File::create(path).map_err(BuildError::temporary(path))?;
    let mut gzip = HashingWriter::new(io::BufWriter::new(file));
    let mut tar = HashingWriter::new(io::sink());
    layer::gzip_and_tar(tree, &mut gzip, &mut tar).map_err(|error| match error {
        ArchiveError::Output(source) => BuildError::temporary(path)(source),
        other => other.into(),
    })?;
    let ((file, digest, size), (_, diff_id, _)) = (gzip.finish(), tar.finish());
    file.into_inner().map_err(|error| BuildError::temporary(path)(error.into_error()))?;
    let content = BlobContent::File { path: path.into(), offset: 0 };
    let blob = Blob { media_type: MediaType::ImageLayerGzip, digest, size, content };
    Ok(Layer { blob, diff_id })
}

/// Returns a layer that is recompressed and kept in the cache, with its digests if it has a key.
fn compressed(tree: &LayerTree, key: Option<Sha256>, cache: &Cache) -> Result<(Layer, bool), BuildError> {
    let mut was_known = key.is_some();
    let ((digest, diff_id, size), path) = match key {
        None => compress(tree, cache)?,
        Some(key) => cache.remember_with(
            RecordKind::Layer,
            RecordKey::new("zstd", &[&key.hex()]),
            |digests: LayerDigests| Ok(cache.blob(digests.0).map(|path| (digests, path))),
            || {
                was_known = false;
                let (digests, path) = compress(tree, cache)?;
                Ok::<_, BuildError>((digests, (digests, path)))
            },
        )?,
    };
    let content = BlobContent::File { path: path.into(), offset: 0 };
    let blob = Blob { media_type: MediaType::ImageLayerZstd, digest, size, content };
    Ok((Layer { blob, diff_id }, was_known))
}

/// The digest of a compressed layer, its diff ID, and its size in bytes.
type LayerDigests = (Sha256, Sha256, u64);

/// Compresses a layer into a blob of the cache.
fn compress(tree: &LayerTree, cache: &Cache) -> Result<(LayerDigests, PathBuf), BuildError> {
    let blob = cache.begin_blob()?;
    let path = blob.path().to_owned();
    let mut output = HashingWriter::new(io::BufWriter::new(blob));
    let diff_id = layer::zstd(tree, &mut output).map_err(|error| match error {
        ArchiveError::Output(source) => CacheError::io("write", &path)(source).into(),
        other => BuildError::from(other),
    })?;
    let (file, digest, size) = output.finish();
    let file = file.into_inner().map_err(|error| CacheError::io("write", &path)(error.into_error()))?;
    Ok(((digest, diff_id, size), cache.keep_blob(file, digest)?))
}
