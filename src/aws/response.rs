//! Responses of AWS's services.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

use super::first_line;
use crate::redact::one_line;
use crate::retry;

/// The largest response but for objects, in bytes.
const LARGEST: u64 = 1 << 20;

/// What is waited for and read at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResponseLimit {
    pub(super) time: Duration,
    pub(super) bytes: u64,
}

impl ResponseLimit {
    pub(crate) fn new(time: Duration) -> Self {
        Self { time, bytes: LARGEST }
    }

    /// Permits a larger response.
    pub(crate) fn with_bytes(self, bytes: u64) -> Self {
        Self { bytes: self.bytes.max(bytes), ..self }
    }
}

/// A response, read to its end.
pub(crate) struct AwsResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl AwsResponse {
    /// Tells whether the same request may succeed later: the service is overloaded, or limits the rate of requests.
    pub(crate) fn is_transient(&self) -> bool {
        self.status.is_server_error() || self.is_throttled()
    }

    /// Tells whether the service limits the rate of requests. Some do so with status 400 and a code in the body.
    pub(crate) fn is_throttled(&self) -> bool {
        let text = String::from_utf8_lossy(&self.body);
        let codes = ["Throttling", "TooManyRequests", "RequestLimitExceeded"];
        let is_coded = self.status.is_client_error() && codes.iter().any(|code| text.contains(code));
        self.status == StatusCode::TOO_MANY_REQUESTS || is_coded
    }

    /// Returns how long the service asks to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        retry::retry_after(self.headers.get(RETRY_AFTER)?.to_str().ok()?, SystemTime::now())
    }

    /// Returns the code and the message of an error in AWS's JSON protocols. The code may have a namespace before `#` and
    /// a URL after `:`, and be in a header instead.
    pub(crate) fn service_error(&self) -> Option<(String, String)> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        let header = self.headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
        let code = header.or_else(|| ["__type", "code"].iter().find_map(|key| body.get(key)?.as_str()))?;
        let code = code.rsplit('#').next().unwrap_or(code);
        let code = code.split(':').next().unwrap_or(code);
        let message = ["message", "Message"].iter().find_map(|key| body.get(key)?.as_str()).unwrap_or_default();
        Some((one_line(code), first_line(message)))
    }
}

/// Returns the text of the first element of a name that has no attributes.
pub(crate) fn xml_element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(header: Option<&str>, body: &str) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        if let Some(value) = header {
            headers.insert("x-amzn-errortype", value.parse().unwrap());
        }
        AwsResponse { status: StatusCode::BAD_REQUEST, headers, body: body.into() }.service_error()
    }

    #[test]
    fn error_codes_have_neither_namespace_nor_url() {
        let throttled = Some(("ThrottlingException".to_owned(), "Rate".to_owned()));
        let body = r#"{"__type": "com.amazonaws.ecr#ThrottlingException", "message": "Rate\nexceeded"}"#;
        assert_eq!(error(None, body), throttled);
        let header = "ThrottlingException:http://internal.amazon.com/coral/com.amazon.coral.service/";
        assert_eq!(error(Some(header), r#"{"Type": "User", "Message": "Rate"}"#), throttled);
        assert_eq!(error(None, "<html>"), None);
        assert_eq!(error(None, r#"{"message": "x"}"#), None);
    }
}
