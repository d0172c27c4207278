//! The connections of a run: one HTTP client, whose pool every request uses, and the runtime that serves it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};
use tokio::runtime::Runtime;
use url::Url;

use super::error::FetchError;
use crate::http;
use crate::silence::SilenceWatch;

/// The threads that serve connections. One decrypts several hundred megabytes a second.
const THREADS: usize = 2;

/// The most redirects that are followed for one request: about as many as browsers follow.
const MOST_REDIRECTS: usize = 10;

/// The limit for establishing a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The connections of a run. Clones share them. Nothing is set up before the first request, so that a run without one
/// needs neither threads nor certificates.
#[derive(Clone, Default)]
pub struct Connections {
    watch: Arc<SilenceWatch>,
    runtime: Arc<Mutex<Option<Arc<Runtime>>>>,
    http: Arc<Mutex<Option<HttpClients>>>,
}

impl fmt::Debug for Connections {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connections").finish_non_exhaustive()
    }
}

impl Connections {
    /// Returns what is known about the silence of servers.
    pub(crate) fn watch(&self) -> &SilenceWatch {
        &self.watch
    }

    /// Returns the runtime that serves the connections. Several threads may block on it at once.
    ///
    /// # Errors
    /// The threads cannot be started.
    pub(crate) fn runtime(&self) -> Result<Arc<Runtime>, FetchError> {
        let mut runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*runtime {
            return Ok(Arc::clone(runtime));
        }
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let started = builder.worker_threads(THREADS).enable_all().build().map_err(FetchError::Start)?;
        Ok(Arc::clone(runtime.insert(Arc::new(started))))
    }

    /// Returns the HTTP client, to be used on the [`runtime`](Self::runtime).
    ///
    /// # Errors
    /// The system's certificates or proxy settings are invalid.
    pub(super) fn http(&self) -> Result<HttpClients, FetchError> {
        let mut http = self.http.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(http) = &*http {
            return Ok(http.clone());
        }
        let proxied = http::client(CONNECT_TIMEOUT).redirect(Policy::custom(redirect));
        let direct = http::client(CONNECT_TIMEOUT).redirect(Policy::custom(redirect)).no_proxy();
        let [proxied, direct] = [proxied, direct].map(|client| client.build().map_err(FetchError::Client));
        Ok(http.insert(HttpClients { proxied: proxied?, direct: direct? }).clone())
    }
}

/// The HTTP clients of a run, of which one uses the proxy of the environment.
#[derive(Debug, Clone)]
pub(super) struct HttpClients {
    proxied: reqwest::Client,
    direct: reqwest::Client,
}

impl HttpClients {
    /// Returns the client for a URL.
    pub(super) fn of(&self, url: &Url) -> &reqwest::Client {
        if http::is_direct(url) { &self.direct } else { &self.proxied }
    }
}

/// Follows a redirect unless it leaves TLS. reqwest sends no credentials to another host.
fn redirect(attempt: Attempt) -> reqwest::redirect::Action {
    let leaves_tls =
        attempt.url().scheme() != "https" && attempt.previous().last().is_some_and(|url| url.scheme() == "https");
    if leaves_tls {
        attempt.error("the server redirects from https to http")
    } else if attempt.previous().len() > MOST_REDIRECTS {
        attempt.error("the server redirects too often")
    } else {
        attempt.follow()
    }
}
