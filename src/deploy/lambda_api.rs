//! Lambda's API: one function for each request.
//!
//! Reference: [Lambda API](https://docs.aws.amazon.com/lambda/latest/api/welcome.html).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::utf8_percent_encode;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use url::Url;

use super::LiveZip;
use super::error::{DeployError, LambdaAction};
use super::names::{AliasName, FunctionName, LayerName, VersionDescription};
use crate::aws::{AwsError, AwsResponse, AwsService, AwsSession, RESERVED, ResponseLimit};
use crate::retry::RetryPolicy;

const LAMBDA: &str = "AWS Lambda";

/// Four more attempts: Lambda allows few changes a second in an account, and targets are deployed in parallel.
pub(super) const RETRY: RetryPolicy =
    RetryPolicy { limit: 4, first_pause: Duration::from_millis(400), longest_pause: Duration::from_secs(20) };

/// The limit for an attempt at a request without a large body.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);

/// The slowest connection that code is sent over, in bytes a second.
const SLOWEST_UPLOAD: usize = 128 << 10;

/// The most pages of functions that are searched for a misspelled name, of 50 functions each.
const SEARCHED_PAGES: usize = 20;

/// A function, or a version of it. What Lambda omits is `None`, and unknown states count as good ones.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct FunctionConfiguration {
    pub(super) function_arn: String,
    pub(super) code_sha256: String,
    pub(super) version: String,
    pub(super) revision_id: Option<String>,
    pub(super) package_type: Option<String>,
    pub(super) architectures: Vec<String>,
    pub(super) runtime: Option<String>,
    layers: Vec<FunctionLayer>,
    pub(super) state: Option<String>,
    pub(super) state_reason: Option<String>,
    pub(super) state_reason_code: Option<String>,
    pub(super) last_update_status: Option<String>,
    pub(super) last_update_status_reason: Option<String>,
    pub(super) last_update_status_reason_code: Option<String>,
    /// Where the zip can be downloaded, which `GetFunction` alone tells.
    #[serde(skip)]
    pub(super) code_location: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct FunctionLayer {
    arn: String,
}

/// A published version of a layer.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct LayerVersion {
    pub(super) layer_version_arn: String,
    pub(super) version: u64,
    content: LayerContent,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct LayerContent {
    code_sha256: String,
    location: Option<String>,
}

impl LayerVersion {
    pub(super) fn code_sha256(&self) -> &str {
        &self.content.code_sha256
    }

    /// Returns where the zip can be downloaded.
    pub(super) fn zip(&self) -> Option<LiveZip> {
        LiveZip::at(self.content.location.as_deref()?, &self.content.code_sha256)
    }
}

impl FunctionConfiguration {
    /// Returns the ARNs of the function's layers with their versions, in the order in which they are extracted.
    pub(super) fn layers(&self) -> Vec<String> {
        self.layers.iter().map(|layer| layer.arn.clone()).collect()
    }

    /// Tells whether the function is being created or updated.
    pub(super) fn is_changing(&self) -> bool {
        self.last_update_status.as_deref() == Some("InProgress") || self.state.as_deref() == Some("Pending")
    }

    /// Returns why the last update failed, if it did.
    pub(super) fn update_failure(&self) -> Option<String> {
        let failed = self.last_update_status.as_deref() == Some("Failed");
        failed.then(|| reason(&self.last_update_status_reason_code, &self.last_update_status_reason))
    }

    /// Returns why the function or version cannot run, if it cannot.
    pub(super) fn failure(&self) -> Option<String> {
        let failed = self.state.as_deref() == Some("Failed");
        failed.then(|| reason(&self.state_reason_code, &self.state_reason))
    }
}

fn reason(code: &Option<String>, text: &Option<String>) -> String {
    let parts: Vec<&str> = [code, text].into_iter().flatten().map(String::as_str).collect();
    if parts.is_empty() { "no reason given".to_owned() } else { crate::redact::one_line(&parts.join(": ")) }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct AliasConfiguration {
    pub(super) name: String,
    pub(super) function_version: String,
    pub(super) description: String,
    pub(super) revision_id: Option<String>,
    routing_config: Option<RoutingConfiguration>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RoutingConfiguration {
    additional_version_weights: Option<Map<String, Value>>,
}

impl AliasConfiguration {
    /// Returns another version that the alias sends requests to.
    pub(super) fn routed_version(&self) -> Option<&str> {
        let weights = self.routing_config.as_ref()?.additional_version_weights.as_ref()?;
        weights.keys().next().map(String::as_str)
    }
}

/// The code of a function, as it is sent.
pub(super) enum SentCode {
    Zip(Vec<u8>),
    /// The reference of an image in ECR.
    Image(String),
    S3 {
        bucket: String,
        key: String,
        version: Option<String>,
    },
}

impl SentCode {
    fn content(&self) -> Value {
        match self {
            Self::Image(reference) => json!({ "ImageUri": reference }),
            Self::Zip(bytes) => json!({ "ZipFile": BASE64_STANDARD.encode(bytes) }),
            Self::S3 { bucket, key, version: None } => json!({ "S3Bucket": bucket, "S3Key": key }),
            Self::S3 { bucket, key, version } => {
                json!({ "S3Bucket": bucket, "S3Key": key, "S3ObjectVersion": version })
            }
        }
    }
}

/// Where an alias is to point to.
pub(super) struct AliasMove<'a> {
    pub(super) function: &'a FunctionName,
    pub(super) alias: &'a AliasName,
    pub(super) version: &'a str,
    pub(super) description: &'a str,
}

/// A client of Lambda in one region.
pub(super) struct LambdaApi<'a> {
    session: &'a AwsSession<'a>,
    endpoint: Url,
}

/// A request, before it is signed.
struct LambdaRequest {
    action: LambdaAction,
    method: Method,
    url: Url,
    body: Option<String>,
}

impl<'a> LambdaApi<'a> {
    pub(super) async fn new(session: &'a AwsSession<'a>) -> Result<Self, DeployError> {
        let endpoint = session.endpoint(AwsService::Lambda).await;
        Ok(Self { session, endpoint: endpoint.map_err(|source| DeployError::Credentials(Arc::new(source)))? })
    }

    pub(super) fn session(&self) -> &'a AwsSession<'a> {
        self.session
    }

    pub(super) fn region(&self) -> &str {
        self.session.region()
    }

    /// Returns `$LATEST`, or the version that a qualifier stands for.
    pub(super) async fn function(
        &self,
        function: &FunctionName,
        qualifier: Option<&str>,
    ) -> Result<FunctionConfiguration, DeployError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct GetFunctionResponse {
            configuration: FunctionConfiguration,
            code: Option<FunctionCode>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct FunctionCode {
            location: Option<String>,
        }
        let mut request = self.request(LambdaAction::GetFunction, Method::GET, function, &[]);
        if let Some(qualifier) = qualifier {
            request.url.query_pairs_mut().append_pair("Qualifier", qualifier);
        }
        let GetFunctionResponse { configuration, code } = self.send(request).await?;
        Ok(FunctionConfiguration { code_location: code.and_then(|code| code.location), ..configuration })
    }

    /// Returns the names of the functions in the region, as far as they are listed.
    pub(super) async fn function_names(&self) -> Result<Vec<String>, DeployError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct ListFunctionsResponse {
            functions: Vec<ListedFunction>,
            next_marker: Option<String>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct ListedFunction {
            function_name: String,
        }
        let mut names = Vec::new();
        let mut marker: Option<String> = None;
        for _ in 0..SEARCHED_PAGES {
            let mut url = self.url("/2015-03-31/functions");
            if let Some(marker) = marker {
                url.query_pairs_mut().append_pair("Marker", &marker);
            }
            let request = LambdaRequest { action: LambdaAction::ListFunctions, method: Method::GET, url, body: None };
            let page: ListFunctionsResponse = self.send(request).await?;
            names.extend(page.functions.into_iter().map(|function| function.function_name));
            marker = page.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                break;
            }
        }
        Ok(names)
    }

    /// Replaces the code of `$LATEST`. Without the architecture Lambda would take x86_64.
    pub(super) async fn update_code(
        &self,
        function: &FunctionName,
        code: &SentCode,
        architecture: &str,
        revision: Option<&str>,
    ) -> Result<(), DeployError> {
        let mut body = code.content();
        body["Architectures"] = json!([architecture]);
        set_revision(&mut body, revision);
        let request = self.request(LambdaAction::UpdateFunctionCode, Method::PUT, function, &["code"]);
        self.send::<Value>(request.with_body(&body)).await.map(|_| ())
    }

    /// Replaces the layers of `$LATEST`.
    pub(super) async fn update_layers(
        &self,
        function: &FunctionName,
        layers: &[String],
        revision: Option<&str>,
    ) -> Result<(), DeployError> {
        let mut body = json!({ "Layers": layers });
        set_revision(&mut body, revision);
        let action = LambdaAction::UpdateFunctionConfiguration;
        let request = self.request(action, Method::PUT, function, &["configuration"]);
        self.send::<Value>(request.with_body(&body)).await.map(|_| ())
    }

    /// Returns the latest version of a layer; `None` if it has none.
    pub(super) async fn latest_layer_version(&self, layer: &LayerName) -> Result<Option<LayerVersion>, DeployError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct ListLayerVersionsResponse {
            layer_versions: Vec<LayerVersion>,
        }
        let request = self.layer_request(LambdaAction::ListLayerVersions, Method::GET, layer, None);
        let listed: ListLayerVersionsResponse = match self.send(request).await {
            Err(error) if error.is_not_found() => return Ok(None),
            listed => listed?,
        };
        // Lambda lists the latest ones first, on the first page, without their digests.
        let Some(latest) = listed.layer_versions.iter().map(|version| version.version).max() else { return Ok(None) };
        let request = self.layer_request(LambdaAction::GetLayerVersion, Method::GET, layer, Some(latest));
        match self.send(request).await {
            Err(error) if error.is_not_found() => Ok(None),
            version => version.map(Some),
        }
    }

    /// Publishes a version of a layer. Each request makes another one, even of the same content.
    pub(super) async fn publish_layer_version(
        &self,
        layer: &LayerName,
        code: &SentCode,
        (runtime, architecture): (&str, &str),
        description: Option<&VersionDescription>,
    ) -> Result<LayerVersion, DeployError> {
        let mut body = json!({
            "Content": code.content(), "CompatibleRuntimes": [runtime], "CompatibleArchitectures": [architecture],
        });
        describe(&mut body, description);
        let request = self.layer_request(LambdaAction::PublishLayerVersion, Method::POST, layer, None);
        self.send(request.with_body(&body)).await
    }

    /// Publishes `$LATEST`, which must have this code. If nothing changed since the last version, that is returned, with the
    /// description that it has.
    pub(super) async fn publish_version(
        &self,
        function: &FunctionName,
        code_sha256: &str,
        revision: Option<&str>,
        description: Option<&VersionDescription>,
    ) -> Result<FunctionConfiguration, DeployError> {
        let mut body = json!({ "CodeSha256": code_sha256 });
        set_revision(&mut body, revision);
        describe(&mut body, description);
        let request = self.request(LambdaAction::PublishVersion, Method::POST, function, &["versions"]);
        self.send(request.with_body(&body)).await
    }

    pub(super) async fn alias(
        &self,
        function: &FunctionName,
        alias: &AliasName,
    ) -> Result<AliasConfiguration, DeployError> {
        let path = ["aliases", alias.text()];
        self.send(self.request(LambdaAction::GetAlias, Method::GET, function, &path)).await
    }

    pub(super) async fn alias_names(&self, function: &FunctionName) -> Result<Vec<String>, DeployError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct ListAliasesResponse {
            aliases: Vec<AliasConfiguration>,
        }
        let request = self.request(LambdaAction::ListAliases, Method::GET, function, &["aliases"]);
        let listed: ListAliasesResponse = self.send(request).await?;
        Ok(listed.aliases.into_iter().map(|alias| alias.name).collect())
    }

    pub(super) async fn create_alias(&self, to: &AliasMove<'_>) -> Result<(), DeployError> {
        let body = json!({ "Name": to.alias.text(), "FunctionVersion": to.version, "Description": to.description });
        let request = self.request(LambdaAction::CreateAlias, Method::POST, to.function, &["aliases"]);
        self.send::<Value>(request.with_body(&body)).await.map(|_| ())
    }

    /// Points an alias to a version, if it still has this revision.
    pub(super) async fn update_alias(&self, to: &AliasMove<'_>, revision: Option<&str>) -> Result<(), DeployError> {
        let mut body = json!({ "FunctionVersion": to.version, "Description": to.description });
        set_revision(&mut body, revision);
        let path = ["aliases", to.alias.text()];
        let request = self.request(LambdaAction::UpdateAlias, Method::PUT, to.function, &path);
        self.send::<Value>(request.with_body(&body)).await.map(|_| ())
    }

    fn request(&self, action: LambdaAction, method: Method, function: &FunctionName, below: &[&str]) -> LambdaRequest {
        // The colons of an ARN are encoded, as by AWS's SDKs.
        let mut path = format!("/2015-03-31/functions/{}", utf8_percent_encode(function.text(), RESERVED));
        below.iter().for_each(|part| path.extend(["/", part]));
        LambdaRequest { action, method, url: self.url(&path), body: None }
    }

    fn layer_request(
        &self,
        action: LambdaAction,
        method: Method,
        layer: &LayerName,
        version: Option<u64>,
    ) -> LambdaRequest {
        let version = version.map(|version| format!("/{version}")).unwrap_or_default();
        let url = self.url(&format!("/2018-10-31/layers/{layer}/versions{version}"));
        LambdaRequest { action, method, url, body: None }
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.endpoint.clone();
        url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
        url
    }

    /// Sends a request, again if it certainly had no effect.
    async fn send<T: DeserializeOwned>(&self, request: LambdaRequest) -> Result<T, DeployError> {
        let action = request.action;
        let mut failures = 0;
        let response = loop {
            let result = self.attempt(&request).await;
            let had_no_effect = request.method == Method::GET;
            let (is_retried, requested) = match &result {
                Ok(response) if response.is_throttled() => (true, response.retry_after()),
                Ok(response) => (response.status.is_server_error() && had_no_effect, response.retry_after()),
                Err(error) => (had_no_effect || error.is_unsent(), None),
            };
            failures += 1;
            if !is_retried || failures > RETRY.limit {
                break result;
            }
            tokio::time::sleep(RETRY.pause(failures, requested)).await;
        };
        let response = response.map_err(|source| DeployError::Unanswered { action, source: Box::new(source) })?;
        if response.status.is_success() {
            return serde_json::from_slice(&response.body).map_err(|_| DeployError::InvalidAnswer(action));
        }
        Err(refusal(action, &response))
    }

    async fn attempt(&self, request: &LambdaRequest) -> Result<AwsResponse, AwsError> {
        let mut sent = Request::new(request.method.clone(), request.url.clone());
        let mut limit = ATTEMPT_TIMEOUT;
        if let Some(body) = &request.body {
            limit += Duration::from_secs((body.len() / SLOWEST_UPLOAD) as u64);
            sent.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *sent.body_mut() = Some(body.clone().into());
        }
        self.session.send_signed((AwsService::Lambda, LAMBDA), sent, ResponseLimit::new(limit)).await
    }
}

impl LambdaRequest {
    fn with_body(self, body: &Value) -> Self {
        Self { body: Some(body.to_string()), ..self }
    }
}

fn set_revision(body: &mut Value, revision: Option<&str>) {
    if let Some(revision) = revision {
        body["RevisionId"] = revision.into();
    }
}

fn describe(body: &mut Value, description: Option<&VersionDescription>) {
    if let Some(description) = description {
        body["Description"] = description.text().into();
    }
}

/// Returns the error for a response without success. Lambda may have done what a response with status 5xx is about.
fn refusal(action: LambdaAction, response: &AwsResponse) -> DeployError {
    let status = response.status;
    let (code, message) = response.service_error().unwrap_or_default();
    if status.is_server_error() && !response.is_throttled() {
        let message = if code.is_empty() { "no reason given".to_owned() } else { format!("{code}: {message}") };
        let source = Box::new(AwsError::Service { service: LAMBDA, status, message });
        return DeployError::Unanswered { action, source };
    }
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        return DeployError::TooLarge;
    }
    DeployError::Refused { action, status, code, message }
}
