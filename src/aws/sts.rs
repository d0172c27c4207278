//! Assumed roles: AWS's Security Token Service (STS).
//!
//! API: [AssumeRole](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html) and
//! [AssumeRoleWithWebIdentity](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html).

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request};
use url::form_urlencoded::Serializer;

use super::config::expand_home;
use super::endpoint::EndpointVariant;
use super::{
    AwsClient, AwsCredentials, AwsEnvironment, AwsError, AwsResponse, AwsService, first_line, sign, xml_element,
};

/// The name of the sessions that pybundle begins, as CloudTrail shows it.
const SESSION_NAME: &str = "pybundle";

const STS: &str = "AWS STS";

/// A role that is assumed with other credentials.
#[derive(Debug)]
pub(super) struct AssumedRole<'a> {
    pub(super) role_arn: &'a str,
    pub(super) session_name: Option<&'a str>,
    pub(super) external_id: Option<&'a str>,
    pub(super) duration_seconds: Option<&'a str>,
}

/// A role that is assumed with a token of an identity provider.
#[derive(Debug)]
pub(super) struct WebIdentityRole {
    pub(super) role_arn: String,
    pub(super) token_file: String,
    pub(super) session_name: Option<String>,
}

impl WebIdentityRole {
    /// Returns the role that EKS and CI systems set by variables.
    pub(super) fn of_environment(environment: &AwsEnvironment) -> Option<Self> {
        Some(Self {
            role_arn: environment.variable("AWS_ROLE_ARN")?.to_owned(),
            token_file: environment.variable("AWS_WEB_IDENTITY_TOKEN_FILE")?.to_owned(),
            session_name: environment.variable("AWS_ROLE_SESSION_NAME").map(str::to_owned),
        })
    }
}

impl AwsClient<'_> {
    pub(super) async fn assume_role(
        &self,
        role: &AssumedRole<'_>,
        credentials: &AwsCredentials,
    ) -> Result<AwsCredentials, AwsError> {
        let mut form = form("AssumeRole", role.role_arn, role.session_name);
        if let Some(external_id) = role.external_id {
            form.append_pair("ExternalId", external_id);
        }
        if let Some(seconds) = role.duration_seconds {
            form.append_pair("DurationSeconds", seconds);
        }
        let mut request = self.sts_request(form.finish()).await?;
        sign(&mut request, "sts", &self.region, credentials, Timestamp::now());
        parse(&self.send(STS, request).await?, "")
    }

    pub(super) async fn assume_role_with_web_identity(
        &self,
        role: &WebIdentityRole,
    ) -> Result<AwsCredentials, AwsError> {
        let path = expand_home(&role.token_file, self.environment.home.as_deref());
        let token = tokio::fs::read_to_string(&path).await;
        let token = token.map_err(|source| AwsError::Read { path, source })?;
        let token = token.trim();
        let mut form = form("AssumeRoleWithWebIdentity", &role.role_arn, role.session_name.as_deref());
        form.append_pair("WebIdentityToken", token);
        let request = self.sts_request(form.finish()).await?;
        parse(&self.send(STS, request).await?, token)
    }

    async fn sts_request(&self, body: String) -> Result<Request, AwsError> {
        let url = self.endpoint(AwsService::Sts, &self.region, EndpointVariant::default()).await?;
        let mut request = Request::new(Method::POST, url);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        *request.body_mut() = Some(body.into());
        Ok(request)
    }
}

fn form(action: &str, role_arn: &str, session_name: Option<&str>) -> Serializer<'static, String> {
    let mut form = Serializer::new(String::new());
    form.append_pair("Action", action).append_pair("Version", "2011-06-15");
    form.append_pair("RoleArn", role_arn).append_pair("RoleSessionName", session_name.unwrap_or(SESSION_NAME));
    form
}

/// Reads a response, which is XML: either an error, or credentials, whose values are base64 and need no unescaping.
fn parse(response: &AwsResponse, secret: &str) -> Result<AwsCredentials, AwsError> {
    let text = String::from_utf8_lossy(&response.body);
    if !response.status.is_success() {
        let [code, message] = ["Code", "Message"].map(|name| xml_element(&text, name).unwrap_or_default());
        let message = unescape(&format!("{code}: {message}"));
        let message = if secret.is_empty() { message } else { message.replace(secret, "****") };
        return Err(AwsError::Service { service: STS, status: response.status, message: first_line(&message) });
    }
    let credentials = xml_element(&text, "Credentials").unwrap_or_default();
    let [key, secret, token] =
        ["AccessKeyId", "SecretAccessKey", "SessionToken"].map(|name| xml_element(credentials, name));
    match (key, secret, token) {
        (Some(key), Some(secret), Some(token)) => Ok(AwsCredentials {
            access_key_id: key.to_owned(),
            secret_access_key: secret.to_owned().into(),
            session_token: Some(token.to_owned().into()),
        }),
        _ => Err(AwsError::InvalidResponse(STS)),
    }
}

fn unescape(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}
