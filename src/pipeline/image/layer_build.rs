//! Builds layers: their bytes, or only their digests where they can be spliced from wheels at any time.

use std::cmp::Reverse;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use oci_spec::image::MediaType;
use rayon::prelude::*;

use crate::archive::layer::{self, LayerTree};
use crate::cache::{Cache, Note};
use crate::digest::{HashingWriter, Sha256};
use crate::image::{Blob, BlobContent, Layer};
use crate::pipeline::BuildError;
use crate::pipeline::image::layers::LayerPlan;
use crate::report::{Phase, Reporter};
use crate::settings::LayerCompression;

/// A layer and how it was built.
pub struct BuiltLayer {
    pub layer: Layer,
    /// What the layer contains, for reports and history entries.
    pub holds: String,
    /// Whether its digests were cached, so that no file had to be read.
    pub was_known: bool,
}

/// Builds layers in parallel; the result is in the order of the plans. Layers that cannot be spliced from wheels are
/// written into `folder`.
///
/// # Errors
/// A file cannot be read, or a layer cannot be written.
pub fn build(
    plans: Vec<LayerPlan>,
    compression: LayerCompression,
    cache: &Cache,
    folder: &Path,
    reporter: &dyn Reporter,
) -> Result<Vec<BuiltLayer>, BuildError> {
    reporter.start(Phase::Layers, plans.len() as u64);
    let make = |(index, plan): (usize, LayerPlan)| {
        let LayerPlan { holds, tree, key } = plan;
        let (layer, was_known) = match (compression, key) {
            (LayerCompression::Gzip, Some(key)) => spliced(tree, key, cache)?,
            (LayerCompression::Gzip, None) => (written(&tree, &folder.join(format!("{index}.tar.gz")))?, false),
            (LayerCompression::Zstd, key) => compressed(&tree, key, cache)?,
        };
        reporter.advance(Phase::Layers, 1);
        Ok((index, BuiltLayer { layer, holds, was_known }))
    };
    let mut queue: Vec<(usize, LayerPlan)> = plans.into_iter().enumerate().collect();
    // The largest first: started last, it alone would decide the total time.
    queue.sort_by_key(|(_, plan)| Reverse(plan.tree.files.size()));
    // `par_bridge` hands them out one by one; splitting the vector would give one thread all the large ones.
    let made: Result<Vec<(usize, BuiltLayer)>, BuildError> = queue.into_iter().par_bridge().map(make).collect();
    reporter.finish(Phase::Layers);
    let mut made = made?;
    made.sort_by_key(|(index, _)| *index);
    Ok(made.into_iter().map(|(_, made)| made).collect())
}

/// Returns a layer that is spliced from wheels each time it is needed: only its digests are computed and cached.
fn spliced(tree: LayerTree, key: Sha256, cache: &Cache) -> Result<(Layer, bool), BuildError> {
    let known: Option<(Sha256, Sha256, u64)> = cache.note(Note::Layer, key);
    let (digest, diff_id, size) = match known {
        Some(known) => known,
        None => {
            let (mut gzip, mut tar) = (HashingWriter::new(io::sink()), HashingWriter::new(io::sink()));
            layer::gzip_and_tar(&tree, &mut gzip, &mut tar)?;
            let ((_, digest, size), (_, diff_id, _)) = (gzip.finish(), tar.finish());
            cache.keep_note(Note::Layer, key, &(digest, diff_id, size))?;
            (digest, diff_id, size)
        }
    };
    let content = BlobContent::Layer(Arc::new(tree));
    let blob = Blob { media_type: MediaType::ImageLayerGzip, digest, size, content };
    Ok((Layer { blob, diff_id }, known.is_some()))
}

/// Returns a layer that is written to a file: deflating it again each time it is needed would be slow.
fn written(tree: &LayerTree, path: &Path) -> Result<Layer, BuildError> {
    let file = File::create(path).map_err(BuildError::Temporary)?;
    let mut gzip = HashingWriter::new(io::BufWriter::new(file));
    let mut tar = HashingWriter::new(io::sink());
    layer::gzip_and_tar(tree, &mut gzip, &mut tar)?;
    let ((file, digest, size), (_, diff_id, _)) = (gzip.finish(), tar.finish());
    file.into_inner().map_err(|error| BuildError::Temporary(error.into_error()))?;
    let content = BlobContent::File { path: path.into(), offset: 0 };
    let blob = Blob { media_type: MediaType::ImageLayerGzip, digest, size, content };
    Ok(Layer { blob, diff_id })
}

/// Returns a layer that is recompressed and kept in the cache, with its digests if it has a key.
fn compressed(tree: &LayerTree, key: Option<Sha256>, cache: &Cache) -> Result<(Layer, bool), BuildError> {
    let key = key.map(|key| Sha256::of(format!("zstd\n{}", key.hex()).as_bytes()));
    let known = key.and_then(|key| cache.note::<(Sha256, Sha256, u64)>(Note::Layer, key));
    let here = known.and_then(|(digest, diff_id, size)| Some((digest, diff_id, size, cache.blob(digest)?)));
    let was_known = here.is_some();
    let (digest, diff_id, size, path) = match here {
        Some(here) => here,
        None => {
            let mut output = HashingWriter::new(io::BufWriter::new(cache.begin_blob()?));
            let diff_id = layer::zstd(tree, &mut output)?;
            let (file, digest, size) = output.finish();
            let failed = |error: io::IntoInnerError<_>| BuildError::Temporary(error.into_error());
            let path = cache.keep_blob(file.into_inner().map_err(failed)?, digest)?;
            if let Some(key) = key {
                cache.keep_note(Note::Layer, key, &(digest, diff_id, size))?;
            }
            (digest, diff_id, size, path)
        }
    };
    let content = BlobContent::File { path: path.into(), offset: 0 };
    let blob = Blob { media_type: MediaType::ImageLayerZstd, digest, size, content };
    Ok((Layer { blob, diff_id }, was_known))
}
