//! Credentials from metadata services: those of a container in ECS or EKS, and those of an EC2 instance.
//!
//! Protocols: [container credential provider](https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html)
//! and [IMDS credential provider](https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::{Method, Request, StatusCode};
use serde::Deserialize;
use url::{Host, Url};

use super::config::SharedConfig;
use super::{AwsClient, AwsCredentials, AwsEnvironment, AwsError, AwsResponse, ResponseLimit, first_line};

/// The limit for one request for an instance's metadata. Outside of EC2 nothing answers.
const METADATA_TIMEOUT: Duration = Duration::from_secs(1);

const CONTAINER: &str = "the container's credentials endpoint";
const INSTANCE: &str = "the EC2 instance metadata service";

const ECS: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2));
const EKS: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)), IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23))];

const TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");
const TOKEN_LIFETIME: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");

/// What both services return.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetadataCredentials {
    code: Option<String>,
    message: Option<String>,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    token: Option<String>,
}

impl AwsClient<'_> {
    /// Returns the credentials of the container, or `None` outside of one.
    pub(super) async fn container_credentials(&self) -> Result<Option<AwsCredentials>, AwsError> {
        let url = match (
            self.environment.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
            self.environment.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        ) {
            (Some(path), _) => container_url(&format!("http://{ECS}{path}"))?,
            (None, Some(url)) => container_url(url)?,
            (None, None) => return Ok(None),
        };
        // The file wins: EKS Pod Identity renews the token in it.
        let token = match self.environment.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            Some(path) => {
                let token = tokio::fs::read_to_string(path).await;
                Some(token.map_err(|source| AwsError::Read { path: path.into(), source })?.trim().to_owned())
            }
            None => self.environment.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(str::to_owned),
        };
        let mut request = Request::new(Method::GET, url);
        if let Some(token) = token {
            request.headers_mut().insert(AUTHORIZATION, secret_value(&token, CONTAINER)?);
        }
        parse(CONTAINER, &self.send(CONTAINER, request).await?).map(Some)
    }

    /// Returns the credentials of the role of an EC2 instance, or `None` elsewhere and for an instance without a role.
    pub(super) async fn instance_credentials(&self, config: &SharedConfig) -> Result<Option<AwsCredentials>, AwsError> {
        let disabled = self.environment.variable("AWS_EC2_METADATA_DISABLED");
        if disabled.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let metadata = InstanceMetadata::new(self.environment, config);
        let mut request = Request::new(Method::PUT, metadata.url("api/token")?);
        // Six hours, the longest, as in AWS's SDKs.
        request.headers_mut().insert(TOKEN_LIFETIME, HeaderValue::from_static("21600"));
        let token = match self.send_once(INSTANCE, request, ResponseLimit::new(METADATA_TIMEOUT)).await {
            Ok(response) if response.status.is_success() => response.body,
            // Not in EC2, or in a container whose packets have one hop too many: not a source of credentials.
            _ => return Ok(None),
        };
        let token = secret_value(String::from_utf8_lossy(&token).trim(), INSTANCE)?;
        let roles = self.metadata(&metadata, "meta-data/iam/security-credentials/", &token).await?;
        if roles.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !roles.status.is_success() {
            return Err(refusal(INSTANCE, &roles));
        }
        let roles = String::from_utf8_lossy(&roles.body).into_owned();
        let role = roles.lines().next().unwrap_or_default().trim();
        let credentials =
            self.metadata(&metadata, &format!("meta-data/iam/security-credentials/{role}"), &token).await?;
        parse(INSTANCE, &credentials).map(Some)
    }

    async fn metadata(
        &self,
        metadata: &InstanceMetadata,
        path: &str,
        token: &HeaderValue,
    ) -> Result<AwsResponse, AwsError> {
        let mut request = Request::new(Method::GET, metadata.url(path)?);
        request.headers_mut().insert(TOKEN, token.clone());
        self.send_once(INSTANCE, request, ResponseLimit::new(METADATA_TIMEOUT)).await
    }
}

/// The metadata service of an EC2 instance.
struct InstanceMetadata {
    endpoint: String,
}

impl InstanceMetadata {
    fn new(environment: &AwsEnvironment, config: &SharedConfig) -> Self {
        let mode = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE";
        let mode = config.setting(environment, mode, "ec2_metadata_service_endpoint_mode");
        let is_ipv6 = mode.is_some_and(|mode| mode.eq_ignore_ascii_case("ipv6"));
        let default = if is_ipv6 { "http://[fd00:ec2::254]" } else { "http://169.254.169.254" };
        let endpoint = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
        let endpoint = config.setting(environment, endpoint, "ec2_metadata_service_endpoint").unwrap_or(default);
        Self { endpoint: endpoint.trim_end_matches('/').to_owned() }
    }

    fn url(&self, path: &str) -> Result<Url, AwsError> {
        let url = format!("{}/latest/{path}", self.endpoint);
        Url::parse(&url).map_err(|_| AwsError::InvalidEndpoint(url))
    }
}

/// Parses the URL of a container's credentials. The token that is sent there must not leave the machine in plain text,
/// so `http` is for loopback addresses and those of ECS and EKS alone, as in AWS's SDKs.
fn container_url(text: &str) -> Result<Url, AwsError> {
    let url = Url::parse(text).ok().filter(|url| match (url.scheme(), url.host()) {
        ("https", Some(_)) | ("http", Some(Host::Domain("localhost"))) => true,
        ("http", Some(Host::Ipv4(address))) => is_container_address(address.into()),
        ("http", Some(Host::Ipv6(address))) => is_container_address(address.into()),
        _ => false,
    });
    url.ok_or_else(|| AwsError::InvalidContainerUri(text.to_owned()))
}

fn is_container_address(address: IpAddr) -> bool {
    address.is_loopback() || address == ECS || EKS.contains(&address)
}

fn secret_value(text: &str, service: &'static str) -> Result<HeaderValue, AwsError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| AwsError::InvalidResponse(service))?;
    value.set_sensitive(true);
    Ok(value)
}

fn parse(service: &'static str, response: &AwsResponse) -> Result<AwsCredentials, AwsError> {
    if !response.status.is_success() {
        return Err(refusal(service, response));
    }
    let credentials = serde_json::from_slice(&response.body).map_err(|_| AwsError::InvalidResponse(service))?;
    let MetadataCredentials { code, message, access_key_id, secret_access_key, token } = credentials;
    match (code.as_deref(), access_key_id, secret_access_key) {
        (None | Some("Success"), Some(access_key_id), Some(secret_access_key)) => Ok(AwsCredentials {
            access_key_id,
            secret_access_key: secret_access_key.into(),
            session_token: token.map(Into::into),
        }),
        (None | Some("Success"), ..) => Err(AwsError::InvalidResponse(service)),
        (Some(code), ..) => Err(AwsError::Service {
            service,
            status: response.status,
            message: first_line(&format!("{code}: {}", message.unwrap_or_default())),
        }),
    }
}

fn refusal(service: &'static str, response: &AwsResponse) -> AwsError {
    let message = serde_json::from_slice::<serde_json::Value>(&response.body)
        .ok()
        .and_then(|body| ["message", "Message"].iter().find_map(|key| body.get(key)?.as_str().map(first_line)));
    AwsError::Service {
        service,
        status: response.status,
        message: message.unwrap_or_else(|| "no reason given".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_go_to_safe_addresses_alone() {
        for url in [
            "https://credentials.example/get",
            "http://localhost:1/get",
            "http://127.0.0.2/get",
            "http://[::1]:80/",
            "http://169.254.170.2/v2/credentials",
            "http://169.254.170.23/v1/credentials",
            "http://[fd00:ec2::23]/v1/credentials",
        ] {
            assert!(container_url(url).is_ok(), "{url}");
        }
        for url in
            ["http://credentials.example/", "http://169.254.169.254/", "http://10.0.0.1/", "ftp://localhost/", "/v2"]
        {
            assert!(matches!(container_url(url), Err(AwsError::InvalidContainerUri(_))), "{url}");
        }
    }
}
