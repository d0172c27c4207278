//! The HTTP client that indexes, Debian's archives, registries and AWS are asked with.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::{ClientBuilder, StatusCode};
use url::Url;

use no_proxy::NoProxy;

mod no_proxy;

/// What `NO_PROXY` says, for every client of this process.
static NO_PROXY: OnceLock<NoProxy> = OnceLock::new();

/// Sets the value of `NO_PROXY`. The command line does it once, before the first request.
pub(crate) fn exclude_from_proxies(hosts: &str) {
    NO_PROXY.get_or_init(|| NoProxy::parse(hosts));
}

/// Whether `HTTP_PROXY` is set, for every client of this process.
static HAS_PLAIN_PROXY: AtomicBool = AtomicBool::new(false);

/// Tells that `HTTP_PROXY` is set. The command line does it once, before the first request.
pub(crate) fn note_plain_proxy() {
    HAS_PLAIN_PROXY.store(true, Ordering::Relaxed);
}

/// Tells whether a status is probably the proxy's own: 502, 503 and 504 are those of a gateway that cannot reach the server, or
/// does not want to. Only for plain HTTP does a proxy answer in the server's place.
pub(crate) fn is_of_proxy(url: &Url, status: StatusCode) -> bool {
    let is_of_gateway =
        matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT);
    is_of_gateway && url.scheme() == "http" && HAS_PLAIN_PROXY.load(Ordering::Relaxed) && !is_direct(url)
}

/// Tells whether the server's certificate was refused, which another attempt would not change.
pub(crate) fn is_about_certificates(error: &reqwest::Error) -> bool {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.into_iter().any(|cause| cause.to_string().contains("certificate"))
}

/// Tells whether no proxy is used for a URL.
pub(crate) fn is_direct(url: &Url) -> bool {
    NO_PROXY.get().is_some_and(|hosts| hosts.excludes(url))
}

/// Returns a client to be configured further: with the certificates of the system and the proxies of the environment.
pub(crate) fn client(connect_timeout: Duration) -> ClientBuilder {
    // Fails if it is installed already, by an earlier client.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .user_agent(concat!("pybundle/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connect_timeout)
        // The header would send the URL of one server to the next, which may contain a secret or a signature.
        .referer(false)
}

/// Returns the host of a URL, with its port unless that is the default of the scheme.
pub(crate) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Tells whether a host, with an optional port, is a loopback address.
pub(crate) fn is_loopback(registry: &str) -> bool {
    let host = match registry.rsplit_once(':') {
        Some((host, _)) if !registry.ends_with(']') => host,
        _ => registry,
    };
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

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
