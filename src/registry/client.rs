//! Sending requests to registries: by which scheme, as whom, and on to where they are redirected.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, LOCATION, WWW_AUTHENTICATE};
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, StatusCode};
use url::Url;

use super::answer::Answer;
use super::credentials::Keychain;
use super::fault::{Fault, Identity, is_about_certificates};
use super::payload::Payload;
use super::token::{Access, Credential, Door, Scopes};
use super::{RegistryError, RegistryOptions};

/// As many redirects as browsers follow, more or less.
const MOST_REDIRECTS: usize = 10;

/// How long a registry on loopback may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(3);

/// How often the progress of a body is looked at.
const TICK: Duration = Duration::from_millis(100);

/// Sends requests to registries.
pub(super) struct Client {
    /// What everything goes through, by the system's proxy where there is one.
    proxied: reqwest::Client,
    /// What goes to this machine itself: no proxy gets there.
    direct: reqwest::Client,
    options: RegistryOptions,
    hosts: Mutex<BTreeMap<String, Arc<Host>>>,
    requests: AtomicU64,
}

/// What is known of a registry.
#[derive(Default)]
pub(super) struct Host {
    /// Whether it is asked by plain HTTP; not known of one on loopback before it is asked.
    is_plain: OnceLock<bool>,
    access: tokio::sync::Mutex<Access>,
    /// Whether it refused a blob in the request that completes its upload.
    pub wants_patch: AtomicBool,
}

/// A repository in a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Repository<'a> {
    /// The registry's host, with its port.
    pub registry: &'a str,
    pub name: &'a str,
}

/// Where a request goes.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// To a path below the repository, perhaps with a query.
    Path(String),
    /// To where the registry said.
    Location(Url),
}

/// A request, which may have to be sent more than once.
pub(super) struct Request<'a> {
    pub repository: Repository<'a>,
    pub method: Method,
    pub target: Target,
    pub scopes: Scopes,
    pub headers: HeaderMap,
    pub payload: Payload<'a>,
}

impl<'a> Request<'a> {
    /// A request without a body, that reads.
    pub fn read(repository: Repository<'a>, method: Method, path: String) -> Self {
        let scopes = Scopes::pull(repository.name);
        Self {
            repository,
            method,
            target: Target::Path(path),
            scopes,
            headers: HeaderMap::new(),
            payload: Payload::Empty,
        }
    }

    /// A request that writes.
    pub fn write(repository: Repository<'a>, method: Method, target: Target, payload: Payload<'a>) -> Self {
        let scopes = Scopes::push(repository.name);
        Self { repository, method, target, scopes, headers: HeaderMap::new(), payload }
    }
}

impl Client {
    pub fn new(options: RegistryOptions) -> Result<Self, RegistryError> {
        let builder = || {
            reqwest::Client::builder()
                .user_agent(concat!("pybundle/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(options.connect_timeout)
                // It would tell the next server the URL of the one before, with what may be secret in it.
                .referer(false)
                // They are followed here, where it is known whom a credential is for.
                .redirect(Policy::none())
        };
        let proxied = builder().build().map_err(RegistryError::Client)?;
        let direct = builder().no_proxy().build().map_err(RegistryError::Client)?;
        Ok(Self { proxied, direct, options, hosts: Mutex::default(), requests: AtomicU64::new(0) })
    }

    pub fn options(&self) -> &RegistryOptions {
        &self.options
    }

    pub fn keychain(&self) -> &Keychain {
        &self.options.credentials
    }

    /// Returns how many requests were sent so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Returns what is known of a registry.
    pub fn host(&self, registry: &str) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let host = Host::default();
            let is_insecure = self.options.insecure.iter().any(|insecure| insecure == registry);
            if is_insecure || !is_loopback(registry) {
                host.is_plain.get_or_init(|| is_insecure);
            }
            Arc::new(host)
        };
        Arc::clone(hosts.entry(registry.to_owned()).or_insert_with(new))
    }

    /// Returns the connections by which a URL is reached.
    pub fn http(&self, url: &Url) -> &reqwest::Client {
        if is_loopback(&authority(url)) { &self.direct } else { &self.proxied }
    }

    /// Sends a request, as whom the registry demands. An answer with an error is an answer, but for refusals.
    pub async fn send(&self, request: &Request<'_>) -> Result<Answer, Fault> {
        let Repository { registry, name: repository } = request.repository;
        let host = self.host(registry);
        let door = || Door { client: self, registry, repository, is_plain: host.is_plain.get() == Some(&true) };
        let mut credential = host.access.lock().await.credential(door(), &request.scopes).await?;
        let mut answer = self.follow(&host, request, &credential).await?;
        let mut is_renewed = false;
        while answer.status() == StatusCode::UNAUTHORIZED && answer.is_from(registry) && !is_renewed {
            // Once only, but to be asked for the first credential is no refusal.
            is_renewed = credential.header.is_some();
            let demands = answer.texts(WWW_AUTHENTICATE);
            let mut access = host.access.lock().await;
            let Some(renewed) = access.renewed(door(), &request.scopes, &credential, &demands).await? else { break };
            drop(access);
            credential = renewed;
            answer = self.follow(&host, request, &credential).await?;
        }
        let is_refusal = matches!(answer.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        if is_refusal && answer.is_from(registry) {
            let (status, identity) = (answer.status(), answer.identity.clone());
            let answers = answer.errors().await;
            return Err(Fault::Refused { registry: registry.to_owned(), identity, status, answers });
        }
        Ok(answer)
    }

    /// Sends a request, and to where it is redirected. A credential goes to the registry and nowhere else.
    async fn follow(&self, host: &Host, request: &Request<'_>, credential: &Credential) -> Result<Answer, Fault> {
        let mut answer = match (&request.target, host.is_plain.get()) {
            (Target::Location(url), _) => self.exchange(url, request, credential).await?,
            (Target::Path(path), Some(is_plain)) => {
                self.exchange(&request.repository.url(*is_plain, path)?, request, credential).await?
            }
            (Target::Path(path), None) => self.discover(host, path, request, credential).await?,
        };
        for _ in 0..MOST_REDIRECTS {
            let Some(url) = redirection(&request.method, &answer)? else { return Ok(answer) };
            answer = self.exchange(&url, request, credential).await?;
        }
        Err(Fault::Location { host: answer.host().to_owned(), reason: "leads on without end" })
    }

    /// Sends the first request to a registry on loopback: by plain HTTP, and where that is not understood, by TLS.
    async fn discover(
        &self,
        host: &Host,
        path: &str,
        request: &Request<'_>,
        credential: &Credential,
    ) -> Result<Answer, Fault> {
        let plain = self.exchange(&request.repository.url(true, path)?, request, credential).await;
        let is_in_doubt = match &plain {
            Ok(answer) => answer.status() == StatusCode::BAD_REQUEST,
            Err(Fault::Transport { source, .. }) => !source.is_connect(),
            Err(_) => false,
        };
        if is_in_doubt {
            let url = request.repository.url(false, path)?;
            match tokio::time::timeout(HANDSHAKE, self.exchange(&url, request, credential)).await {
                Ok(Ok(answer)) => {
                    host.is_plain.get_or_init(|| false);
                    return Ok(answer);
                }
                Ok(Err(Fault::Transport { host, source })) if is_about_certificates(&source) => {
                    return Err(Fault::Transport { host, source });
                }
                _ => {}
            }
        }
        if plain.is_ok() {
            host.is_plain.get_or_init(|| true);
        }
        plain
    }

    async fn exchange(&self, url: &Url, request: &Request<'_>, credential: &Credential) -> Result<Answer, Fault> {
        let mut builder = self.http(url).request(request.method.clone(), url.clone()).headers(request.headers.clone());
        let is_own = is_at(url, request.repository.registry);
        let identity = if is_own { credential.identity.clone() } else { Identity::Anonymous };
        if let Some(header) = credential.header.clone().filter(|_| is_own) {
            builder = builder.header(AUTHORIZATION, header);
        }
        match &request.payload {
            Payload::Empty => self.transmit(url, builder, identity).await,
            Payload::Bytes(bytes) => self.transmit(url, builder.body(bytes.to_vec()), identity).await,
            Payload::Source(source) => {
                let mut flow = source.open().await?;
                let builder = source.attach(builder, flow.take());
                let mut progress = || {
                    let sent = flow.sent.load(Ordering::Relaxed);
                    source.advance(sent);
                    sent
                };
                let answer = self.transmit_watched(url, builder, identity, &mut progress).await;
                progress();
                // If the body could not be made, that is why the connection broke.
                flow.reason().map_or(answer, Err)
            }
        }
    }

    /// Sends a request whose body, if it has one, is at hand.
    pub async fn transmit(&self, url: &Url, builder: RequestBuilder, identity: Identity) -> Result<Answer, Fault> {
        self.transmit_watched(url, builder, identity, &mut || 0).await
    }

    /// Sends a request, and waits for as long as its body makes progress.
    async fn transmit_watched(
        &self,
        url: &Url,
        builder: RequestBuilder,
        identity: Identity,
        progress: &mut dyn FnMut() -> u64,
    ) -> Result<Answer, Fault> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let (limit, mut sent, mut idle) = (self.options.read_timeout, progress(), Duration::ZERO);
        let mut answer = pin!(builder.send());
        loop {
            match tokio::time::timeout(TICK, &mut answer).await {
                Ok(Ok(response)) => return Ok(Answer::new(response, identity, limit)),
                // Without its URL, which may hold what is secret.
                Ok(Err(error)) => return Err(Fault::Transport { host: authority(url), source: error.without_url() }),
                Err(_) => {}
            }
            let before = std::mem::replace(&mut sent, progress());
            idle = if sent > before { Duration::ZERO } else { idle + TICK };
            if idle >= limit {
                return Err(Fault::Stalled { host: authority(url), limit });
            }
        }
    }
}

impl<'a> Repository<'a> {
    /// Returns the repository that `HOST/REPOSITORY` names.
    pub fn of(name: &'a str) -> Self {
        let (registry, name) = name.split_once('/').unwrap_or((name, ""));
        Self { registry, name }
    }

    /// Returns the URL of a path below the repository.
    fn url(&self, is_plain: bool, path: &str) -> Result<Url, Fault> {
        let scheme = if is_plain { "http" } else { "https" };
        let url = Url::parse(&format!("{scheme}://{}/v2/{}/{path}", self.registry, self.name));
        url.map_err(|_| Fault::Location { host: self.registry.to_owned(), reason: "is none" })
    }
}

impl std::fmt::Display for Repository<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.registry, self.name)
    }
}

/// Returns a URL's host, with its port where that is not its scheme's.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Tells whether a URL leads to a registry itself, given by its host with or without its port.
pub(super) fn is_at(url: &Url, registry: &str) -> bool {
    let own = Url::parse(&format!("{}://{registry}", url.scheme()));
    own.is_ok_and(|own| own.host() == url.host() && own.port_or_known_default() == url.port_or_known_default())
}

/// Tells whether a host, with or without a port, is this machine itself.
pub(super) fn is_loopback(registry: &str) -> bool {
    let host = match registry.rsplit_once(':') {
        Some((host, _)) if !registry.ends_with(']') => host,
        _ => registry,
    };
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Returns where an answer sends its request: never away from TLS. A HEAD is answered by the redirection itself.
fn redirection(method: &Method, answer: &Answer) -> Result<Option<Url>, Fault> {
    let is_followed = match answer.status().as_u16() {
        301..=303 => method == Method::GET,
        307 | 308 => method != Method::HEAD,
        _ => false,
    };
    if is_followed { answer.location(LOCATION).map(Some) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_its_host_and_port() {
        let is_at = |url: &str, registry| is_at(&url.parse().unwrap(), registry);
        assert!(
            is_at("https://host/v2/", "host")
                && is_at("https://host/v2/", "Host:443")
                && is_at("http://[::1]:5/", "[::1]:5")
        );
        assert!(!is_at("https://host:444/v2/", "host") && !is_at("https://host.tld/", "host"));
        assert!(!is_at("https://host/", "host:5000") && !is_at("https://other@hos/", "host"));
    }

    #[test]
    fn loopback_is_this_machine_alone() {
        for registry in ["localhost", "localhost:5000", "127.0.0.1:1", "127.8.9.1", "[::1]:5000", "[::1]"] {
            assert!(is_loopback(registry), "{registry}");
        }
        for registry in
            ["localhost.tld", "128.0.0.1:1", "10.0.0.1", "[::2]:1", "127.0.0.1.nip.io", "registry-1.docker.io"]
        {
            assert!(!is_loopback(registry), "{registry}");
        }
    }
}
