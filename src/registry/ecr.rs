//! Amazon's private registries (ECR): whom they let in, and the creation of repositories.
//!
//! API: [GetAuthorizationToken](https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html)
//! and [CreateRepository](https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html).
//!
//! AWS's credentials come from the default chain of its SDK, which reads the environment of the process, `~/.aws`, and
//! the metadata of containers and virtual machines by itself: what works for the AWS command line works here.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::time::{Duration, SystemTime};

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, imds};
use aws_credential_types::provider::ProvideCredentials as _;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ecr::Client;
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecr::types::AuthorizationData;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::sync::Mutex;

use super::credentials::{Login, one_line};
use crate::hints::Hints;

/// How long a virtual machine's metadata are waited for. Where there are none, nobody answers.
const METADATA_TIMEOUT: Duration = Duration::from_secs(1);

/// How long AWS's credentials are waited for: a program may ask the user for a code.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(60);

/// How long one request to ECR may take, and how long all of its attempts.
const REQUEST_TIMEOUTS: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(30)];

/// How long before its end a token is no longer given out.
const LEEWAY: Duration = Duration::from_secs(15 * 60);

/// The ends of the names of registries in AWS's partitions, with and without support for IPv6.
const SUFFIXES: [&str; 9] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "on.aws",
    "on.amazonwebservices.com.cn",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
];

/// A private registry: every account has one in every region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EcrRegistry {
    host: String,
    /// The account: twelve digits.
    pub account: String,
    /// The region, for instance `eu-west-1`.
    pub region: String,
    /// Whether the name is one of the endpoints for FIPS 140.
    pub fips: bool,
    /// Whether the name is one of the endpoints that have IPv6, too.
    pub dual_stack: bool,
}

impl fmt::Display for EcrRegistry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.host)
    }
}

/// Returns the private registry that a registry's host names, such as `123456789012.dkr.ecr.eu-west-1.amazonaws.com`
/// or `123456789012.dkr-ecr.eu-west-1.on.aws`.
///
/// `public.ecr.aws` is none: everybody may pull from it, and who pushes to it logs in with a token of another service.
pub fn is_ecr(registry: &str) -> Option<EcrRegistry> {
    let host = registry.to_ascii_lowercase();
    let (account, rest) = host.split_once('.')?;
    let (service, rest) = ["dkr.ecr-fips.", "dkr.ecr.", "dkr-ecr-fips.", "dkr-ecr."]
        .into_iter()
        .find_map(|service| Some((service, rest.strip_prefix(service)?)))?;
    let (region, suffix) = rest.split_once('.')?;
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let is_region = !region.is_empty() && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (is_account && is_region && SUFFIXES.contains(&suffix)).then(|| EcrRegistry {
        account: account.to_owned(),
        region: region.to_owned(),
        fips: service.contains("fips"),
        dual_stack: service.starts_with("dkr-"),
        host: host.clone(),
    })
}

/// Why ECR could not be used.
#[derive(Debug, thiserror::Error)]
pub enum EcrError {
    /// There are no AWS credentials in any place that the SDK knows.
    #[error(
        "no AWS credentials were found to log in to {registry} with: none in the environment, a profile, or the metadata of a container or virtual machine"
    )]
    NoCredentials {
        /// The registry.
        registry: Box<EcrRegistry>,
    },
    /// A place that should have AWS credentials failed.
    #[error("the AWS credentials to log in to {registry} with could not be had: {reason}")]
    Credentials {
        /// The registry.
        registry: Box<EcrRegistry>,
        /// What the SDK says.
        reason: String,
    },
    /// ECR refused.
    #[error("ECR in {} refuses to {action}: {code}: {message}", registry.region)]
    Refused {
        /// The registry.
        registry: Box<EcrRegistry>,
        /// What it was asked to do.
        action: Action,
        /// Its name for the reason, for instance `AccessDeniedException`.
        code: String,
        /// Its words.
        message: String,
    },
    /// ECR could not be reached, or did not answer in its own terms.
    #[error("ECR in {} could not be asked to {action}: {reason}", registry.region)]
    Request {
        /// The registry.
        registry: Box<EcrRegistry>,
        /// What it was to do.
        action: Action,
        /// What the SDK says.
        reason: String,
    },
    /// The answer holds no token, or none that can be decoded.
    #[error("ECR in {} gave no token that can be used for {registry}", registry.region)]
    Token {
        /// The registry.
        registry: Box<EcrRegistry>,
    },
}

/// What ECR is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// To log in.
    LogIn,
    /// To create a repository of this name.
    CreateRepository(String),
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LogIn => formatter.write_str("give a token to log in with"),
            Self::CreateRepository(name) => write!(formatter, "create the repository {name}"),
        }
    }
}

impl Action {
    /// Returns the permission that it needs.
    fn permission(&self) -> &'static str {
        match self {
            Self::LogIn => "ecr:GetAuthorizationToken",
            Self::CreateRepository(_) => "ecr:CreateRepository",
        }
    }
}

impl EcrError {
    fn of_credentials(registry: &EcrRegistry, error: &CredentialsError) -> Self {
        let registry = Box::new(registry.clone());
        match error {
            CredentialsError::CredentialsNotLoaded(_) => Self::NoCredentials { registry },
            _ => Self::Credentials { registry, reason: reason(error) },
        }
    }

    fn of_request<E>(registry: &EcrRegistry, action: Action, error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let registry = Box::new(registry.clone());
        match error.code() {
            Some(code) => Self::Refused {
                registry,
                action,
                code: one_line(code),
                // The lines that may follow the first show the request, with the token of the session in it.
                message: one_line(error.message().unwrap_or_default().lines().next().unwrap_or_default()),
            },
            None => Self::Request { registry, action, reason: reason(error) },
        }
    }
}

impl Hints for EcrError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::NoCredentials { registry } | Self::Credentials { registry, .. } => vec![
                "log in with `aws sso login`, choose a profile with AWS_PROFILE, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; `aws sts get-caller-identity` tells whether it works"
                    .to_owned(),
                format!(
                    "without AWS credentials here, log in for 12 hours with `docker login --username AWS {registry}` and the password that `aws ecr get-login-password --region {}` gives elsewhere",
                    registry.region
                ),
            ],
            Self::Refused { code, .. } if code.contains("Expired") => {
                vec!["the AWS credentials are no longer valid: log in again, for instance with `aws sso login`".to_owned()]
            }
            Self::Refused { code, action, .. } if code.starts_with("AccessDenied") => {
                vec![format!("let the identity have the permission {}", action.permission())]
            }
            Self::Refused { .. } => {
                vec!["`aws sts get-caller-identity` tells whose credentials are used".to_owned()]
            }
            Self::Request { .. } => vec!["check the connection and, behind a proxy, HTTPS_PROXY".to_owned()],
            Self::Token { .. } => Vec::new(),
        }
    }
}

/// Returns what an error of the SDK and its causes say, without their debugging forms.
fn reason(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (**error).source());
    one_line(&causes.map(ToString::to_string).collect::<Vec<_>>().join(": "))
}

/// A login, and until when it may be given out.
struct Token {
    login: Login,
    until: SystemTime,
}

/// The tokens that are still valid. They belong to the process, as do the environment and the files they came from.
static TOKENS: Mutex<BTreeMap<EcrRegistry, Token>> = Mutex::const_new(BTreeMap::new());

/// Logs in to a registry with the AWS credentials of this process. The login is kept in memory until it is about to
/// end, which is after twelve hours or less.
///
/// # Errors
/// There are no AWS credentials, or ECR cannot be asked or refuses.
pub async fn login(registry: &EcrRegistry) -> Result<Login, EcrError> {
    // Held while ECR is asked: who comes second takes what the first one gets.
    let mut tokens = TOKENS.lock().await;
    if let Some(token) = tokens.get(registry).filter(|token| SystemTime::now() < token.until) {
        return Ok(token.login.clone());
    }
    let answer = client(registry).await?.get_authorization_token().send().await;
    let answer = answer.map_err(|error| EcrError::of_request(registry, Action::LogIn, &error))?;
    let token = answer.authorization_data().first().and_then(Token::parse);
    let token = token.ok_or_else(|| EcrError::Token { registry: Box::new(registry.clone()) })?;
    let login = token.login.clone();
    tokens.insert(registry.clone(), token);
    Ok(login)
}

impl Token {
    /// Parses base64 of `AWS:password`.
    fn parse(data: &AuthorizationData) -> Option<Self> {
        let text = String::from_utf8(BASE64_STANDARD.decode(data.authorization_token()?).ok()?).ok()?;
        let (username, password) = text.split_once(':')?;
        let seconds = data.expires_at().map_or(0, |end| u64::try_from(end.secs()).unwrap_or(0));
        let end = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
        Some(Self {
            login: Login::Basic { username: username.to_owned(), password: password.to_owned().into() },
            until: end.checked_sub(LEEWAY).unwrap_or(SystemTime::UNIX_EPOCH),
        })
    }
}

/// Creates a repository with the AWS credentials of this process. One that exists already is success.
///
/// # Errors
/// There are no AWS credentials, or ECR cannot be asked or refuses.
pub async fn create_repository(registry: &EcrRegistry, repository: &str) -> Result<(), EcrError> {
    let request = client(registry).await?.create_repository();
    match request.registry_id(&registry.account).repository_name(repository).send().await {
        Ok(_) => Ok(()),
        Err(error) if error.as_service_error().is_some_and(|error| error.is_repository_already_exists_exception()) => {
            Ok(())
        }
        Err(error) => Err(EcrError::of_request(registry, Action::CreateRepository(repository.to_owned()), &error)),
    }
}

/// Returns the SDK's client for a registry's region, with credentials: so their absence is no failure of a request.
async fn client(registry: &EcrRegistry) -> Result<Client, EcrError> {
    let region = Region::new(registry.region.clone());
    let metadata = imds::Client::builder()
        .connect_timeout(METADATA_TIMEOUT)
        .read_timeout(METADATA_TIMEOUT)
        .max_attempts(1)
        .build();
    let chain = DefaultCredentialsChain::builder().region(region.clone()).imds_client(metadata).build().await;
    let credentials = tokio::time::timeout(CREDENTIALS_TIMEOUT, chain.provide_credentials()).await;
    let credentials = credentials.unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(CREDENTIALS_TIMEOUT)));
    let credentials = credentials.map_err(|error| EcrError::of_credentials(registry, &error))?;
    let [attempt, operation] = REQUEST_TIMEOUTS;
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(attempt).operation_timeout(operation).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region)
        .credentials_provider(credentials)
        .timeout_config(timeouts);
    // Where the name does not ask for them, the environment may.
    if registry.fips {
        loader = loader.use_fips(true);
    }
    if registry.dual_stack {
        loader = loader.use_dual_stack(true);
    }
    Ok(Client::new(&loader.load().await))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_registries_are_known_by_name() {
        for (host, account, region, fips, dual_stack) in [
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "123456789012", "eu-west-1", false, false),
            ("123456789012.DKR.ECR.EU-WEST-1.AMAZONAWS.COM", "123456789012", "eu-west-1", false, false),
            ("000000000001.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "000000000001", "us-gov-west-1", true, false),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "123456789012", "cn-north-1", false, false),
            ("123456789012.dkr-ecr.eu-west-1.on.aws", "123456789012", "eu-west-1", false, true),
            ("123456789012.dkr-ecr-fips.us-east-1.on.aws", "123456789012", "us-east-1", true, true),
            ("123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", "123456789012", "cn-north-1", false, true),
            ("123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu", "123456789012", "eusc-de-east-1", false, false),
            ("123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov", "123456789012", "us-iso-east-1", false, false),
        ] {
            let registry = is_ecr(host).unwrap_or_else(|| panic!("{host}"));
            assert_eq!((registry.account.as_str(), registry.region.as_str()), (account, region));
            assert_eq!((registry.fips, registry.dual_stack), (fips, dual_stack), "{host}");
            assert_eq!(registry.to_string(), host.to_ascii_lowercase());
        }
        for host in [
            "",
            "public.ecr.aws",
            "docker.io",
            "localhost:5000",
            "12345678901.dkr.ecr.eu-west-1.amazonaws.com",
            "12345678901x.dkr.ecr.eu-west-1.amazonaws.com",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example",
            "123456789012.dkr.ecr.eu-west-1.evil-amazonaws.com",
            "123456789012.dkr.ecr.evil/eu.amazonaws.com",
            "123456789012.dkr.ecr..amazonaws.com",
            "123456789012.dkr.ecr.amazonaws.com",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com:443",
            "a.123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "123456789012.ecr.eu-west-1.amazonaws.com",
            "१२३४.dkr.ecr.eu-west-1.amazonaws.com",
        ] {
            assert_eq!(is_ecr(host), None, "{host}");
        }
    }

    #[test]
    fn tokens_are_a_user_and_a_password() {
        let data = |token: &str| AuthorizationData::builder().authorization_token(token).build();
        let token = Token::parse(&data(&BASE64_STANDARD.encode("AWS:pass:word"))).unwrap();
        assert_eq!(token.login, Login::Basic { username: "AWS".to_owned(), password: "pass:word".to_owned().into() });
        assert!(token.until < SystemTime::now(), "a token without an end is not kept");
        for wrong in ["", "!", "QVdT", "/w=="] {
            assert!(Token::parse(&data(wrong)).is_none(), "{wrong}");
        }
        assert!(Token::parse(&AuthorizationData::builder().build()).is_none());
    }
}
