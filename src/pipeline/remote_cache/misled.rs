//! Builds that fail because a record is wrong.

use std::error::Error;
use std::io;
use std::sync::Arc;

use crate::image::BlobError;
use crate::pipeline::BuildError;
use crate::tree::MisstatedFile;

/// Tells whether a build failed because the remote cache is wrong.
pub(crate) fn is_misled(error: &BuildError) -> bool {
    let mut causes = std::iter::successors(Some(error as &(dyn Error + 'static)), |error| (*error).source());
    causes.any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(is_misstated)
            || matches!(cause.downcast_ref(), Some(BlobError::Damaged { file: None, .. }))
    })
}

/// Tells whether an error is, or is about an error that is, that a wheel is not what a record says.
pub(super) fn is_misstated(error: &io::Error) -> bool {
    let Some(inner) = error.get_ref() else { return false };
    inner.is::<MisstatedFile>()
        || inner.downcast_ref::<Arc<io::Error>>().is_some_and(|inner| is_misstated(inner))
        || inner.downcast_ref::<io::Error>().is_some_and(is_misstated)
}
