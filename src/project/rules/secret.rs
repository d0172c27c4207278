//! Files that contain passwords or private keys, which nobody expects in an artifact.

use super::CandidatePath;
use crate::redact;

/// The largest file that is searched, in bytes. Keys and credentials are far smaller.
const LARGEST: u64 = 1 << 16;

/// Ends of the names of key stores, of files with variables, and of Terraform's variables and state, which contain the
/// passwords of what it manages.
const EXTENSIONS: [&str; 10] =
    [".env", ".jks", ".keystore", ".p12", ".pfx", ".ppk", ".tfstate", ".tfstate.backup", ".tfvars", ".tfvars.json"];

/// The components of names such as `.env.example`, which document variables without their values.
const EXAMPLES: [&str; 5] = ["dist", "example", "sample", "template", "tpl"];

/// Texts that are in credentials of cloud tools, all of one group in the same file: Google's application default
/// credentials and service accounts, the AWS command line's credentials, and kubectl's.
const CREDENTIALS: [&[&str]; 4] = [
    &["\"client_secret\"", "\"refresh_token\""],
    &["\"service_account\"", "\"private_key\""],
    &["aws_secret_access_key", "="],
    &["client-key-data:"],
];

/// The options of a requirements file whose URLs may have a password, as pip and uv know them.
const INDEX_OPTIONS: [&str; 5] = ["--index-url", "-i ", "--extra-index-url", "--find-links", "-f "];

/// The shortest value of `client_secret`: those of Google have 24 and more characters, placeholders fewer or others.
const SHORTEST_CLIENT_SECRET: usize = 16;

/// The shortest sequence of base64 characters that is part of a key: a source that mentions the header of keys has none.
const SHORTEST_KEY: usize = 40;

/// Returns whether a file contains a secret. Python modules never count: what they contain is code.
pub(super) fn is_secret(candidate: &CandidatePath) -> bool {
    if candidate.is_module() {
        return false;
    }
    let name = candidate.name.to_lowercase();
    // `.env.example`, `client_secret.example.json`.
    if name.rsplit('.').take(2).any(|part| EXAMPLES.contains(&part)) {
        return false;
    }
    name == ".env"
        || name == ".envrc"
        || name.starts_with(".env.")
        || EXTENSIONS.iter().any(|extension| name.ends_with(extension))
        || contains_secret(candidate)
}

fn contains_secret(candidate: &CandidatePath) -> bool {
    if candidate.path.metadata().is_ok_and(|metadata| metadata.len() > LARGEST) {
        return false;
    }
    let Some(text) = candidate.beginning(LARGEST) else { return false };
    let name = candidate.name.to_lowercase();
    // `env.prod`; a script is code.
    let may_be_variables = name == "env" || (name.starts_with("env.") && !name.ends_with(".sh"));
    contains_private_key(&text)
        || contains_client_secret(&text)
        || contains_index_login(&text)
        || (may_be_variables && is_variables(&text))
        || CREDENTIALS.iter().any(|all| all.iter().all(|part| text.contains(part)))
}

/// Returns whether a text is a requirements file with a password for an index or a repository. A variable is none.
fn contains_index_login(text: &str) -> bool {
    text.lines().any(|line| {
        let is_option = INDEX_OPTIONS.iter().any(|option| line.trim_start().starts_with(option));
        (is_option || line.contains("git+http"))
            && line.match_indices("://").any(|(at, mark)| is_login(&line[at + mark.len()..]))
    })
}

/// Returns whether what follows `://` begins with a user and a password, or with a token.
fn is_login(rest: &str) -> bool {
    let secret = redact::login(rest).map(|login| login.split_once(':').map_or(login, |(_, password)| password));
    secret.is_some_and(|secret| !secret.is_empty() && !secret.contains('$'))
}

/// Returns whether a JSON text has a `client_secret` with a value, as in the files that Google's console offers for OAuth
/// clients. One that only names the key, such as a schema, has none.
fn contains_client_secret(text: &str) -> bool {
    text.match_indices("\"client_secret\"").any(|(at, key)| {
        let value = text[at + key.len()..].trim_start().strip_prefix(':').map(str::trim_start);
        let value = value.and_then(|value| value.strip_prefix('"')?.split('"').next());
        value.is_some_and(|value| {
            let is_token = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
            value.len() >= SHORTEST_CLIENT_SECRET && value.bytes().all(is_token)
        })
    })
}

/// Returns whether a text only assigns variables, like `.env`.
fn is_variables(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).peekable();
    lines.peek().is_some()
        && lines.all(|line| {
            let line = line.strip_prefix("export ").unwrap_or(line);
            line.split_once('=').is_some_and(|(name, _)| {
                let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
                !name.is_empty() && name.bytes().all(is_part)
            })
        })
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
    fn secrets_of_clients_are_told_from_mentions() {
        for (text, expected) in [
            (r#"{"installed": {"client_id": "1.apps.example", "client_secret": "GOCSPX-abcdefghijklmnop"}}"#, true),
            (r#"{"web":{"client_secret" : "abcdefghijklmnopqrstuvwx"}}"#, true),
            (r#"{"properties": {"client_secret": {"type": "string"}}}"#, false),
            (r#"{"client_secret": "${CLIENT_SECRET_OF_THE_APP}"}"#, false),
            (r#"{"client_secret": "changeme"}"#, false),
            (r#"{"client_secret": ""#, false),
        ] {
            assert_eq!(contains_client_secret(text), expected, "{text}");
        }
    }

    #[test]
    fn logins_of_indexes_are_told_from_urls() {
        for (text, expected) in [
            ("--index-url http://alice:secret@pypi.example/simple\nflask==3.0\n", true),
            ("  --extra-index-url=https://token@pypi.example/simple", true),
            ("-f https://alice:secret@pypi.example/wheels/", true),
            ("app @ git+https://alice:secret@git.example/app@0123abc", true),
            ("--index-url https://pypi.example/simple", false),
            ("--index-url https://alice:${PASSWORD}@pypi.example/simple", false),
            ("app @ git+https://git.example/app@0123abc", false),
            ("See https://user:password@host.example/ in the documentation.", false),
        ] {
            assert_eq!(contains_index_login(text), expected, "{text}");
        }
    }

    #[test]
    fn variables_are_lines_with_an_equals_sign() {
        for (text, expected) in [
            ("A=1\n\n# comment\nexport B_2=\"x y\"\n", true),
            ("", false),
            ("# A=1\n", false),
            ("A=1\nname: value\n", false),
            ("[section]\nA=1\n", false),
            ("a b=1\n", false),
        ] {
            assert_eq!(is_variables(text), expected, "{text}");
        }
    }

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
