//! Documents that fit in memory: index pages, and the metadata of wheels.
//!
//! Specification: [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110), in particular content negotiation (section 12) and
//! conditional requests (section 13), and [RFC 9111](https://www.rfc-editor.org/rfc/rfc9111#section-5.2) for freshness.

use std::io::Read;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_NONE_MATCH,
};
use reqwest::{Response, StatusCode};
use url::Url;

use super::client::HttpClient;
use super::error::DownloadError;
use crate::retry::RetryPolicy;

#[derive(Debug, Clone, Copy)]
pub(crate) struct DocumentRequest<'a> {
    /// The document, at an https or http URL.
    pub(crate) url: &'a Url,
    /// The index that it belongs to, whose credentials apply.
    pub(crate) index: Option<&'a Url>,
    /// The media types that can be read.
    pub(crate) accept: &'static str,
    /// The entity tag of the document that is there already.
    pub(crate) etag: Option<&'a str>,
    /// The most bytes that the document may have, uncompressed.
    pub(crate) limit: u64,
}

#[derive(Debug)]
pub(crate) enum DocumentResponse {
    /// The cached document is still current, and fresh for the max-age if the server states one.
    Unchanged(Option<Duration>),
    Document(FetchedDocument),
}

#[derive(Debug)]
pub(crate) struct FetchedDocument {
    /// Where it was in the end, after redirects.
    pub(crate) url: Url,
    pub(crate) media_type: Option<String>,
    /// The tag by which the server knows it.
    pub(crate) etag: Option<String>,
    /// How long it stays fresh, if the server says so.
    pub(crate) max_age: Option<Duration>,
    /// Whether it may be kept.
    pub(crate) may_be_kept: bool,
    /// What it says.
    pub(crate) body: Vec<u8>,
}

impl HttpClient<'_> {
    /// Asks for a document, and asks again where that may help. Returns how often it was tried beside what went wrong.
    pub(crate) async fn ask(
        &self,
        question: &DocumentRequest<'_>,
        retry: RetryPolicy,
    ) -> Result<DocumentResponse, (DownloadError, u32)> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.ask_once(question).await {
                Err(error) if error.is_retryable() && attempts <= retry.limit => {
                    tokio::time::sleep(retry.pause(attempts, error.retry_after())).await;
                }
                result => return result.map_err(|error| (error, attempts)),
            }
        }
    }

    async fn ask_once(&self, question: &DocumentRequest<'_>) -> Result<DocumentResponse, DownloadError> {
        let DocumentRequest { url, index, accept, etag, limit } = *question;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(DownloadError::Scheme(url.scheme().to_owned()));
        }
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        if let Some(etag) = etag.and_then(|etag| HeaderValue::try_from(etag).ok()) {
            headers.insert(IF_NONE_MATCH, etag);
        }
        let (mut response, sent) = self.send(url, index, &headers).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if etag.is_some() => return Ok(DocumentResponse::Unchanged(max_age(&response))),
            _ => return Err(self.refusal(&response, sent, url, index)),
        }
        let mut body = Vec::new();
        while let Some(bytes) = self.chunk(&mut response).await? {
            body.extend_from_slice(&bytes);
            if body.len() as u64 > limit {
                return Err(DownloadError::TooLarge { limit });
            }
        }
        Ok(DocumentResponse::Document(FetchedDocument {
            url: response.url().clone(),
            media_type: header(&response, CONTENT_TYPE),
            etag: header(&response, ETAG),
            max_age: max_age(&response),
            may_be_kept: !directives(&response).iter().any(|directive| directive == "no-store"),
            body: match header(&response, CONTENT_ENCODING) {
                None => body,
                Some(encoding) => decompressed(&body, encoding, limit)?,
            },
        }))
    }
}

/// Decompresses a body up to a limit.
fn decompressed(body: &[u8], encoding: String, limit: u64) -> Result<Vec<u8>, DownloadError> {
    match encoding.to_ascii_lowercase().as_str() {
        "identity" | "" => return Ok(body.to_vec()),
        "gzip" | "x-gzip" => {}
        _ => return Err(DownloadError::Encoding { encoding, source: None }),
    }
    let mut whole = Vec::new();
    let read = MultiGzDecoder::new(body).take(limit + 1).read_to_end(&mut whole);
    match read {
        Err(error) => Err(DownloadError::Encoding { encoding, source: Some(error) }),
        Ok(_) if whole.len() as u64 > limit => Err(DownloadError::TooLarge { limit }),
        Ok(_) => Ok(whole),
    }
}

fn header(response: &Response, name: HeaderName) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

/// Returns the directives of Cache-Control in lower case, for instance `max-age=600`.
fn directives(response: &Response) -> Vec<String> {
    let values = response.headers().get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|directive| directive.trim().to_ascii_lowercase()).collect()
}

fn max_age(response: &Response) -> Option<Duration> {
    let directives = directives(response);
    if directives.iter().any(|directive| directive == "no-cache") {
        return Some(Duration::ZERO);
    }
    let seconds = directives.iter().find_map(|directive| directive.strip_prefix("max-age="));
    seconds.and_then(|seconds| seconds.trim_matches('"').parse().ok()).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn compressed_bodies_are_bounded() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&[0; 10_000]).unwrap();
        let body = encoder.finish().unwrap();
        assert_eq!(decompressed(&body, "gzip".to_owned(), 10_000).unwrap().len(), 10_000);
        let bounded = decompressed(&body, "gzip".to_owned(), 9_999);
        assert!(matches!(bounded, Err(DownloadError::TooLarge { limit: 9_999 })), "{bounded:?}");
        for (body, encoding) in [(&body[..body.len() - 9], "gzip"), (b"text", "gzip"), (&body[..], "br")] {
            let broken = decompressed(body, encoding.to_owned(), 10_000);
            assert!(matches!(broken, Err(DownloadError::Encoding { .. })), "{broken:?}");
        }
        assert_eq!(decompressed(b"text", "Identity".to_owned(), 10).unwrap(), b"text");
    }
}
