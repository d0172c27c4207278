//! Verifies signatures of version 4, as AWS does: from the specification, without pybundle's own code.
//!
//! Specification: [create a signed AWS API request](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::wire::Message;

/// How far the clock of a client may be off, in seconds.
const TOLERANCE: i64 = 5 * 60;

/// Whose requests are accepted, and where.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    pub access_key: &'static str,
    pub secret_key: &'static str,
    /// The token of temporary credentials, which each request must have.
    pub session_token: &'static str,
    pub region: &'static str,
    pub service: &'static str,
}

impl Identity {
    /// Verifies a request. The error says what is wrong with it.
    pub fn verify(&self, request: &Message, now: Timestamp) -> Result<(), String> {
        let header = |name: &str| request.header(name).ok_or(format!("{name} is missing"));
        let authorization = header("authorization")?;
        let fields = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or("another algorithm")?;
        let field = |name: &str| {
            fields.split(", ").find_map(|field| field.strip_prefix(name)?.strip_prefix('=')).ok_or(format!("no {name}"))
        };
        let time = header("x-amz-date")?;
        let date = time.get(..8).ok_or("no date")?;
        let scope = format!("{date}/{}/{}/aws4_request", self.region, self.service);
        if field("Credential")? != format!("{}/{scope}", self.access_key) {
            return Err(format!("the credential is {}, expected the scope {scope}", field("Credential")?));
        }
        let parsed = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", time).map_err(|error| error.to_string())?;
        let signed_at = parsed.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
        if (signed_at.as_second() - now.as_second()).abs() > TOLERANCE {
            return Err(format!("signed at {signed_at}"));
        }
        if header("x-amz-security-token")? != self.session_token {
            return Err("another session token".to_owned());
        }
        let names: Vec<&str> = field("SignedHeaders")?.split(';').collect();
        if !names.is_sorted() {
            return Err("the signed headers are not sorted".to_owned());
        }
        let sent = request.headers.iter().map(|(name, _)| name.to_ascii_lowercase());
        let needed = sent.filter(|name| name == "host" || name == "content-type" || name.starts_with("x-amz-"));
        if let Some(name) = needed.into_iter().find(|name| !names.contains(&name.as_str())) {
            return Err(format!("{name} is not signed"));
        }
        let payload = hex_sha256(&request.body);
        if request.header("x-amz-content-sha256").is_some_and(|stated| stated != payload) {
            return Err("x-amz-content-sha256 is not that of the body".to_owned());
        }
        let mut lines = String::new();
        for name in &names {
            let value = header(name)?.split_whitespace().collect::<Vec<_>>().join(" ");
            lines.push_str(&format!("{name}:{value}\n"));
        }
        let path = match self.service {
            "s3" => request.path().to_owned(),
            _ => request.path().split('/').map(encode).collect::<Vec<_>>().join("/"),
        };
        let canonical = format!(
            "{}\n{path}\n{}\n{lines}\n{}\n{payload}",
            request.method(),
            query(request.target()),
            names.join(";")
        );
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex_sha256(canonical.as_bytes()));
        let mut key = format!("AWS4{}", self.secret_key).into_bytes();
        for part in [date, self.region, self.service, "aws4_request"] {
            key = hmac_sha256(&key, part);
        }
        let expected = hex::encode(hmac_sha256(&key, &to_sign));
        if field("Signature")? == expected { Ok(()) } else { Err(format!("the signature is not that of\n{canonical}")) }
    }
}

/// Returns the canonical query of a request's target: sorted, and encoded anew.
fn query(target: &str) -> String {
    let Some((_, query)) = target.split_once('?') else { return String::new() };
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let mut pairs: Vec<String> = pairs.map(|(name, value)| format!("{}={}", encode(&name), encode(&value))).collect();
    pairs.sort();
    pairs.join("&")
}

/// Encodes everything but the unreserved characters of RFC 3986.
fn encode(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}

fn hex_sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn hmac_sha256(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
