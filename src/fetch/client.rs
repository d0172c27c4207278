//! Asking servers for files.
//!
//! Specification: [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110), of which this uses ranges (section 14).

use std::time::SystemTime;

use reqwest::header::{CONTENT_RANGE, HeaderMap, HeaderValue, RANGE, RETRY_AFTER};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Response, StatusCode};
use url::Url;

use super::credentials::Login;
use super::error::{Fault, FetchError};
use super::{Credentials, FetchOptions};
use crate::retry::retry_after;

/// As many redirects as browsers follow, more or less.
const MOST_REDIRECTS: usize = 10;

/// Asks servers for files, with the credentials that are theirs.
pub(crate) struct Client<'a> {
    http: reqwest::Client,
    credentials: &'a Credentials,
}

/// How a request was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    Anonymously,
    WithCredentials,
}

/// A file, or the rest of one, that a server began to send.
pub(super) struct Body {
    pub response: Response,
    /// Where in the file it starts.
    pub start: u64,
    /// The size of the whole file, if the server tells it.
    pub size: Option<u64>,
}

impl<'a> Client<'a> {
    /// Makes one that connects as the options say.
    ///
    /// # Errors
    /// The system's certificates, or its proxy's settings, cannot be used.
    pub fn new(options: &'a FetchOptions) -> Result<Self, FetchError> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("pybundle/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(options.connect_timeout)
            .read_timeout(options.read_timeout)
            // It would tell the next server the URL of the one before, with what may be secret in it.
            .referer(false)
            .redirect(Policy::custom(redirect));
        Ok(Self { http: http.build().map_err(FetchError::Client)?, credentials: &options.credentials })
    }

    /// Asks for a file, from `offset` on. The server may give it from its start nevertheless.
    pub(super) async fn get(&self, url: &Url, index: Option<&Url>, offset: u64) -> Result<Body, Fault> {
        let mut headers = HeaderMap::new();
        if offset > 0 {
            headers.insert(RANGE, HeaderValue::try_from(format!("bytes={offset}-")).map_err(|_| Fault::Range)?);
        }
        let (response, sent) = self.send(url, index, &headers).await?;
        match response.status() {
            StatusCode::OK => Ok(Body { start: 0, size: response.content_length(), response }),
            StatusCode::PARTIAL_CONTENT => match content_range(&response) {
                Some((start, size)) if start == offset => Ok(Body { start, size, response }),
                _ => Err(Fault::Range),
            },
            StatusCode::RANGE_NOT_SATISFIABLE if offset > 0 => Err(Fault::Range),
            _ => Err(self.refusal(&response, sent, url, index)),
        }
    }

    /// Sends a request with the credentials that are the server's; tells whether there were any.
    pub(super) async fn send(
        &self,
        url: &Url,
        index: Option<&Url>,
        headers: &HeaderMap,
    ) -> Result<(Response, Sent), Fault> {
        let login = self.credentials.login(url, index).await;
        let response = self.send_as(url, login.as_ref(), headers).await?;
        let is_refused = matches!(response.status().as_u16(), 401 | 403 | 404);
        if let (true, None, Some(fallback)) = (is_refused, &login, self.credentials.fallback()) {
            let response = self.send_as(url, Some(&fallback), headers).await?;
            return Ok((response, Sent::WithCredentials));
        }
        Ok((response, if login.is_some() { Sent::WithCredentials } else { Sent::Anonymously }))
    }

    /// Says how a server refused.
    pub(super) fn refusal(&self, response: &Response, sent: Sent, url: &Url, index: Option<&Url>) -> Fault {
        Fault::Status {
            status: response.status(),
            with_credentials: sent == Sent::WithCredentials,
            index: self.credentials.index_name(url, index).map(str::to_owned),
            netrc: self.credentials.netrc_fault().map(str::to_owned),
            retry_after: response
                .headers()
                .get(RETRY_AFTER)
                .and_then(|value| retry_after(value.to_str().ok()?, SystemTime::now())),
        }
    }

    async fn send_as(&self, url: &Url, login: Option<&Login>, headers: &HeaderMap) -> Result<Response, Fault> {
        let mut request = self.http.get(url.clone()).headers(headers.clone());
        if let Some(login) = login {
            request = request.basic_auth(&login.username, Some(&login.password));
        }
        request.send().await.map_err(transport)
    }
}

/// Wraps an error of the connection, without its URL: that may hold what is secret.
pub(super) fn transport(error: reqwest::Error) -> Fault {
    Fault::Transport(error.without_url())
}

/// Follows redirects, but none that leaves TLS. To another host no credentials go along.
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

/// Returns the start of a partial answer, and the size of the whole: `bytes 100-199/200`, or `/*` if that is unknown.
fn content_range(response: &Response) -> Option<(u64, Option<u64>)> {
    let value = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, size) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.parse().ok()?, size.parse().ok()))
}
