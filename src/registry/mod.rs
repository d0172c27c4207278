//! Talking to registries: images are pulled from them and pushed to them.
//!
//! Specification: [OCI distribution 1.1](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md), and
//! Docker's [token authentication](https://distribution.github.io/distribution/spec/auth/token/).
//!
//! All that is asynchronous stays in here: the methods of [`Registry`] block.

use std::io::Write;
use std::time::Duration;

use oci_spec::image::MediaType;
use tokio::runtime::Runtime;

use crate::digest::Sha256;
use crate::image::OciArtifact;
use crate::report::Reporter;
use crate::retry::RetryPolicy;
use client::Client;
use credentials::Keychain;

pub use error::{Action, RegistryError};
pub use fault::{Fault, Identity, ServerErrors};
pub use push::{Pushed, RepositoryPush, Tally};
pub use reference::{InvalidReference, Reference, ReferenceFault};

mod answer;
mod attach;
mod attempts;
mod challenge;
mod client;
pub mod credentials;
pub mod ecr;
mod error;
mod fault;
mod payload;
mod pull;
mod push;
mod reference;
mod survey;
mod token;
mod upload;

/// The threads that serve connections. One encrypts several hundred megabytes a second.
const THREADS: usize = 2;

/// How to talk to registries.
#[derive(Debug)]
pub struct RegistryOptions {
    /// Who logs in where.
    pub credentials: Keychain,
    /// The registries that are asked by plain HTTP, each by its host with its port. A registry on loopback is asked by
    /// plain HTTP without being named, and by TLS where it wants that.
    pub insecure: Vec<String>,
    /// Whether a repository that does not exist is created, where the registry does not do so itself: in ECR.
    pub create_repositories: bool,
    /// What is tried again, and when. Each blob and each manifest has its own attempts.
    pub retry: RetryPolicy,
    /// How many blobs are sent at once; at least one.
    pub concurrency: usize,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long nothing may happen on a connection. There is no limit for a whole blob.
    pub read_timeout: Duration,
}

impl RegistryOptions {
    /// Returns the usual options with some credentials.
    pub fn new(credentials: Keychain) -> Self {
        Self {
            credentials,
            insecure: Vec::new(),
            create_repositories: false,
            retry: RetryPolicy::default(),
            concurrency: 6,
            connect_timeout: Duration::from_secs(10),
            // A registry may take its time to store a large blob before it answers.
            read_timeout: Duration::from_secs(90),
        }
    }
}

/// A manifest or an index, as a registry holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The media type.
    pub media_type: MediaType,
    /// The digest of the bytes.
    pub digest: Sha256,
    /// The bytes, at most 4 MiB.
    pub bytes: Vec<u8>,
}

/// What a registry tells of a manifest or an index, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// The media type.
    pub media_type: MediaType,
    /// The digest.
    pub digest: Sha256,
    /// The size in bytes.
    pub size: u64,
}

/// A client of registries: of as many as the references name. Connections and tokens are kept while it lives.
///
/// Its methods block: they are for a thread of the program's own, never for one that runs asynchronous code.
pub struct Registry {
    runtime: Runtime,
    client: Client,
}

impl Registry {
    /// Makes one. Nothing is connected before it is needed.
    ///
    /// # Errors
    /// The system gives no threads, or its certificates or its proxy's settings cannot be used.
    pub fn new(options: RegistryOptions) -> Result<Self, RegistryError> {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(THREADS).enable_all().build().map_err(RegistryError::Start)?;
        Ok(Self { runtime, client: Client::new(options)? })
    }

    /// Returns a manifest or an index, by its digest or else by its tag, and verified.
    ///
    /// # Errors
    /// There is none, it may not be read, or it is larger than 4 MiB or damaged.
    pub fn manifest(&self, reference: &Reference) -> Result<Manifest, RegistryError> {
        self.runtime.block_on(pull::manifest(&self.client, reference))
    }

    /// Returns what a reference names, or nothing if there is no such manifest.
    ///
    /// # Errors
    /// The registry cannot be asked, or refuses.
    pub fn find(&self, reference: &Reference) -> Result<Option<Descriptor>, RegistryError> {
        self.runtime.block_on(pull::find(&self.client, reference))
    }

    /// Writes a blob of a repository to `output`, and compares it with its size and digest. What was written before an
    /// error is of no use.
    ///
    /// `reporter` is told of bytes of [`Phase::Pull`](crate::report::Phase::Pull); the caller starts and finishes the
    /// phase, for one blob or several.
    ///
    /// # Errors
    /// There is none, it may not be read, it is not what the digest says, or `output` fails.
    pub fn blob(
        &self,
        repository: &Reference,
        digest: Sha256,
        size: u64,
        output: &mut dyn Write,
        reporter: &dyn Reporter,
    ) -> Result<(), RegistryError> {
        self.runtime.block_on(pull::blob(&self.client, repository, (digest, size), output, reporter))
    }

    /// Sends an artifact to where the references say, each blob once for a repository. A tag comes into being last; then
    /// what refers to the artifact is attached to it.
    ///
    /// # Errors
    /// Something cannot be read or sent, or a tag that is immutable names something else. No reference then names a
    /// manifest whose parts are missing. [`RegistryError::Attach`] says that the artifact itself is there.
    pub fn push(
        &self,
        artifact: &OciArtifact,
        to: &[Reference],
        reporter: &dyn Reporter,
    ) -> Result<Pushed, RegistryError> {
        self.runtime.block_on(push::push(&self.client, artifact, to, reporter))
    }
}
