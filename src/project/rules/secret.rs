//! Files that contain passwords or private keys, which nobody expects in an artifact.

use std::fs::File;
use std::io::Read;

use super::CandidatePath;

/// The largest file that is searched, in bytes. Keys and credentials are far smaller.
const LARGEST: u64 = 1 << 16;

/// Ends of the names of key stores, and of files with variables.
const EXTENSIONS: [&str; 6] = [".env", ".jks", ".keystore", ".p12", ".pfx", ".ppk"];

/// The ends of names such as `.env.example`, which document variables without their values.
const EXAMPLES: [&str; 5] = [".dist", ".example", ".sample", ".template", ".tpl"];

/// Texts that are in credentials of cloud tools, all of one group in the same file: Google's application default
/// credentials, the AWS command line's credentials, and kubectl's.
const CREDENTIALS: [&[&str]; 3] =
    [&["\"client_secret\"", "\"refresh_token\""], &["aws_secret_access_key", "="], &["client-key-data:"]];

/// The shortest sequence of base64 characters that is part of a key: a source that mentions the header of keys has none.
const SHORTEST_KEY: usize = 40;

/// Returns whether a file contains a secret. Python modules never count: what they contain is code.
pub(super) fn is_secret(candidate: &CandidatePath) -> bool {
    if candidate.is_module() {
        return false;
    }
    let name = candidate.name.to_lowercase();
    if EXAMPLES.iter().any(|example| name.ends_with(example)) {
        return false;
    }
    name == ".env"
        || name.starts_with(".env.")
        || EXTENSIONS.iter().any(|extension| name.ends_with(extension))
        || contains_secret(candidate)
}

fn contains_secret(candidate: &CandidatePath) -> bool {
    // A pipe would block.
    if !candidate.path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() <= LARGEST) {
        return false;
    }
    let mut bytes = Vec::new();
    let read = File::open(&candidate.path).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    read.is_ok()
        && (contains_private_key(&text) || CREDENTIALS.iter().any(|all| all.iter().all(|part| text.contains(part))))
}

/// Returns whether a text contains a private key in PEM (RFC 7468), also as a string of JSON.
fn contains_private_key(text: &str) -> bool {
    text.match_indices("PRIVATE KEY-----").any(|(at, mark)| {
        let before = text[..at].rsplit_once("-----BEGIN ");
        let is_header = before.is_some_and(|(_, kind)| kind.len() <= "ENCRYPTED ".len());
        let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
        let body = &text.as_bytes()[at + mark.len()..];
        let body = &body[..body.len().min(4 * SHORTEST_KEY)];
        is_header && body.split(|byte| !is_base64(byte)).any(|run| run.len() >= SHORTEST_KEY)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_from_mentions_of_keys() {
        let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7";
        for (text, expected) in [
            (format!("-----BEGIN PRIVATE KEY-----\n{body}\n"), true),
            (format!("-----BEGIN RSA PRIVATE KEY-----\r\n{body}\r\n"), true),
            (format!("{{\"private_key\": \"-----BEGIN PRIVATE KEY-----\\n{body}\\n\"}}"), true),
            (
                format!("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n{body}"),
                true,
            ),
            (format!("-----BEGIN PUBLIC KEY-----\n{body}\n"), false),
            (format!("-----BEGIN CERTIFICATE-----\n{body}\n"), false),
            ("if (pem.startsWith('-----BEGIN PRIVATE KEY-----')) { return parse(pem); }".to_owned(), false),
            ("A PRIVATE KEY----- é".to_owned(), false),
        ] {
            assert_eq!(contains_private_key(&text), expected, "{text}");
        }
    }
}
