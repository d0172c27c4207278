//! AWS credentials and signed requests.
//!
//! [`AwsClient::credentials`] follows AWS's
//! [standard credential chain](https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html), so that
//! what works for the AWS command line works here:
//!
//! 1. `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`;
//! 2. the profile `AWS_PROFILE` or `default` in `~/.aws/config` and `~/.aws/credentials`: access keys, assumed roles with
//!    `source_profile` or `credential_source`, `web_identity_token_file`, IAM Identity Center (SSO), `credential_process`;
//! 3. the web identity token of `AWS_WEB_IDENTITY_TOKEN_FILE`, as in EKS and in CI systems with OpenID Connect;
//! 4. the credentials endpoint of a container, in ECS and in EKS Pod Identity;
//! 5. the metadata of an EC2 instance, version 2.
//!
//! As in AWS's SDKs, a source that is configured and fails ends the search: another source would be another identity, whose
//! missing permissions say less about the cause.
//!
//! AWS's SDK for Rust would do the same with 46 more crates (aws-config 1.13, aws-sdk-ecr 1.138). `reqsign-aws-core` 3.2 is no
//! substitute: its chain ignores `role_arn`, `credential_source` and `sso_session` in profiles, splits
//! `credential_process` at spaces without regard to quotes, and continues with the next source after an error.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Request, StatusCode};

use crate::hints::Hints;
use crate::http::{self, authority, is_loopback};
use crate::redact::{Secret, one_line};
use crate::retry::RetryPolicy;
use config::SharedConfig;
use profile::{CredentialSource, resolve};
use sts::WebIdentityRole;

mod config;
mod endpoint;
mod metadata;
mod process;
mod profile;
mod response;
mod s3;
mod session;
mod sigv4;
mod sso;
mod sts;

pub(crate) use endpoint::{AwsService, EndpointVariant};
pub(crate) use response::{AwsResponse, ResponseLimit, xml_element};
pub(crate) use s3::{CopiedStart, ObjectFile, PutCondition, S3Action, S3Bucket, S3Error, S3Patience};
use session::LoadedCredentials;
pub(crate) use session::{AwsSession, configured_region};
pub(crate) use sigv4::{RESERVED, sign};

/// The limit for all sources together: a `credential_process` may ask the user for a code.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(60);

/// The limit for establishing a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The limit for one attempt at a request.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// The limit for all attempts at a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Two more attempts, as in the standard retry mode of AWS's SDKs.
const RETRY: RetryPolicy =
    RetryPolicy { limit: 2, first_pause: Duration::from_millis(500), longest_pause: Duration::from_secs(5) };

/// The variables `AWS_*`, of which none is empty, and the home directory.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AwsEnvironment {
    variables: BTreeMap<String, String>,
    home: Option<PathBuf>,
    loaded: LoadedCredentials,
}

impl fmt::Debug for AwsEnvironment {
    /// Shows no value: there may be secrets among them.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AwsEnvironment").finish_non_exhaustive()
    }
}

impl AwsEnvironment {
    pub(crate) fn new(variables: &BTreeMap<String, String>, home: Option<&Path>) -> Self {
        let variables = variables.iter().filter(|(name, _)| name.starts_with("AWS_"));
        let variables = variables.map(|(name, value)| (name.clone(), value.clone()));
        Self { variables: variables.collect(), home: home.map(Path::to_owned), loaded: LoadedCredentials::default() }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    fn profile(&self) -> &str {
        self.variable("AWS_PROFILE").unwrap_or(profile::DEFAULT)
    }
}

/// An access key, with the session token of temporary credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AwsCredentials {
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Option<Secret>,
}

/// Why AWS credentials cannot be loaded. No message contains a secret.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// A configuration file, a token file or a cached token cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A configuration file is malformed.
    #[error("{}:{line}: {reason}", path.display())]
    InvalidConfig {
        /// The file.
        path: PathBuf,
        /// The line, from 1 on.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// `AWS_PROFILE` is the name of no profile.
    #[error("the AWS profile `{name}` does not exist")]
    MissingProfile {
        /// The name.
        name: String,
        /// The names of the profiles in AWS's files, in alphabetical order.
        known: Vec<String>,
    },
    /// A profile cannot be used.
    #[error("the AWS profile `{profile}` {reason}")]
    InvalidProfile {
        /// The profile.
        profile: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The session of IAM Identity Center is missing, or it expired and cannot be refreshed.
    #[error("the SSO session of the AWS profile `{profile}` {reason}")]
    SsoSession {
        /// The profile.
        profile: String,
        /// What is wrong with the session.
        reason: &'static str,
    },
    /// A `credential_process` cannot be started.
    #[error("cannot run the credential_process of the AWS profile `{profile}`")]
    RunProcess {
        /// The profile.
        profile: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A `credential_process` failed.
    #[error("the credential_process of the AWS profile `{profile}` failed ({status}): {message}")]
    ProcessFailed {
        /// The profile.
        profile: String,
        /// How it ended.
        status: ExitStatus,
        /// Its standard error, as one line.
        message: String,
    },
    /// The container's credentials endpoint may not be used.
    #[error(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI is `{0}`, expected https, a loopback address, or the address of ECS or EKS"
    )]
    InvalidContainerUri(String),
    /// The URL of an endpoint cannot be parsed.
    #[error("`{0}` is not a valid endpoint URL")]
    InvalidEndpoint(String),
    /// A request cannot be built or sent.
    #[error("cannot reach {service}")]
    Transport {
        /// The service.
        service: &'static str,
        /// The reason, without the URL.
        #[source]
        source: reqwest::Error,
    },
    /// No source returned credentials in time, or a service did not answer.
    #[error("{service} did not respond within {} seconds", limit.as_secs())]
    TimedOut {
        /// The service.
        service: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// A service responded with an error.
    #[error("{service} returned {status}: {message}")]
    Service {
        /// The service.
        service: &'static str,
        /// The HTTP status.
        status: StatusCode,
        /// Its code and message, as one line.
        message: String,
    },
    /// A response is larger than it should be.
    #[error("the response of {service} has more than {limit} bytes")]
    LargeResponse {
        /// The service.
        service: &'static str,
        /// The limit.
        limit: u64,
    },
    /// A response lacks what it should contain.
    #[error("the response of {0} contains no valid credentials")]
    InvalidResponse(&'static str),
}

impl AwsError {
    /// Tells whether a request certainly did not reach the service.
    pub(crate) fn is_unsent(&self) -> bool {
        matches!(self, Self::Transport { source, .. } if source.is_connect() || source.is_builder())
    }
}

impl Hints for AwsError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::SsoSession { profile, .. } => vec![format!("log in with `aws sso login --profile {profile}`")],
            Self::MissingProfile { name, known } => {
                let define = format!("define `[profile {name}]` in AWS's configuration file");
                let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
                vec![match &known[..] {
                    [] => define,
                    _ => format!("set AWS_PROFILE to one of {}, or {define}", known.join(", ")),
                }]
            }
            _ => Vec::new(),
        }
    }
}

/// Finds credentials, and sends requests to AWS's services in one region.
#[derive(Clone)]
pub(crate) struct AwsClient<'a> {
    environment: &'a AwsEnvironment,
    region: String,
    /// With the system's proxy, and without. Not shared with other clients: connections belong to a tokio runtime.
    http: OnceLock<[reqwest::Client; 2]>,
}

impl<'a> AwsClient<'a> {
    pub(crate) fn new(environment: &'a AwsEnvironment, region: &str) -> Self {
        Self { environment, region: region.to_owned(), http: OnceLock::new() }
    }

    /// Returns the credentials of the first source that is configured, or `None` if there is no such source.
    ///
    /// # Errors
    /// A source is configured, but fails or does not respond in time.
    pub(crate) async fn credentials(&self) -> Result<Option<AwsCredentials>, AwsError> {
        tokio::time::timeout(CREDENTIALS_TIMEOUT, self.first_credentials())
            .await
            .unwrap_or(Err(AwsError::TimedOut { service: "the source of AWS credentials", limit: CREDENTIALS_TIMEOUT }))
    }

    async fn first_credentials(&self) -> Result<Option<AwsCredentials>, AwsError> {
        if let Some(credentials) = self.environment_credentials() {
            return Ok(Some(credentials));
        }
        let config = SharedConfig::read(self.environment).await?;
        let profile = self.environment.profile();
        if let Some(chain) = resolve(&config, profile)? {
            let mut credentials = self.source_credentials(profile, chain.source).await?;
            for role in &chain.roles {
                credentials = self.assume_role(role, &credentials).await?;
            }
            return Ok(Some(credentials));
        }
        if let Some(role) = WebIdentityRole::of_environment(self.environment) {
            return self.assume_role_with_web_identity(&role).await.map(Some);
        }
        if let Some(credentials) = self.container_credentials().await? {
            return Ok(Some(credentials));
        }
        if let Some(credentials) = self.instance_credentials(&config).await? {
            return Ok(Some(credentials));
        }
        // Last, as in AWS's SDK for Rust: a container's or an instance's role serves a profile that does not exist, too.
        match self.environment.variable("AWS_PROFILE").filter(|name| config.profile(name).is_none()) {
            Some(name) => Err(AwsError::MissingProfile { name: name.to_owned(), known: config.profile_names() }),
            None => Ok(None),
        }
    }

    fn environment_credentials(&self) -> Option<AwsCredentials> {
        Some(AwsCredentials {
            access_key_id: self.environment.variable("AWS_ACCESS_KEY_ID")?.to_owned(),
            secret_access_key: self.environment.variable("AWS_SECRET_ACCESS_KEY")?.to_owned().into(),
            session_token: self.environment.variable("AWS_SESSION_TOKEN").map(|token| token.to_owned().into()),
        })
    }

    async fn source_credentials(
        &self,
        profile: &str,
        source: CredentialSource<'_>,
    ) -> Result<AwsCredentials, AwsError> {
        let (credentials, name) = match source {
            CredentialSource::AccessKey(credentials) => return Ok(credentials),
            CredentialSource::WebIdentity(role) => return self.assume_role_with_web_identity(&role).await,
            CredentialSource::Sso(sso) => return self.sso_credentials(&sso).await,
            CredentialSource::Process { profile, command } => return process::run(profile, command).await,
            CredentialSource::Environment => (self.environment_credentials(), "Environment"),
            CredentialSource::EcsContainer => (self.container_credentials().await?, "EcsContainer"),
            CredentialSource::Ec2InstanceMetadata => {
                let config = SharedConfig::read(self.environment).await?;
                (self.instance_credentials(&config).await?, "Ec2InstanceMetadata")
            }
        };
        credentials.ok_or_else(|| AwsError::InvalidProfile {
            profile: profile.to_owned(),
            reason: format!("has `credential_source = {name}`, which has no credentials"),
        })
    }

    /// Sends a request, again after failures that may pass.
    pub(crate) async fn send(&self, service: &'static str, request: Request) -> Result<AwsResponse, AwsError> {
        let attempts = async {
            let mut failures = 0;
            loop {
                // The body is in memory, so there is always a copy.
                let copy = request.try_clone();
                let result = match copy {
                    Some(copy) => self.send_once(service, copy, ResponseLimit::new(ATTEMPT_TIMEOUT)).await,
                    None => return Err(AwsError::TimedOut { service, limit: Duration::ZERO }),
                };
                let is_final = match &result {
                    Ok(response) => !response.is_transient(),
                    Err(AwsError::Transport { source, .. }) => source.is_builder(),
                    Err(_) => false,
                };
                failures += 1;
                if is_final || failures > RETRY.limit {
                    return result;
                }
                tokio::time::sleep(RETRY.pause(failures, None)).await;
            }
        };
        tokio::time::timeout(REQUEST_TIMEOUT, attempts)
            .await
            .unwrap_or(Err(AwsError::TimedOut { service, limit: REQUEST_TIMEOUT }))
    }

    /// Sends a request once.
    async fn send_once(
        &self,
        service: &'static str,
        request: Request,
        limit: ResponseLimit,
    ) -> Result<AwsResponse, AwsError> {
        let [proxied, direct] = self.http(service)?;
        let client = if is_local(request.url()) { direct } else { proxied };
        tokio::time::timeout(limit.time, exchange(service, client, request, limit.bytes))
            .await
            .unwrap_or(Err(AwsError::TimedOut { service, limit: limit.time }))
    }

    fn http(&self, service: &'static str) -> Result<&[reqwest::Client; 2], AwsError> {
        if let Some(clients) = self.http.get() {
            return Ok(clients);
        }
        let proxied = http_client().build().map_err(|source| transport(service, source))?;
        let direct = http_client().no_proxy().build().map_err(|source| transport(service, source))?;
        Ok(self.http.get_or_init(|| [proxied, direct]))
    }
}

/// Starts to build an HTTP client. AWS does not redirect.
fn http_client() -> reqwest::ClientBuilder {
    http::client(CONNECT_TIMEOUT).redirect(Policy::none())
}

async fn exchange(
    service: &'static str,
    client: &reqwest::Client,
    request: Request,
    limit: u64,
) -> Result<AwsResponse, AwsError> {
    let mut response = client.execute(request).await.map_err(|source| transport(service, source))?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|source| transport(service, source))? {
        body.extend_from_slice(&chunk);
        if body.len() as u64 > limit {
            return Err(AwsError::LargeResponse { service, limit });
        }
    }
    Ok(AwsResponse { status: response.status(), headers: std::mem::take(response.headers_mut()), body })
}

fn transport(service: &'static str, source: reqwest::Error) -> AwsError {
    // Without the URL, which may contain what is secret in a container's configuration.
    AwsError::Transport { service, source: source.without_url() }
}

/// Tells whether no proxy is used for an address: it cannot reach this machine itself and the metadata services, which are
/// link-local, and is not to be used for the hosts in `NO_PROXY`.
fn is_local(url: &url::Url) -> bool {
    let is_metadata = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_link_local(),
        Some(url::Host::Ipv6(address)) => address.segments()[..2] == [0xfd00, 0xec2],
        _ => false,
    };
    is_metadata || is_loopback(&authority(url)) || http::is_direct(url)
}

/// Returns the first line of a service's message, as one bounded line. Later lines may quote the signed request.
pub(crate) fn first_line(message: &str) -> String {
    one_line(message.lines().next().unwrap_or_default())
}
