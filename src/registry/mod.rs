//! A client of registries, which pulls and pushes images.
//!
//! Specification: [OCI distribution 1.1](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md), and
//! Docker's [token authentication](https://distribution.github.io/distribution/spec/auth/token/).
//!
//! No asynchronous code leaves this room: the methods of [`Registry`] block.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::atomic::Ordering;
use std::time::Duration;

use oci_spec::image::MediaType;
use tokio::runtime::Runtime;

use crate::digest::Sha256;
use crate::image::OciArtifact;
use crate::report::{Reporter, Silent};
use crate::retry::RetryPolicy;
use crate::silence::{NetworkTimeout, SilenceLimits};
use client::RegistryClient;
use credentials::Keychain;

pub use crate::aws::AwsError;
pub use error::{RegistryAction, RegistryError};
pub use mirrors::RegistryFiles;
pub use push::{BlobCount, PushSummary, RepositoryPush};
pub use reference::{ImageReference, InvalidReference, ReferenceProblem};
pub(crate) use remote_state::{MountSource, RepositoryEvidence};
pub use request_error::{Identity, RequestError, ServerErrors};

mod attach;
mod attempts;
mod challenge;
mod client;
pub mod credentials;
pub mod ecr;
mod error;
mod manifest_put;
mod mirrors;
mod payload;
mod private_location;
mod pull;
mod push;
mod reference;
mod remote_state;
mod request_error;
mod response;
mod token;
mod upload;

/// The threads that serve connections. One encrypts several hundred megabytes a second.
const THREADS: usize = 2;

/// The options of a [`Registry`].
#[derive(Debug)]
pub struct RegistryOptions {
    /// Registry authentication.
    pub credentials: Keychain,
    /// The registries without TLS, each by its host and port. Registries on loopback need not be listed: they are tried
    /// over plain HTTP first, and over TLS if that fails.
    pub insecure: Vec<String>,
    /// The files with the mirrors that images are pulled from.
    pub files: RegistryFiles,
    /// Whether repositories are created in ECR, which does not create them on push.
    pub create_repositories: bool,
    /// How often and when requests are repeated. Attempts are counted for each blob and manifest.
    pub retry: RetryPolicy,
    /// The number of concurrent uploads, at least one.
    pub concurrency: usize,
    /// The limit for establishing a connection.
    pub connect_timeout: Duration,
    /// How long registries may be silent. A whole blob has no limit.
    pub silence: SilenceLimits,
}

impl RegistryOptions {
    /// Returns the default options with these credentials.
    pub fn new(credentials: Keychain) -> Self {
        Self {
            credentials,
            insecure: Vec::new(),
            files: RegistryFiles::default(),
            create_repositories: false,
            retry: RetryPolicy::default(),
            concurrency: 6,
            connect_timeout: Duration::from_secs(10),
            silence: SilenceLimits::of_registry(NetworkTimeout::default()),
        }
    }
}

/// A manifest or an index in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteManifest {
    /// The media type.
    pub media_type: MediaType,
    /// The digest of the bytes.
    pub digest: Sha256,
    /// The bytes, at most 4 MiB.
    pub bytes: Vec<u8>,
}

/// The descriptor of a manifest or an index in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteDescriptor {
    /// The media type.
    pub media_type: MediaType,
    /// The digest.
    pub digest: Sha256,
    /// The size in bytes.
    pub size: u64,
}

/// A client of any number of registries, with a cache of connections and tokens.
///
/// Its methods block: do not call them from asynchronous code.
pub struct Registry<'a> {
    runtime: Runtime,
    client: RegistryClient,
    reporter: &'a dyn Reporter,
}

impl Registry<'static> {
    /// Creates a client. Connections are established when they are needed.
    ///
    /// # Errors
    /// Threads cannot be started, or the system's certificates, the proxy's settings or the files with mirrors are invalid.
    pub fn new(options: RegistryOptions) -> Result<Self, RegistryError> {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(THREADS).enable_all().build().map_err(RegistryError::Start)?;
        Ok(Self { runtime, client: RegistryClient::new(options)?, reporter: &Silent })
    }
}

impl Registry<'_> {
    /// Tells of registries that do not answer.
    pub fn with_reporter(self, reporter: &dyn Reporter) -> Registry<'_> {
        Registry { runtime: self.runtime, client: self.client, reporter }
    }

    /// Runs requests, and waits for them.
    fn block_on<T>(&self, run: impl Future<Output = T>) -> T {
        self.runtime.block_on(self.client.watch().attend(self.client.options().silence, self.reporter, run))
    }

    /// Returns a manifest or an index by its digest, or else by its tag, and verifies it.
    ///
    /// # Errors
    /// It does not exist, access is denied, or it is larger than 4 MiB or damaged.
    pub fn manifest(&self, reference: &ImageReference) -> Result<RemoteManifest, RegistryError> {
        self.block_on(pull::manifest(&self.client, reference))
    }

    /// Returns the descriptor of the manifest that a reference points to, or `None` if it does not exist.
    ///
    /// # Errors
    /// The registry cannot be reached, or access is denied.
    pub fn find(&self, reference: &ImageReference) -> Result<Option<RemoteDescriptor>, RegistryError> {
        self.block_on(pull::find_pulled(&self.client, reference))
    }

    /// Returns a manifest or an index of a repository that is to be pushed to, or `None` if there is none: one that is denied
    /// or malformed counts as missing.
    ///
    /// # Errors
    /// The registry cannot be reached.
    pub(crate) fn survey(&self, reference: &ImageReference) -> Result<Option<RemoteManifest>, RegistryError> {
        self.block_on(remote_state::survey(&self.client, reference))
    }

    /// Writes a blob of a repository to `output`, and verifies its size and digest. After an error, the output is
    /// incomplete or wrong.
    ///
    /// Progress is reported in [`Phase::Pull`](crate::report::Phase::Pull), which the caller starts and finishes.
    ///
    /// # Errors
    /// It does not exist, access is denied, the digest does not match, or `output` fails.
    pub fn blob(
        &self,
        repository: &ImageReference,
        digest: Sha256,
        size: u64,
        output: &mut dyn Write,
        reporter: &dyn Reporter,
    ) -> Result<(), RegistryError> {
        self.block_on(pull::blob(&self.client, repository, (digest, size), output, reporter))
    }

    /// Pushes an artifact to all references, each blob once per repository. Tags are created last; then the referrers of
    /// the artifact are attached.
    ///
    /// # Errors
    /// Something cannot be read or sent, or an immutable tag points to another manifest. No reference then points to an
    /// incomplete artifact. After [`RegistryError::Attach`] the artifact itself is complete.
    pub fn push(
        &self,
        artifact: &OciArtifact,
        to: &[ImageReference],
        reporter: &dyn Reporter,
    ) -> Result<PushSummary, RegistryError> {
        self.push_known(artifact, to, &RepositoryEvidence::default(), reporter)
    }

    /// As [`push`](Self::push), to a first repository of which something is known.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub(crate) fn push_known(
        &self,
        artifact: &OciArtifact,
        to: &[ImageReference],
        known: &RepositoryEvidence,
        reporter: &dyn Reporter,
    ) -> Result<PushSummary, RegistryError> {
        let pushed = self.block_on(push::push(&self.client, artifact, (to, known), reporter))?;
        let registries: BTreeSet<&str> = to.iter().map(ImageReference::registry).collect();
        for registry in registries.into_iter().filter(|registry| ecr::is_ecr(registry).is_some()) {
            if self.client.host(registry).refused_mount.load(Ordering::Relaxed) {
                // Off by default: https://docs.aws.amazon.com/AmazonECR/latest/userguide/blob-mounting.html
                reporter.warn(&format!(
                    "{registry} did not mount layers of its other repositories, so they were sent: to let it mount them, run \
                     `aws ecr put-account-setting --name BLOB_MOUNTING --value ENABLED`"
                ));
            }
        }
        Ok(pushed)
    }
}
