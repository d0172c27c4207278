//! Showing registries who asks: logins and tokens, each kept for as long as it serves.
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
use super::client::{Client, authority};
use super::credentials::Login;
use super::fault::{Fault, Identity};

/// How long a token is good for that does not tell, in seconds.
const LIFE: u64 = 60;

/// The largest answer of a token server, in bytes.
const LARGEST: u64 = 1 << 20;

/// What a request needs to be allowed to do: actions by resource, that of the repository it is about first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scopes(Vec<(String, BTreeSet<String>)>);

impl Scopes {
    /// To read a repository.
    pub fn pull(repository: &str) -> Self {
        Self(vec![(format!("repository:{repository}"), BTreeSet::from(["pull".to_owned()]))])
    }

    /// To read and write a repository.
    pub fn push(repository: &str) -> Self {
        let actions = ["pull", "push"].map(str::to_owned);
        Self(vec![(format!("repository:{repository}"), BTreeSet::from(actions))])
    }

    /// Adds to what is allowed.
    pub fn merged(mut self, other: Self) -> Self {
        for (resource, actions) in other.0 {
            match self.0.iter_mut().find(|(known, _)| *known == resource) {
                Some((_, known)) => known.extend(actions),
                None => self.0.push((resource, actions)),
            }
        }
        self
    }

    /// Reads what a registry demands: several scopes have spaces between them.
    fn parse(text: &str) -> Self {
        let scopes = text.split_whitespace().filter_map(|scope| scope.rsplit_once(':'));
        scopes.fold(Self(Vec::new()), |scopes, (resource, actions)| {
            scopes.merged(Self(vec![(resource.to_owned(), actions.split(',').map(str::to_owned).collect())]))
        })
    }

    /// Tells whether everything that `other` allows is allowed.
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

/// What goes with a request.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credential {
    /// The header `Authorization`, if there is to be one.
    pub header: Option<HeaderValue>,
    /// Whose it is.
    pub identity: Identity,
}

impl Credential {
    fn new(text: &str, identity: Identity) -> Option<Self> {
        let mut header = HeaderValue::from_str(text).ok()?;
        header.set_sensitive(true);
        Some(Self { header: Some(header), identity })
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credential").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// What is known of how a registry lets its clients in.
#[derive(Default)]
pub(super) struct Access {
    /// None before the registry demanded anything.
    challenge: Option<Challenge>,
    /// By repository.
    logins: BTreeMap<String, Login>,
    tokens: Vec<Token>,
}

struct Token {
    scopes: Scopes,
    credential: Credential,
    end: Instant,
}

/// A registry, as far as letting in goes.
#[derive(Clone, Copy)]
pub(super) struct Door<'a> {
    pub client: &'a Client,
    pub registry: &'a str,
    /// Whether the registry is asked by plain HTTP, so that its token server may be, too.
    pub is_plain: bool,
    pub repository: &'a str,
}

impl Access {
    /// Returns what goes with a request: nothing before the registry demands something.
    pub async fn credential(&mut self, door: Door<'_>, scopes: &Scopes) -> Result<Credential, Fault> {
        match self.challenge.clone() {
            None => Ok(Credential { header: None, identity: Identity::Anonymous }),
            Some(Challenge::Basic) => basic(door.registry, self.login(door).await?),
            Some(Challenge::Bearer { realm, service, scope }) => {
                let now = Instant::now();
                self.tokens.retain(|token| token.end > now);
                if let Some(token) = self.tokens.iter().find(|token| token.scopes.cover(scopes)) {
                    return Ok(token.credential.clone());
                }
                let scopes = scopes.clone().merged(Scopes::parse(scope.as_deref().unwrap_or_default()));
                let login = self.login(door).await?.clone();
                let (credential, life) = request(door, &realm, service.as_deref(), &scopes, &login).await?;
                // Its last tenth is left for the way. Clocks may differ, so its time of issue tells nothing here.
                let end = now + life.mul_f64(0.9);
                self.tokens.push(Token { scopes, credential: credential.clone(), end });
                Ok(credential)
            }
        }
    }

    /// Returns what goes with the second attempt at a request whose first was refused with `refused`, if there is
    /// anything else to try.
    pub async fn renewed(
        &mut self,
        door: Door<'_>,
        scopes: &Scopes,
        refused: &Credential,
        demands: &[String],
    ) -> Result<Option<Credential>, Fault> {
        let reason = || "does not say how it can be given".to_owned();
        let wrong = || Fault::Challenge { registry: door.registry.to_owned(), reason: reason() };
        let mut challenge = Challenge::best(demands.iter().map(String::as_str)).ok_or_else(wrong)?;
        let mut wanted = scopes.clone();
        if let Challenge::Bearer { scope, .. } = &mut challenge {
            // It is about this request, and no other.
            wanted = wanted.merged(Scopes::parse(&scope.take().unwrap_or_default()));
        }
        let is_bearer = matches!(challenge, Challenge::Bearer { .. });
        self.challenge = Some(challenge);
        // Whoever was refused with the same token before has a new one already.
        self.tokens.retain(|token| token.credential != *refused);
        let renewed = self.credential(door, &wanted).await?;
        // A token may be good though it reads as the one before: what refused that may have been something on the way.
        Ok((is_bearer || renewed != *refused).then_some(renewed))
    }

    async fn login(&mut self, door: Door<'_>) -> Result<&Login, Fault> {
        let key = door.repository.to_owned();
        if !self.logins.contains_key(&key) {
            let login = door.client.keychain().login(door.registry, door.repository).await?;
            self.logins.insert(key.clone(), login);
        }
        Ok(self.logins.entry(key).or_insert(Login::Anonymous))
    }
}

fn basic(registry: &str, login: &Login) -> Result<Credential, Fault> {
    let wrong = |reason: &str| Fault::Challenge { registry: registry.to_owned(), reason: reason.to_owned() };
    match login {
        Login::Anonymous => Ok(Credential { header: None, identity: Identity::Anonymous }),
        Login::Basic { username, password } => {
            let text = basic_authorization(username, password.reveal());
            Credential::new(&text, Identity::User(username.clone())).ok_or_else(|| wrong("its name cannot be sent"))
        }
        Login::IdentityToken(_) => Err(wrong("it takes a password, and what is stored for it is an identity token")),
    }
}

fn basic_authorization(username: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{username}:{password}")))
}

/// The answer of a token server.
#[derive(Deserialize)]
struct Grant {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

/// Asks a token server for a token; returns also how long it is good for.
async fn request(
    door: Door<'_>,
    realm: &str,
    service: Option<&str>,
    scopes: &Scopes,
    login: &Login,
) -> Result<(Credential, Duration), Fault> {
    let mut realm = check_realm(door.registry, door.is_plain, realm)?;
    let (builder, identity) = match login {
        Login::IdentityToken(token) => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair("grant_type", "refresh_token").append_pair("client_id", "pybundle");
            form.extend_pairs(service.map(|service| ("service", service)));
            form.append_pair("scope", &scopes.texts().collect::<Vec<_>>().join(" "));
            form.append_pair("refresh_token", token.reveal());
            let builder = door.client.http(&realm).post(realm.clone());
            let form_type = "application/x-www-form-urlencoded";
            (builder.header(CONTENT_TYPE, form_type).body(form.finish()), Identity::Token)
        }
        Login::Anonymous | Login::Basic { .. } => {
            realm.query_pairs_mut().extend_pairs(service.map(|service| ("service", service)));
            realm.query_pairs_mut().extend_pairs(scopes.texts().map(|scope| ("scope", scope)));
            let credential = basic(door.registry, login)?;
            let builder = door.client.http(&realm).get(realm.clone());
            let header = credential.header.map(|header| (AUTHORIZATION, header));
            (builder.headers(header.into_iter().collect()), credential.identity)
        }
    };
    let mut answer = door.client.transmit(&realm, builder, identity.clone()).await?;
    let status = answer.status();
    if matches!(status.as_u16(), 400 | 401 | 403) {
        let answers = answer.errors().await;
        return Err(Fault::Refused { registry: door.registry.to_owned(), identity, status, answers });
    }
    let none = || Fault::Token { host: authority(&realm) };
    if !status.is_success() {
        return Err(answer.into_fault().await);
    }
    let grant: Grant = serde_json::from_slice(&answer.bytes(LARGEST).await?).map_err(|_| none())?;
    let token = grant.token.or(grant.access_token).filter(|token| !token.is_empty()).ok_or_else(none)?;
    let credential = Credential::new(&format!("Bearer {token}"), identity).ok_or_else(none)?;
    Ok((credential, Duration::from_secs(grant.expires_in.unwrap_or(LIFE).min(1 << 30))))
}

/// Returns the token server's address, if credentials may be sent there: not without TLS, where the registry has it.
fn check_realm(registry: &str, is_plain: bool, realm: &str) -> Result<Url, Fault> {
    let wrong = |reason: &str| Fault::Challenge { registry: registry.to_owned(), reason: reason.to_owned() };
    let url = Url::parse(realm).map_err(|_| wrong("the address of its token server is none"))?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_plain => Ok(url),
        _ => Err(wrong("its token server is not to be asked by https")),
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
            assert!(checked.map_or_else(|fault| fault.to_string(), String::from).contains("host") || is_good);
        }
    }

    #[test]
    fn what_goes_with_a_request_is_not_shown() {
        let login = Login::Basic { username: "alice".to_owned(), password: "hunter2".to_owned().into() };
        let credential = basic("host", &login).unwrap();
        let header = credential.header.clone().unwrap();
        assert_eq!(header.to_str().unwrap(), "Basic YWxpY2U6aHVudGVyMg==");
        assert!(!format!("{credential:?}{header:?}").contains("YWxpY2U6"));
        assert!(basic("host", &Login::IdentityToken("t".to_owned().into())).is_err());
    }
}
