//! The Python interpreter of a base image.
//!
//! Specification of layers: [OCI image layer filesystem changeset](https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md).

use std::io::{self, Read};

use oci_spec::image::MediaType;

use super::Base;
use crate::target::PythonVersion;

/// An interpreter in an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Python {
    /// The minor version.
    pub version: PythonVersion,
    /// The full version, for instance 3.12.7, where the base states it.
    pub full_version: Option<String>,
    /// The path, for instance `/usr/local/bin/python3.12`.
    pub path: String,
}

/// Why a base has no interpreter for an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PythonError {
    /// There is no interpreter.
    #[error("the base has no Python: none of its layers has a file python3.N in a folder `bin`")]
    Absent,
    /// There are other versions only.
    #[error("the base has Python {}, the target is Python {wanted}", listed(.found))]
    Mismatch {
        /// The target's version.
        wanted: PythonVersion,
        /// The interpreters that there are.
        found: Vec<Python>,
    },
    /// There are several interpreters of the version, and none of them is on `PATH`.
    #[error("the base has Python {wanted} more than once, and none of them on its PATH: {}", paths(.found))]
    Ambiguous {
        /// The target's version.
        wanted: PythonVersion,
        /// The interpreters.
        found: Vec<Python>,
    },
}

/// Returns the interpreter of one of Docker's official Python images, or of an image that was made from one, by its
/// configuration alone.
pub fn from_config(base: &Base) -> Option<Python> {
    let _ = base;
    todo!()
}

/// The search for interpreters through the layers of an image, from the highest to the lowest.
#[derive(Debug, Clone, Default)]
pub struct Search {
    found: Vec<Python>,
}

impl Search {
    /// Looks through one layer, which lies below those that were looked through before, and notes its interpreters but
    /// for those that higher layers hide.
    ///
    /// # Errors
    /// The layer cannot be read, or is no tar archive of its media type.
    pub fn in_layer(&mut self, media_type: &MediaType, reader: impl Read) -> io::Result<()> {
        let _ = (media_type, reader);
        todo!()
    }

    /// Returns the interpreters found so far, ordered by path.
    pub fn found(&self) -> &[Python] {
        &self.found
    }
}

/// Chooses the interpreter of the wanted version that `PATH` finds first, else the only one of that version.
///
/// # Errors
/// There is none, none of that version, or several that `PATH` does not tell apart.
pub fn choose(found: &[Python], path: Option<&str>, wanted: PythonVersion) -> Result<Python, PythonError> {
    let _ = (found, path, wanted);
    todo!()
}

fn listed(found: &[Python]) -> String {
    let versions: std::collections::BTreeSet<_> = found.iter().map(|python| python.version.to_string()).collect();
    Vec::from_iter(versions).join(", ")
}

fn paths(found: &[Python]) -> String {
    found.iter().map(|python| python.path.as_str()).collect::<Vec<_>>().join(", ")
}
