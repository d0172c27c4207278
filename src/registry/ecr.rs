//! Amazon's private registries (ECR): logging in and creating repositories with AWS credentials.
//!
//! API: [GetAuthorizationToken](https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html)
//! and [CreateRepository](https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html).

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, Request};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::credentials::RegistryLogin;
use crate::aws::{AwsClient, AwsCredentials, AwsEnvironment, AwsError, AwsResponse, AwsService, EndpointVariant, sign};
use crate::hints::Hints;

/// How long before its end a token is no longer used: a push may take minutes.
const LEEWAY: Duration = Duration::from_secs(15 * 60);

/// The domains of registries in AWS's partitions, with and without support for IPv6.
const DOMAINS: [&str; 9] = [
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

const ECR: &str = "Amazon ECR";

/// The header that names the action, of AWS's JSON protocol 1.1.
const TARGET: HeaderName = HeaderName::from_static("x-amz-target");

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
    let (region, domain) = rest.split_once('.')?;
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let is_region = !region.is_empty() && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (is_account && is_region && DOMAINS.contains(&domain)).then(|| EcrRegistry {
        account: account.to_owned(),
        region: region.to_owned(),
        fips: service.contains("fips"),
        dual_stack: service.starts_with("dkr-"),
        host: host.clone(),
    })
}

/// Why ECR cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EcrError {
    /// No source of AWS credentials is configured.
    #[error(
        "cannot log in to {registry}: no AWS credentials in the environment, the profiles, or the metadata of a container or EC2 instance"
    )]
    NoCredentials {
        /// The registry.
        registry: Box<EcrRegistry>,
    },
    /// A source of AWS credentials is configured, but fails.
    #[error("cannot load the AWS credentials for {registry}")]
    Credentials {
        /// The registry.
        registry: Box<EcrRegistry>,
        /// Why.
        #[source]
        source: Box<AwsError>,
    },
    /// ECR denied a request.
    #[error("ECR in {} refused to {action}: {code}: {message}", registry.region)]
    Refused {
        /// The registry.
        registry: Box<EcrRegistry>,
        /// What was requested.
        action: EcrAction,
        /// ECR's error code, for instance `AccessDeniedException`.
        code: String,
        /// ECR's message.
        message: String,
    },
    /// ECR did not respond.
    #[error("cannot ask ECR in {} to {action}", registry.region)]
    Request {
        /// The registry.
        registry: Box<EcrRegistry>,
        /// What was requested.
        action: EcrAction,
        /// Why.
        #[source]
        source: Box<AwsError>,
    },
    /// The response has no valid token.
    #[error("ECR in {} returned no valid login token for {registry}", registry.region)]
    InvalidToken {
        /// The registry.
        registry: Box<EcrRegistry>,
    },
}

/// A request to ECR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EcrAction {
    /// Get a token to log in with.
    GetAuthorizationToken,
    /// Create the repository of this name.
    CreateRepository(String),
}

impl fmt::Display for EcrAction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GetAuthorizationToken => formatter.write_str("issue a login token"),
            Self::CreateRepository(name) => write!(formatter, "create the repository {name}"),
        }
    }
}

impl EcrAction {
    /// Returns the action's name in the API and in policies.
    fn name(&self) -> &'static str {
        match self {
            Self::GetAuthorizationToken => "GetAuthorizationToken",
            Self::CreateRepository(_) => "CreateRepository",
        }
    }

    fn body(&self, registry: &EcrRegistry) -> Value {
        match self {
            Self::GetAuthorizationToken => json!({}),
            Self::CreateRepository(name) => json!({"registryId": registry.account, "repositoryName": name}),
        }
    }
}

impl EcrError {
    fn request(registry: &EcrRegistry, action: &EcrAction, source: AwsError) -> Self {
        Self::Request { registry: Box::new(registry.clone()), action: action.clone(), source: Box::new(source) }
    }
}

impl Hints for EcrError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::NoCredentials { registry } => credential_hints(registry),
            Self::Credentials { registry, source } => {
                source.hints().into_iter().chain(credential_hints(registry)).collect()
            }
            Self::Refused { code, .. } if code.contains("Expired") => {
                vec!["the AWS credentials have expired: log in again, for instance with `aws sso login`".to_owned()]
            }
            Self::Refused { code, action, .. } if code.starts_with("AccessDenied") => {
                vec![format!("grant the identity the permission ecr:{}", action.name())]
            }
            Self::Refused { .. } => {
                vec!["show whose credentials are used with `aws sts get-caller-identity`".to_owned()]
            }
            Self::Request { .. } => vec!["check the connection and, behind a proxy, HTTPS_PROXY".to_owned()],
            Self::InvalidToken { .. } => Vec::new(),
        }
    }
}

fn credential_hints(registry: &EcrRegistry) -> Vec<String> {
    vec![
        "log in with `aws sso login`, choose a profile with AWS_PROFILE, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; check with `aws sts get-caller-identity`"
            .to_owned(),
        format!(
            "without AWS credentials on this machine, log in for 12 hours with `docker login --username AWS {registry}` and the password that `aws ecr get-login-password --region {}` prints elsewhere",
            registry.region
        ),
    ]
}

/// A login, and until when it is used.
struct EcrToken {
    login: RegistryLogin,
    until: SystemTime,
}

/// The tokens that are still valid, by registry and by what AWS credentials were loaded from. They outlive a registry
/// client, since each target of a build has its own.
static TOKENS: Mutex<BTreeMap<(EcrRegistry, AwsEnvironment), EcrToken>> = Mutex::const_new(BTreeMap::new());

/// Returns the login to a registry, for twelve hours or less. It is cached in memory until shortly before its end.
///
/// # Errors
/// AWS credentials are missing or cannot be loaded, or ECR cannot be reached or refuses.
pub(super) async fn login(environment: &AwsEnvironment, registry: &EcrRegistry) -> Result<RegistryLogin, EcrError> {
    // Locked during the request: of several that need the same token, one asks for it.
    let mut tokens = TOKENS.lock().await;
    let key = (registry.clone(), environment.clone());
    if let Some(token) = tokens.get(&key).filter(|token| SystemTime::now() < token.until) {
        return Ok(token.login.clone());
    }
    let response = send(environment, registry, &EcrAction::GetAuthorizationToken).await?;
    let token = EcrToken::parse(&response.body);
    let token = token.ok_or_else(|| EcrError::InvalidToken { registry: Box::new(registry.clone()) })?;
    let login = token.login.clone();
    tokens.insert(key, token);
    Ok(login)
}

impl EcrToken {
    /// Parses ECR's response, whose token is base64 of `AWS:PASSWORD`.
    fn parse(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct TokenResponse {
            authorization_data: Vec<AuthorizationData>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct AuthorizationData {
            authorization_token: String,
            /// In seconds since 1970, with a fraction.
            expires_at: Option<f64>,
        }
        let data = serde_json::from_slice::<TokenResponse>(body).ok()?.authorization_data.into_iter().next()?;
        let text = String::from_utf8(BASE64_STANDARD.decode(data.authorization_token).ok()?).ok()?;
        let (username, password) = text.split_once(':')?;
        let life = Duration::try_from_secs_f64(data.expires_at.unwrap_or_default()).ok()?;
        let end = SystemTime::UNIX_EPOCH.checked_add(life)?;
        Some(Self {
            login: RegistryLogin::Basic { username: username.to_owned(), password: password.to_owned().into() },
            until: end.checked_sub(LEEWAY).unwrap_or(SystemTime::UNIX_EPOCH),
        })
    }
}

/// Creates a repository. One that exists already is success.
///
/// # Errors
/// As [`login`].
pub(super) async fn create_repository(
    environment: &AwsEnvironment,
    registry: &EcrRegistry,
    repository: &str,
) -> Result<(), EcrError> {
    match send(environment, registry, &EcrAction::CreateRepository(repository.to_owned())).await {
        Err(EcrError::Refused { code, .. }) if code == "RepositoryAlreadyExistsException" => Ok(()),
        result => result.map(|_| ()),
    }
}

/// Sends a request to ECR, signed with the first AWS credentials that are found.
async fn send(
    environment: &AwsEnvironment,
    registry: &EcrRegistry,
    action: &EcrAction,
) -> Result<AwsResponse, EcrError> {
    let client = AwsClient::new(environment, &registry.region);
    let credentials = match client.credentials().await {
        Ok(Some(credentials)) => credentials,
        Ok(None) => return Err(EcrError::NoCredentials { registry: Box::new(registry.clone()) }),
        Err(source) => {
            return Err(EcrError::Credentials { registry: Box::new(registry.clone()), source: Box::new(source) });
        }
    };
    let response = exchange(&client, &credentials, registry, action).await;
    let response = response.map_err(|source| EcrError::request(registry, action, source))?;
    if response.status.is_success() {
        return Ok(response);
    }
    match response.service_error() {
        Some((code, message)) => {
            Err(EcrError::Refused { registry: Box::new(registry.clone()), action: action.clone(), code, message })
        }
        None => {
            let (status, message) = (response.status, "no reason given".to_owned());
            Err(EcrError::request(registry, action, AwsError::Service { service: ECR, status, message }))
        }
    }
}

async fn exchange(
    client: &AwsClient<'_>,
    credentials: &AwsCredentials,
    registry: &EcrRegistry,
    action: &EcrAction,
) -> Result<AwsResponse, AwsError> {
    let variant = EndpointVariant { is_fips: registry.fips, is_dual_stack: registry.dual_stack };
    let url = client.endpoint(AwsService::Ecr, &registry.region, variant).await?;
    let mut request = Request::new(Method::POST, url);
    let target = format!("AmazonEC2ContainerRegistry_V20150921.{}", action.name());
    if let Ok(target) = HeaderValue::from_str(&target) {
        request.headers_mut().insert(TARGET, target);
    }
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
    *request.body_mut() = Some(action.body(registry).to_string().into());
    sign(&mut request, "ecr", &registry.region, credentials, Timestamp::now());
    client.send(ECR, request).await
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

    fn response(token: &str) -> String {
        json!({"authorizationData": [{"authorizationToken": token}]}).to_string()
    }

    #[test]
    fn tokens_are_a_user_and_a_password() {
        let token = EcrToken::parse(response(&BASE64_STANDARD.encode("AWS:pass:word")).as_bytes()).unwrap();
        assert_eq!(
            token.login,
            RegistryLogin::Basic { username: "AWS".to_owned(), password: "pass:word".to_owned().into() }
        );
        assert!(token.until < SystemTime::now(), "a token without an end is not kept");
        for wrong in ["", "!", "QVdT", "/w=="] {
            assert!(EcrToken::parse(response(wrong).as_bytes()).is_none(), "{wrong}");
        }
        for wrong in ["{}", r#"{"authorizationData": []}"#, r#"{"authorizationData": [{}]}"#, "<html>"] {
            assert!(EcrToken::parse(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }
}
