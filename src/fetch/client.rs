//! Requests to servers, with credentials.
//!
//! Specification: [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110), in particular range requests (section 14).

use std::ops::Deref;
use std::time::SystemTime;

use reqwest::header::{CONTENT_RANGE, HeaderMap, HeaderValue, RANGE, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use url::{Position, Url};

use super::connections::HttpClients;
use super::credentials::BasicAuth;
use super::error::{DownloadError, FetchError};
use super::{DownloadOptions, IndexCredentials};
use crate::http;
use crate::retry::retry_after;
use crate::silence::{SilenceLimits, SilenceWatch};

/// Sends requests with the credentials of the server.
pub(crate) struct HttpClient<'a> {
    http: HttpClients,
    credentials: &'a IndexCredentials,
    watch: &'a SilenceWatch,
    silence: SilenceLimits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestAuth {
    Anonymously,
    WithCredentials,
}

/// The response with a file, or with the rest of one.
pub(super) struct FileResponse {
    pub(crate) response: Response,
    /// Where in the file it starts.
    pub(crate) start: u64,
    /// The size of the whole file, if the server tells it.
    pub(crate) size: Option<u64>,
}

impl<'a> HttpClient<'a> {
    /// Creates a client on the shared connections.
    ///
    /// # Errors
    /// The system's certificates, or its proxy's settings, cannot be used.
    pub(crate) fn new(options: &'a DownloadOptions) -> Result<Self, FetchError> {
        Ok(Self {
            http: options.connections.http()?,
            credentials: &options.credentials,
            watch: options.connections.watch(),
            silence: options.silence,
        })
    }

    /// Requests a file from `offset` on. The server may ignore the offset.
    pub(super) async fn get(&self, url: &Url, index: Option<&Url>, offset: u64) -> Result<FileResponse, DownloadError> {
        let mut headers = HeaderMap::new();
        if offset > 0 {
            headers.insert(RANGE, HeaderValue::try_from(format!("bytes={offset}-")).map_err(|_| DownloadError::Range)?);
        }
        let (response, sent) = self.send(url, index, &headers).await?;
        match response.status() {
            StatusCode::OK => Ok(FileResponse { start: 0, size: response.content_length(), response }),
            StatusCode::PARTIAL_CONTENT => match content_range(&response) {
                Some((start, size)) if start == offset => Ok(FileResponse { start, size, response }),
                _ => Err(DownloadError::Range),
            },
            StatusCode::RANGE_NOT_SATISFIABLE if offset > 0 => Err(DownloadError::Range),
            _ => Err(self.refusal(&response, sent, url, index)),
        }
    }

    /// Sends a request; returns whether it had credentials.
    pub(super) async fn send(
        &self,
        url: &Url,
        index: Option<&Url>,
        headers: &HeaderMap,
    ) -> Result<(Response, RequestAuth), DownloadError> {
        let login = self.credentials.login(url, index).await;
        let response = self.send_as(url, login.as_ref(), headers).await?;
        let is_refused = matches!(response.status().as_u16(), 401 | 403 | 404);
        if let (true, None, Some(fallback)) = (is_refused, &login, self.credentials.fallback()) {
            let response = self.send_as(url, Some(&fallback), headers).await?;
            return Ok((response, RequestAuth::WithCredentials));
        }
        Ok((response, if login.is_some() { RequestAuth::WithCredentials } else { RequestAuth::Anonymously }))
    }

    /// Returns the error for a status.
    pub(super) fn refusal(
        &self,
        response: &Response,
        sent: RequestAuth,
        url: &Url,
        index: Option<&Url>,
    ) -> DownloadError {
        if http::is_of_proxy(response.url(), response.status()) {
            let host = response.url().host_str().unwrap_or_default().to_owned();
            return DownloadError::Proxy { status: response.status(), host };
        }
        DownloadError::Status {
            status: response.status(),
            with_credentials: sent == RequestAuth::WithCredentials,
            index: self.credentials.index_name(url, index).map(str::to_owned),
            netrc: self.credentials.netrc_error().map(str::to_owned),
            retry_after: response
                .headers()
                .get(RETRY_AFTER)
                .and_then(|value| retry_after(value.to_str().ok()?, SystemTime::now())),
        }
    }

    async fn send_as(
        &self,
        url: &Url,
        login: Option<&BasicAuth>,
        headers: &HeaderMap,
    ) -> Result<Response, DownloadError> {
        let mut request = self.http.of(url).get(url.clone()).headers(headers.clone());
        if let Some(login) = login {
            request = request.basic_auth(&login.username, Some(&login.password));
        }
        self.wait(url, request.send()).await
    }

    /// Returns the next chunk of a body, or `None` at its end.
    pub(super) async fn chunk(
        &self,
        response: &mut Response,
    ) -> Result<Option<impl Deref<Target = [u8]> + use<>>, DownloadError> {
        let url = response.url().clone();
        self.wait(&url, response.chunk()).await
    }

    async fn wait<T>(
        &self,
        url: &Url,
        answer: impl Future<Output = Result<T, reqwest::Error>>,
    ) -> Result<T, DownloadError> {
        let server = &url[Position::BeforeHost..Position::AfterPort];
        self.watch.wait(server, self.silence, answer, || 0).await?.map_err(transport)
    }
}

/// Converts an error of the connection, without the URL, which may contain secrets.
fn transport(error: reqwest::Error) -> DownloadError {
    DownloadError::Transport(error.without_url())
}

/// Parses Content-Range: returns the start, and the size of the whole file unless it is unknown (`bytes 100-199/*`).
fn content_range(response: &Response) -> Option<(u64, Option<u64>)> {
    let value = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, size) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.parse().ok()?, size.parse().ok()))
}
