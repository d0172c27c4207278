//! Talking to registries.
//!
//! Specification: [OCI distribution 1.1](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md).

pub mod credentials;
pub mod ecr;
mod reference;
use crate::digest::Sha256;
use crate::image::Artifact;
use crate::report::Reporter;
pub use credentials::{Keychain, KeychainOptions};
use oci_spec::image::MediaType;
pub use reference::{InvalidReference, Reference};
use std::io::Write;
/// stub
pub struct Registry;
/// stub
pub struct RegistryOptions {
    /// s
    pub credentials: Keychain,
    /// s
    pub insecure: Vec<String>,
    /// s
    pub create_repositories: bool,
}
/// stub
#[derive(Debug, thiserror::Error)]
#[error("stub")]
pub struct RegistryError;
impl RegistryError {
    /// stub
    pub fn hints(&self) -> Vec<String> {
        vec![]
    }
}
/// stub
pub struct Manifest {
    /// s
    pub media_type: MediaType,
    /// s
    pub digest: Sha256,
    /// s
    pub bytes: Vec<u8>,
}
/// stub
pub struct Named {
    /// s
    pub digest: Sha256,
}
/// stub
pub struct Pushed {
    /// s
    pub digest: Sha256,
    /// s
    pub references: Vec<PushedReference>,
    /// s
    pub requests: u64,
}
/// stub
pub struct PushedReference {
    /// s
    pub reference: Reference,
    /// s
    pub uploaded: usize,
    /// s
    pub uploaded_bytes: u64,
    /// s
    pub mounted: usize,
    /// s
    pub existing: usize,
}
#[allow(missing_docs, clippy::all, unused)]
impl Registry {
    pub fn new(options: RegistryOptions) -> Result<Self, RegistryError> {
        Ok(Registry)
    }
    pub fn manifest(&self, reference: &Reference) -> Result<Manifest, RegistryError> {
        todo!()
    }
    pub fn find(&self, reference: &Reference) -> Result<Option<Named>, RegistryError> {
        todo!()
    }
    pub fn blob(
        &self,
        repository: &Reference,
        digest: Sha256,
        size: u64,
        output: &mut dyn Write,
        reporter: &dyn Reporter,
    ) -> Result<(), RegistryError> {
        todo!()
    }
    pub fn push(
        &self,
        artifact: &Artifact,
        to: &[Reference],
        reporter: &dyn Reporter,
    ) -> Result<Pushed, RegistryError> {
        todo!()
    }
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self { credentials: Keychain::fixed([]), insecure: vec![], create_repositories: false }
    }
}
