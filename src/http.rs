//! The HTTP client that indexes, registries and AWS are asked with.

use std::time::Duration;

use reqwest::ClientBuilder;

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
