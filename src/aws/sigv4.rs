//! Signature Version 4.
//!
//! Specification: [create a signed AWS API request](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Request;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::AwsCredentials;
use crate::http::authority;

/// All but the unreserved characters of RFC 3986, which are encoded in a segment of a path, and in names and values of a query.
pub(crate) const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The same without the slashes between segments.
const PATH: &AsciiSet = &RESERVED.remove(b'/');

const PAYLOAD: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Signs a request whose body is in memory: adds the headers `X-Amz-Date`, `X-Amz-Security-Token` and
/// `Authorization`. All headers that the request has are signed.
pub(crate) fn sign(request: &mut Request, service: &str, region: &str, credentials: &AwsCredentials, now: Timestamp) {
    let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let date = &time[..8];
    if let Ok(value) = HeaderValue::from_str(&time) {
        request.headers_mut().insert(DATE, value);
    }
    if let Some(mut value) =
        credentials.session_token.as_ref().and_then(|token| HeaderValue::from_str(token.reveal()).ok())
    {
        value.set_sensitive(true);
        request.headers_mut().insert(SECURITY_TOKEN, value);
    }
    let payload = hex_sha256(request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default());
    let is_s3 = service == "s3";
    // S3 alone wants it, and refuses requests without it.
    if is_s3 && let Ok(value) = HeaderValue::from_str(&payload) {
        request.headers_mut().insert(PAYLOAD, value);
    }
    let mut headers: Vec<(String, String)> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).trim().to_owned()))
        .collect();
    headers.push(("host".to_owned(), authority(request.url())));
    headers.sort();
    let names = headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    // Every service but S3 encodes the path once more than the URL does.
    let path = request.url().path();
    let path = if is_s3 { path.to_owned() } else { utf8_percent_encode(path, PATH).to_string() };
    let query = canonical_query(request.url());
    let canonical = format!("{}\n{path}\n{query}\n{lines}\n{names}\n{payload}", request.method());
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex_sha256(canonical.as_bytes()));
    let first = format!("AWS4{}", credentials.secret_access_key.reveal()).into_bytes();
    let key = [date, region, service, "aws4_request"].iter().fold(first, |key, part| hmac_sha256(&key, part));
    let signature = hex::encode(hmac_sha256(&key, &to_sign));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
        credentials.access_key_id
    );
    if let Ok(mut value) = HeaderValue::from_str(&authorization) {
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
    }
}

fn canonical_query(url: &Url) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
    let mut pairs: Vec<_> = url.query_pairs().map(|(name, value)| (encoded(&name), encoded(&value))).collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn hex_sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn hmac_sha256(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The signatures are those of botocore 1.44 for the same requests at the same time.
    #[test]
    fn signatures_equal_those_of_botocore() {
        let now: Timestamp = "2015-08-30T12:36:00Z".parse().unwrap();
        for (token, path, expected) in [
            (None, "", "ce953a52a1215175c49d9a611ae10b5db817f776f0ad5d2a6ff9b0198dd390bc"),
            (Some("session/token+="), "", "08d8a580049e34a510d8f6f7ed5c5e704c06c03f12441d46ceae219e008e39e3"),
            (None, "a%20b/c", "67d8d7c9337e19c3651149add0d47386aa9eac9a11585be8d8419ade62ed76a7"),
        ] {
            let credentials = AwsCredentials {
                access_key_id: "AKIDEXAMPLE".to_owned(),
                secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned().into(),
                session_token: token.map(|token| token.to_owned().into()),
            };
            let url = format!("https://api.ecr.eu-west-1.amazonaws.com/{path}");
            let client = crate::http::client(std::time::Duration::from_secs(1)).build().unwrap();
            let mut request = client
                .post(url)
                .header("Content-Type", "application/x-amz-json-1.1")
                .header("X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken")
                .body("{}")
                .build()
                .unwrap();
            sign(&mut request, "ecr", "eu-west-1", &credentials, now);
            let authorization = request.headers()[AUTHORIZATION].to_str().unwrap();
            let signed = if token.is_some() { ";x-amz-date;x-amz-security-token;" } else { ";x-amz-date;" };
            assert_eq!(
                authorization,
                format!(
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/ecr/aws4_request, SignedHeaders=content-type;host{signed}x-amz-target, Signature={expected}"
                )
            );
        }
    }
}
