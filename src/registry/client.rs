//! Sending requests to registries: over HTTP or HTTPS, with which credentials, and through redirects.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, LOCATION, WWW_AUTHENTICATE};
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, Method, RequestBuilder, StatusCode};
use url::Url;

use super::credentials::Keychain;
use super::mirrors::PullRules;
use super::payload::Payload;
use super::private_location::check_location;
use super::request_error::{Identity, RequestError, is_about_proxy};
use super::response::RegistryResponse;
use super::token::{AuthTarget, Authorization, RegistryAccess, Scopes};
use super::{RegistryError, RegistryOptions};
use crate::http::{self, authority, is_about_certificates, is_loopback};
use crate::silence::SilenceWatch;

/// The limit of reqwest and of Go's client.
const MOST_REDIRECTS: usize = 10;

/// The limit for a TLS handshake with a registry on loopback, which may speak plain HTTP.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

/// Sends requests to registries.
pub(super) struct RegistryClient {
    /// Uses the proxy of the environment.
    proxied: reqwest::Client,
    /// For loopback addresses, which a proxy cannot reach, and the hosts in `NO_PROXY`.
    direct: reqwest::Client,
    /// For registries without verified certificates, if podman or Docker has such.
    unverified: Option<reqwest::Client>,
    options: RegistryOptions,
    rules: PullRules,
    hosts: Mutex<BTreeMap<String, Arc<Host>>>,
    requests: AtomicU64,
    watch: Arc<SilenceWatch>,
}

/// What has been learned about a registry.
#[derive(Default)]
pub(super) struct Host {
    /// Whether it uses plain HTTP. For a registry on loopback, or one that podman or Docker calls insecure, the first request
    /// finds out.
    is_plain: OnceLock<bool>,
    access: tokio::sync::Mutex<RegistryAccess>,
    /// Whether it refuses blobs in the request that completes the upload.
    pub wants_patch: AtomicBool,
    /// Whether it did not mount a blob that another of its repositories has.
    pub refused_mount: AtomicBool,
}

/// A repository in a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RepositoryName<'a> {
    /// The registry's host, with its port.
    pub registry: &'a str,
    pub name: &'a str,
    /// The path on the host below which the API is, with a slash in front; empty except for some mirrors.
    pub api: &'a str,
}

/// The URL of a request.
#[derive(Debug, Clone)]
pub(super) enum RequestTarget {
    /// A path below the repository, with or without a query.
    Path(String),
    /// The URL that the registry returned for this request.
    Location(Url),
}

/// A request, which can be sent more than once.
pub(super) struct RegistryRequest<'a> {
    pub repository: RepositoryName<'a>,
    pub method: Method,
    pub target: RequestTarget,
    pub scopes: Scopes,
    pub headers: HeaderMap,
    pub payload: Payload<'a>,
}

impl<'a> RegistryRequest<'a> {
    /// Returns a request that reads, without a body.
    pub(super) fn read(repository: RepositoryName<'a>, method: Method, path: String) -> Self {
        let scopes = Scopes::pull(repository.name);
        Self {
            repository,
            method,
            target: RequestTarget::Path(path),
            scopes,
            headers: HeaderMap::new(),
            payload: Payload::Empty,
        }
    }

    /// Returns a request that writes.
    pub(super) fn write(
        repository: RepositoryName<'a>,
        method: Method,
        target: RequestTarget,
        payload: Payload<'a>,
    ) -> Self {
        let scopes = Scopes::push(repository.name);
        Self { repository, method, target, scopes, headers: HeaderMap::new(), payload }
    }
}

impl RegistryClient {
    pub(super) fn new(options: RegistryOptions) -> Result<Self, RegistryError> {
        let proxied = http_client(options.connect_timeout).build().map_err(RegistryError::Client)?;
        let direct = http_client(options.connect_timeout).no_proxy().build().map_err(RegistryError::Client)?;
        let rules = PullRules::read(&options.files)?;
        let unverified = rules.has_insecure().then(|| {
            http_client(options.connect_timeout)
                .danger_accept_invalid_certs(true)
                .build()
                .map_err(RegistryError::Client)
        });
        let (unverified, hosts, watch) = (unverified.transpose()?, Mutex::default(), Arc::default());
        Ok(Self { proxied, direct, unverified, options, rules, hosts, requests: AtomicU64::new(0), watch })
    }

    pub(super) fn options(&self) -> &RegistryOptions {
        &self.options
    }

    /// Returns where images are pulled from.
    pub(super) fn rules(&self) -> &PullRules {
        &self.rules
    }

    pub(super) fn keychain(&self) -> &Keychain {
        &self.options.credentials
    }

    /// Returns what is known about the silence of servers.
    pub(super) fn watch(&self) -> &SilenceWatch {
        &self.watch
    }

    /// Returns the number of requests so far.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Returns what has been learned about a registry.
    pub(super) fn host(&self, registry: &str) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let host = hosts.entry(registry.to_owned()).or_insert_with(|| {
            let host = Host::default();
            let is_insecure = self.options.insecure.iter().any(|insecure| insecure == registry);
            if is_insecure || !is_loopback(registry) && !self.rules.is_insecure(registry) {
                host.is_plain.get_or_init(|| is_insecure);
            }
            Arc::new(host)
        });
        Arc::clone(host)
    }

    /// Returns the HTTP client for a URL.
    pub(super) fn http(&self, url: &Url) -> &reqwest::Client {
        match &self.unverified {
            Some(unverified) if self.rules.is_insecure(&authority(url)) => unverified,
            _ if is_loopback(&authority(url)) || http::is_direct(url) => &self.direct,
            _ => &self.proxied,
        }
    }

    /// Sends a request with the credentials that the registry asks for. A response with an error status is returned as it
    /// is, except if access was denied.
    pub(super) async fn send(&self, request: &RegistryRequest<'_>) -> Result<RegistryResponse, RequestError> {
        let registry = request.repository.registry;
        let host = self.host(registry);
        let mut credential =
            host.access.lock().await.credential(self.auth_target(&host, request.repository), &request.scopes).await?;
        let mut response = self.follow(&host, request, &credential).await?;
        let mut is_renewed = false;
        while response.status() == StatusCode::UNAUTHORIZED && response.is_from(registry) && !is_renewed {
            // Renewed once: the request for the first credential is no denial.
            is_renewed = credential.header.is_some();
            let demands = response.headers_named(WWW_AUTHENTICATE);
            let mut access = host.access.lock().await;
            let Some(renewed) = access
                .renewed(self.auth_target(&host, request.repository), &request.scopes, &credential, &demands)
                .await?
            else {
                break;
            };
            drop(access);
            credential = renewed;
            response = self.follow(&host, request, &credential).await?;
        }
        let is_refusal = matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        if is_refusal && response.is_from(registry) {
            let (status, identity) = (response.status(), response.identity.clone());
            let errors = response.errors().await;
            return Err(RequestError::Refused { registry: registry.to_owned(), identity, status, errors });
        }
        Ok(response)
    }

    fn auth_target<'a>(&'a self, host: &Host, repository: RepositoryName<'a>) -> AuthTarget<'a> {
        let RepositoryName { registry, name: repository, .. } = repository;
        AuthTarget { client: self, registry, repository, is_plain: host.is_plain.get() == Some(&true) }
    }

    /// Sends a request, and follows redirects. Credentials are sent to the registry alone.
    async fn follow(
        &self,
        host: &Host,
        request: &RegistryRequest<'_>,
        credential: &Authorization,
    ) -> Result<RegistryResponse, RequestError> {
        let registry = request.repository.registry;
        let mut response = match (&request.target, host.is_plain.get()) {
            (RequestTarget::Location(url), _) => {
                check_location(registry, url).await?;
                self.exchange(url, request, credential).await?
            }
            (RequestTarget::Path(path), Some(is_plain)) => {
                self.exchange(&request.repository.url(*is_plain, path)?, request, credential).await?
            }
            (RequestTarget::Path(path), None) => self.discover(host, path, request, credential).await?,
        };
        for _ in 0..MOST_REDIRECTS {
            let Some(url) = redirection(&request.method, &response)? else { return Ok(response) };
            if !matches!(request.method, Method::GET | Method::HEAD) {
                check_location(registry, &url).await?;
            }
            response = self.exchange(&url, request, credential).await?;
        }
        Err(RequestError::Location { host: response.host().to_owned(), reason: "too many redirects" })
    }

    /// Sends the first request to a registry that may use plain HTTP: over plain HTTP, and over TLS if that fails.
    async fn discover(
        &self,
        host: &Host,
        path: &str,
        request: &RegistryRequest<'_>,
        credential: &Authorization,
    ) -> Result<RegistryResponse, RequestError> {
        let plain = self.exchange(&request.repository.url(true, path)?, request, credential).await;
        let is_in_doubt = match &plain {
            Ok(response) => response.status() == StatusCode::BAD_REQUEST,
            Err(RequestError::Transport { source, .. }) => !source.is_connect(),
            Err(_) => false,
        };
        if is_in_doubt {
            let url = request.repository.url(false, path)?;
            match tokio::time::timeout(HANDSHAKE_TIMEOUT, self.exchange(&url, request, credential)).await {
                Ok(Ok(response)) => {
                    host.is_plain.get_or_init(|| false);
                    return Ok(response);
                }
                Ok(Err(RequestError::Transport { host, source })) if is_about_certificates(&source) => {
                    return Err(RequestError::Transport { host, source });
                }
                _ => {}
            }
        }
        if plain.is_ok() {
            host.is_plain.get_or_init(|| true);
        }
        plain
    }

    async fn exchange(
        &self,
        url: &Url,
        request: &RegistryRequest<'_>,
        credential: &Authorization,
    ) -> Result<RegistryResponse, RequestError> {
        let mut builder = self.http(url).request(request.method.clone(), url.clone()).headers(request.headers.clone());
        let is_own = is_at(url, request.repository.registry);
        let identity = if is_own { credential.identity.clone() } else { Identity::Anonymous };
        if let Some(header) = credential.header.clone().filter(|_| is_own) {
            builder = builder.header(AUTHORIZATION, header);
        }
        match &request.payload {
            Payload::Empty => self.transmit(url, builder, identity).await,
            Payload::Bytes(bytes) => self.transmit(url, builder.body(bytes.to_vec()), identity).await,
            Payload::Blob(source) => {
                let mut flow = source.open().await?;
                let builder = source.attach(builder, flow.take());
                let response = self.transmit_watched(url, builder, identity, || flow.report(source)).await;
                flow.report(source);
                // If the body could not be read, that is why the connection broke.
                flow.reason().map_or(response, Err)
            }
        }
    }

    /// Sends a request whose body is in memory.
    pub(super) async fn transmit(
        &self,
        url: &Url,
        builder: RequestBuilder,
        identity: Identity,
    ) -> Result<RegistryResponse, RequestError> {
        self.transmit_watched(url, builder, identity, || 0).await
    }

    /// Sends a request, and waits for as long as its body makes progress: uploads have no other limit.
    async fn transmit_watched(
        &self,
        url: &Url,
        builder: RequestBuilder,
        identity: Identity,
        progress: impl FnMut() -> u64,
    ) -> Result<RegistryResponse, RequestError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let (host, silence) = (authority(url), self.options.silence);
        match self.watch.wait(&host, silence, builder.send(), progress).await? {
            // Only proxies answer with it (RFC 9110, section 15.5.8).
            Ok(response) if response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                Err(RequestError::ProxyLogin { host })
            }
            Ok(response) if !is_loopback(&host) && http::is_of_proxy(url, response.status()) => {
                Err(RequestError::ProxyStatus { host, status: response.status() })
            }
            Ok(response) => Ok(RegistryResponse::new(response, identity, Arc::clone(&self.watch), silence)),
            // Without the URL, which may contain a signature.
            Err(error) if is_about_proxy(&error) => Err(RequestError::Proxy { host, source: error.without_url() }),
            Err(error) => Err(RequestError::Transport { host, source: error.without_url() }),
        }
    }
}

/// Starts to build an HTTP client.
fn http_client(connect_timeout: Duration) -> ClientBuilder {
    // `follow` does it, which sends credentials to the registry alone.
    http::client(connect_timeout).redirect(Policy::none())
}

impl<'a> RepositoryName<'a> {
    /// Parses `HOST/REPOSITORY`.
    pub(super) fn of(name: &'a str) -> Self {
        let (registry, name) = name.split_once('/').unwrap_or((name, ""));
        Self { registry, name, api: "" }
    }

    /// Returns the URL of a path below the repository.
    fn url(&self, is_plain: bool, path: &str) -> Result<Url, RequestError> {
        let scheme = if is_plain { "http" } else { "https" };
        let url = Url::parse(&format!("{scheme}://{}{}/v2/{}/{path}", self.registry, self.api, self.name));
        url.map_err(|_| RequestError::Location { host: self.registry.to_owned(), reason: "it is not a URL" })
    }
}

impl std::fmt::Display for RepositoryName<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.registry, self.name)
    }
}

/// Tells whether a URL is that of a registry, given by its host with an optional port.
pub(super) fn is_at(url: &Url, registry: &str) -> bool {
    let own = Url::parse(&format!("{}://{registry}", url.scheme()));
    own.is_ok_and(|own| own.host() == url.host() && own.port_or_known_default() == url.port_or_known_default())
}

/// Returns where a response redirects its request, if that is followed. A redirect of HEAD says nothing about the blob: some
/// registries redirect to their storage whether it is there or not (distribution-spec issue 607).
fn redirection(method: &Method, response: &RegistryResponse) -> Result<Option<Url>, RequestError> {
    let is_followed = match response.status().as_u16() {
        301..=303 => matches!(*method, Method::GET | Method::HEAD),
        307 | 308 => true,
        _ => false,
    };
    if is_followed { response.location(LOCATION).map(Some) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_its_host_and_port() {
        for (url, registry, expected) in [
            ("https://host/v2/", "host", true),
            ("https://host/v2/", "Host:443", true),
            ("http://[::1]:5/", "[::1]:5", true),
            ("https://host:444/v2/", "host", false),
            ("https://host.tld/", "host", false),
            ("https://host/", "host:5000", false),
            ("https://other@hos/", "host", false),
        ] {
            assert_eq!(is_at(&url.parse().unwrap(), registry), expected, "{url}");
        }
    }
}
