use super::{Choice, FileError, Source};
use crate::image::Artifact;

pub(super) fn read(_source: &Source, _choice: Option<&Choice>) -> Result<Artifact, FileError> {
    todo!()
}
