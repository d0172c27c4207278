//! Authentication at registries: logins and tokens, each cached for as long as it is valid.
//!
//! Specification: Docker's [token authentication](https://distribution.github.io/distribution/spec/auth/token/), its
//! [OAuth 2 form](https://distribution.github.io/distribution/spec/auth/oauth/) and its
//! [scopes](https://distribution.github.io/distribution/spec/auth/scope/).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use url::{Url, form_urlencoded};

use super::challenge::Challenge;
use super::client::RegistryClient;
use super::credentials::RegistryLogin;
use super::request_error::{Identity, RequestError};
use crate::http::authority;

/// The lifetime of a token without `expires_in`, in seconds, as the specification has it.
const DEFAULT_LIFETIME: u64 = 60;

/// The largest response of a token server, in bytes.
const LARGEST_RESPONSE: u64 = 1 << 20;

/// The access that a request needs: actions by resource, the repository of the request first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scopes(Vec<(String, BTreeSet<String>)>);

impl Scopes {
    /// Returns the scope to read a repository.
    pub(super) fn pull(repository: &str) -> Self {
        Self(vec![(format!("repository:{repository}"), BTreeSet::from(["pull".to_owned()]))])
    }

    /// Returns the scope to read and write a repository.
    pub(super) fn push(repository: &str) -> Self {
        let actions = ["pull", "push"].map(str::to_owned);
        Self(vec![(format!("repository:{repository}"), BTreeSet::from(actions))])
    }

    /// Returns both scopes together.
    pub(super) fn merged(mut self, other: Self) -> Self {
        for (resource, actions) in other.0 {
            match self.0.iter_mut().find(|(known, _)| *known == resource) {
                Some((_, known)) => known.extend(actions),
                None => self.0.push((resource, actions)),
            }
        }
        self
    }

    /// Parses the scopes of a challenge, which are separated by spaces.
    fn parse(text: &str) -> Self {
        let scopes = text.split_whitespace().filter_map(|scope| scope.rsplit_once(':'));
        scopes.fold(Self(Vec::new()), |scopes, (resource, actions)| {
            scopes.merged(Self(vec![(resource.to_owned(), actions.split(',').map(str::to_owned).collect())]))
        })
    }

    /// Tells whether these scopes include all of `other`.
    fn cover(&self, other: &Self) -> bool {
        other.0.iter().all(|(resource, actions)| {
            self.0.iter().any(|(known, allowed)| known == resource && actions.is_subset(allowed))
        })
    }

    fn texts(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(resource, actions)| {
            format!("{resource}:{}", actions.iter().map(String::as_str).collect::<Vec<_>>().join(","))
        })
    }
}

/// The `Authorization` header of a request.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Authorization {
    /// `None` for anonymous requests.
    pub header: Option<HeaderValue>,
    pub identity: Identity,
}

impl Authorization {
    fn new(text: &str, identity: Identity) -> Option<Self> {
        let mut header = HeaderValue::from_str(text).ok()?;
        header.set_sensitive(true);
        Some(Self { header: Some(header), identity })
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Authorization").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// What has been learned about how to authenticate to a registry.
#[derive(Default)]
pub(super) struct RegistryAccess {
    /// `None` until the registry returns one.
    challenge: Option<Challenge>,
    /// By repository.
    logins: BTreeMap<String, RegistryLogin>,
    tokens: Vec<BearerToken>,
}

struct BearerToken {
    scopes: Scopes,
    credential: Authorization,
    end: Instant,
}

/// Where to authenticate, and for which repository.
#[derive(Clone, Copy)]
pub(super) struct AuthTarget<'a> {
    pub client: &'a RegistryClient,
    pub registry: &'a str,
    /// Whether the registry uses plain HTTP: then its token server may do so too.
    pub is_plain: bool,
    pub repository: &'a str,
}

impl RegistryAccess {
    /// Returns the authorization of a request: anonymous until the registry has asked for credentials.
    pub(super) async fn credential(
        &mut self,
        target: AuthTarget<'_>,
        scopes: &Scopes,
    ) -> Result<Authorization, RequestError> {
        match self.challenge.clone() {
            None => Ok(Authorization { header: None, identity: Identity::Anonymous }),
            Some(Challenge::Basic) => basic(target.registry, self.login(target).await?),
            Some(Challenge::Bearer { realm, service, scope }) => {
                let now = Instant::now();
                self.tokens.retain(|token| token.end > now);
                if let Some(token) = self.tokens.iter().find(|token| token.scopes.cover(scopes)) {
                    return Ok(token.credential.clone());
                }
                let scopes = scopes.clone().merged(Scopes::parse(scope.as_deref().unwrap_or_default()));
                let login = self.login(target).await?.clone();
                let (credential, life) = request(target, &realm, service.as_deref(), &scopes, &login).await?;
                // A tenth is left for the transfer. `issued_at` is of no use: the clocks may differ.
                let end = now + life.mul_f64(0.9);
                self.tokens.push(BearerToken { scopes, credential: credential.clone(), end });
                Ok(credential)
            }
        }
    }

    /// Returns the authorization for the second attempt at a request that was denied with `refused`, or `None` if it would
    /// be the same.
    pub(super) async fn renewed(
        &mut self,
        target: AuthTarget<'_>,
        scopes: &Scopes,
        refused: &Authorization,
        demands: &[String],
    ) -> Result<Option<Authorization>, RequestError> {
        let mut challenge = Challenge::best(demands.iter().map(String::as_str))
            .ok_or_else(|| invalid_challenge(target.registry, "its WWW-Authenticate header has no supported scheme"))?;
        let mut wanted = scopes.clone();
        if let Challenge::Bearer { scope, .. } = &mut challenge {
            // The scope is that of this request alone.
            wanted = wanted.merged(Scopes::parse(&scope.take().unwrap_or_default()));
        }
        let is_bearer = matches!(challenge, Challenge::Bearer { .. });
        self.challenge = Some(challenge);
        // Another request may have replaced the token meanwhile.
        self.tokens.retain(|token| token.credential != *refused);
        let renewed = self.credential(target, &wanted).await?;
        // A token server may return the same token again, and the registry accept it: try it.
        Ok((is_bearer || renewed != *refused).then_some(renewed))
    }

    async fn login(&mut self, target: AuthTarget<'_>) -> Result<&RegistryLogin, RequestError> {
        let key = target.repository.to_owned();
        if !self.logins.contains_key(&key) {
            let login = target.client.keychain().login(target.registry, target.repository).await?;
            self.logins.insert(key.clone(), login);
        }
        Ok(self.logins.entry(key).or_insert(RegistryLogin::Anonymous))
    }
}

fn invalid_challenge(registry: &str, reason: &str) -> RequestError {
    RequestError::Challenge { registry: registry.to_owned(), reason: reason.to_owned() }
}

fn basic(registry: &str, login: &RegistryLogin) -> Result<Authorization, RequestError> {
    match login {
        RegistryLogin::Anonymous => Ok(Authorization { header: None, identity: Identity::Anonymous }),
        RegistryLogin::Basic { username, password } => {
            let text = basic_authorization(username, password.reveal());
            Authorization::new(&text, Identity::User(username.clone()))
                .ok_or_else(|| invalid_challenge(registry, "the user name or password cannot be sent in a header"))
        }
        RegistryLogin::IdentityToken(_) => {
            Err(invalid_challenge(registry, "it requires a password, but the stored credential is an identity token"))
        }
    }
}

fn basic_authorization(username: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{username}:{password}")))
}

/// The response of a token server.
#[derive(Deserialize)]
struct TokenGrant {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

/// Requests a token from a token server, and returns it with its lifetime.
async fn request(
    target: AuthTarget<'_>,
    realm: &str,
    service: Option<&str>,
    scopes: &Scopes,
    login: &RegistryLogin,
) -> Result<(Authorization, Duration), RequestError> {
    let mut realm = check_realm(target.registry, target.is_plain, realm)?;
    let (builder, identity) = match login {
        RegistryLogin::IdentityToken(token) => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair("grant_type", "refresh_token").append_pair("client_id", "pybundle");
            form.extend_pairs(service.map(|service| ("service", service)));
            form.append_pair("scope", &scopes.texts().collect::<Vec<_>>().join(" "));
            form.append_pair("refresh_token", token.reveal());
            let builder = target.client.http(&realm).post(realm.clone());
            let form_type = "application/x-www-form-urlencoded";
            (builder.header(CONTENT_TYPE, form_type).body(form.finish()), Identity::Token)
        }
        RegistryLogin::Anonymous | RegistryLogin::Basic { .. } => {
            realm.query_pairs_mut().extend_pairs(service.map(|service| ("service", service)));
            realm.query_pairs_mut().extend_pairs(scopes.texts().map(|scope| ("scope", scope)));
            let credential = basic(target.registry, login)?;
            let builder = target.client.http(&realm).get(realm.clone());
            let header = credential.header.map(|header| (AUTHORIZATION, header));
            (builder.headers(header.into_iter().collect()), credential.identity)
        }
    };
    let mut response = target.client.transmit(&realm, builder, identity.clone()).await?;
    let status = response.status();
    if matches!(status.as_u16(), 400 | 401 | 403) {
        let errors = response.errors().await;
        return Err(RequestError::Refused { registry: target.registry.to_owned(), identity, status, errors });
    }
    if !status.is_success() {
        return Err(response.into_error().await);
    }
    let granted = granted(&response.bytes(LARGEST_RESPONSE).await?, identity);
    granted.ok_or_else(|| RequestError::Token { host: authority(&realm) })
}

/// Parses the response of a token server.
fn granted(body: &[u8], identity: Identity) -> Option<(Authorization, Duration)> {
    let grant: TokenGrant = serde_json::from_slice(body).ok()?;
    let token = grant.token.or(grant.access_token).filter(|token| !token.is_empty())?;
    let credential = Authorization::new(&format!("Bearer {token}"), identity)?;
    Some((credential, Duration::from_secs(grant.expires_in.unwrap_or(DEFAULT_LIFETIME).min(1 << 30))))
}

/// Parses the URL of a token server, which must use TLS if the registry does: credentials are sent there.
fn check_realm(registry: &str, is_plain: bool, realm: &str) -> Result<Url, RequestError> {
    let url =
        Url::parse(realm).map_err(|_| invalid_challenge(registry, "the address of its token server is not a URL"))?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_plain => Ok(url),
        _ => Err(invalid_challenge(registry, "its token server does not use https")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_merged_by_resource() {
        let scopes = Scopes::push("b/app").merged(Scopes::pull("a/base")).merged(Scopes::pull("b/app"));
        assert_eq!(scopes.texts().collect::<Vec<_>>(), ["repository:b/app:pull,push", "repository:a/base:pull"]);
        assert_eq!(Scopes::parse("repository:b/app:push,pull  repository:a/base:pull"), scopes);
        assert!(scopes.cover(&Scopes::pull("a/base")) && !scopes.cover(&Scopes::push("a/base")));
        assert!(!Scopes::pull("b/app").cover(&scopes));
        assert_eq!(Scopes::parse("nothing"), Scopes(Vec::new()));
        assert_eq!(Scopes::parse("repository:host:5000/a:pull").texts().next().unwrap(), "repository:host:5000/a:pull");
    }

    #[test]
    fn credentials_are_sent_to_no_token_server_without_tls() {
        for (is_plain, realm, is_good) in [
            (false, "https://auth.docker.io/token", true),
            (true, "https://auth.docker.io/token", true),
            (true, "http://127.0.0.1:5001/token", true),
            (false, "http://auth.docker.io/token", false),
            (true, "ftp://host/token", false),
            (false, "/token", false),
        ] {
            let checked = check_realm("host", is_plain, realm);
            assert_eq!(checked.is_ok(), is_good, "{realm}");
            assert!(checked.map_or_else(|error| error.to_string(), String::from).contains("host") || is_good);
        }
    }

    #[test]
    fn authorizations_are_not_shown() {
        let login = RegistryLogin::Basic { username: "alice".to_owned(), password: "hunter2".to_owned().into() };
        let credential = basic("host", &login).unwrap();
        let header = credential.header.clone().unwrap();
        assert_eq!(header.to_str().unwrap(), "Basic YWxpY2U6aHVudGVyMg==");
        assert!(!format!("{credential:?}{header:?}").contains("YWxpY2U6"));
        assert!(basic("host", &RegistryLogin::IdentityToken("t".to_owned().into())).is_err());
    }
}
