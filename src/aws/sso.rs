//! IAM Identity Center, formerly AWS SSO: `aws sso login` keeps a token, which credentials of a role are fetched with.
//!
//! API: [GetRoleCredentials](https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html)
//! and [CreateToken](https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateToken.html).

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, Request};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha1::{Digest as _, Sha1};

use super::endpoint::EndpointVariant;
use super::{AwsClient, AwsCredentials, AwsError, AwsService, first_line};

const SSO: &str = "AWS IAM Identity Center";

/// How long before its end a token is refreshed, as in AWS's SDKs.
const REFRESH_LEEWAY: Duration = Duration::from_secs(5 * 60);

const BEARER_TOKEN: HeaderName = HeaderName::from_static("x-amz-sso_bearer_token");

/// What a profile states of SSO, with the properties of its `sso_session`.
#[derive(Debug)]
pub(super) struct SsoProfile<'a> {
    pub(super) profile: &'a str,
    /// The name of the `sso_session`. Without one the token is stored under the start URL and is not refreshed.
    pub(super) session: Option<&'a str>,
    pub(super) region: &'a str,
    pub(super) start_url: &'a str,
    pub(super) account_id: &'a str,
    pub(super) role_name: &'a str,
}

impl SsoProfile<'_> {
    fn invalid(&self, reason: &'static str) -> AwsError {
        AwsError::SsoSession { profile: self.profile.to_owned(), reason }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SsoResponse {
    role_credentials: RoleCredentials,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RoleCredentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
}

/// The file in which `aws sso login` stores a token. Fields that are not known here stay in it.
struct CachedToken {
    path: PathBuf,
    fields: Map<String, Value>,
}

impl CachedToken {
    /// Reads the token of an `sso_session` or a start URL, or returns `None` if there is no file or no token in it.
    async fn read(home: &Path, identifier: &str) -> Option<Self> {
        let name = format!("{}.json", hex::encode(Sha1::digest(identifier)));
        let path = home.join(".aws/sso/cache").join(name);
        let fields = serde_json::from_slice(&tokio::fs::read(&path).await.ok()?).ok()?;
        Some(Self { path, fields }).filter(|token| token.text("accessToken").is_some() && token.end().is_some())
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }

    fn end(&self) -> Option<Timestamp> {
        self.time("expiresAt")
    }

    fn time(&self, field: &str) -> Option<Timestamp> {
        // Version 1 of the AWS command line wrote `UTC` for `Z`.
        self.text(field)?.replace("UTC", "Z").parse().ok()
    }

    fn expires_within(&self, leeway: Duration) -> bool {
        self.end().is_none_or(|end| end <= Timestamp::now() + leeway)
    }

    /// Returns the body of the request that refreshes the token, if the token can be refreshed.
    fn refresh_request(&self) -> Option<String> {
        if self.time("registrationExpiresAt")? <= Timestamp::now() {
            return None;
        }
        let [client, secret, refresh] = ["clientId", "clientSecret", "refreshToken"].map(|field| self.text(field));
        let body = json!({
            "clientId": client?, "clientSecret": secret?, "refreshToken": refresh?, "grantType": "refresh_token",
        });
        Some(body.to_string())
    }
}

impl AwsClient<'_> {
    pub(super) async fn sso_credentials(&self, sso: &SsoProfile<'_>) -> Result<AwsCredentials, AwsError> {
        let home = self.environment.home.as_deref().ok_or_else(|| sso.invalid("needs a home directory"))?;
        let token = CachedToken::read(home, sso.session.unwrap_or(sso.start_url)).await;
        let mut token = token.ok_or_else(|| sso.invalid("does not exist"))?;
        if sso.session.is_some() && token.expires_within(REFRESH_LEEWAY) {
            self.refresh(&mut token, sso.region).await;
        }
        if token.expires_within(Duration::ZERO) {
            return Err(sso.invalid("has expired"));
        }
        let mut url = self.endpoint(AwsService::Sso, sso.region, EndpointVariant::default()).await?;
        url.set_path(&format!("{}/federation/credentials", url.path().trim_end_matches('/')));
        url.query_pairs_mut().append_pair("role_name", sso.role_name).append_pair("account_id", sso.account_id);
        let mut request = Request::new(Method::GET, url);
        let bearer = HeaderValue::from_str(token.text("accessToken").unwrap_or_default());
        let mut bearer = bearer.map_err(|_| sso.invalid("has an invalid token"))?;
        bearer.set_sensitive(true);
        request.headers_mut().insert(BEARER_TOKEN, bearer);
        let response = self.send(SSO, request).await?;
        match response.status.as_u16() {
            200 => {}
            401 => return Err(sso.invalid("has expired")),
            _ => {
                let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
                let message = first_line(body["message"].as_str().unwrap_or("no reason given"));
                return Err(AwsError::Service { service: SSO, status: response.status, message });
            }
        }
        let SsoResponse { role_credentials: RoleCredentials { access_key_id, secret_access_key, session_token } } =
            serde_json::from_slice(&response.body).map_err(|_| AwsError::InvalidResponse(SSO))?;
        Ok(AwsCredentials {
            access_key_id,
            secret_access_key: secret_access_key.into(),
            session_token: Some(session_token.into()),
        })
    }

    /// Refreshes a token and stores it, for the other tools too: a refresh token may be good for one use only. A token
    /// that cannot be refreshed stays as it is, and may still be valid.
    async fn refresh(&self, token: &mut CachedToken, region: &str) {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct RefreshedToken {
            access_token: String,
            expires_in: u32,
            refresh_token: Option<String>,
        }
        let Some(body) = token.refresh_request() else { return };
        let Ok(mut url) = self.endpoint(AwsService::SsoOidc, region, EndpointVariant::default()).await else { return };
        url.set_path(&format!("{}/token", url.path().trim_end_matches('/')));
        let mut request = Request::new(Method::POST, url);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(body.into());
        let Ok(response) = self.send(SSO, request).await else { return };
        let Ok(refreshed) = serde_json::from_slice::<RefreshedToken>(&response.body) else { return };
        let end = Timestamp::now() + Duration::from_secs(refreshed.expires_in.into());
        token.fields.insert("accessToken".to_owned(), refreshed.access_token.into());
        token.fields.insert("expiresAt".to_owned(), end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into());
        if let Some(refresh_token) = refreshed.refresh_token {
            token.fields.insert("refreshToken".to_owned(), refresh_token.into());
        }
        // The token serves this process, stored or not.
        let _ = tokio::fs::write(&token.path, Value::Object(token.fields.clone()).to_string()).await;
    }
}
