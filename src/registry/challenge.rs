//! The header `WWW-Authenticate`, by which a registry asks for credentials.
//!
//! Specification: [RFC 9110, section 11.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1), and for `Bearer`
//! Docker's [token authentication](https://distribution.github.io/distribution/spec/auth/token/#how-to-authenticate).

use std::collections::BTreeMap;

/// The scheme by which a registry authenticates clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A user name and a password in every request ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)).
    Basic,
    /// A token of a token server.
    Bearer {
        /// The URL of the token server.
        realm: String,
        /// The name of the registry for the token server.
        service: Option<String>,
        /// The access that the token must grant.
        scope: Option<String>,
    },
}

impl Challenge {
    /// Returns the best of the challenges in a response: `Bearer` before `Basic`, since the password goes to fewer servers.
    pub(super) fn best<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut challenges = headers.into_iter().flat_map(parse).collect::<Vec<_>>();
        let bearer = challenges.iter_mut().filter(|challenge| challenge.scheme == "bearer").find_map(|challenge| {
            let realm = challenge.parameters.remove("realm")?;
            let [service, scope] =
                ["service", "scope"].map(|name| challenge.parameters.remove(name).filter(|value| !value.is_empty()));
            Some(Self::Bearer { realm, service, scope })
        });
        bearer.or_else(|| challenges.iter().any(|challenge| challenge.scheme == "basic").then_some(Self::Basic))
    }
}

/// A challenge of any scheme.
#[derive(Debug, PartialEq, Eq)]
struct RawChallenge {
    /// In lower case.
    scheme: String,
    /// By name, in lower case.
    parameters: BTreeMap<String, String>,
}

/// Parses the challenges of a header. Malformed ones are ignored.
fn parse(header: &str) -> Vec<RawChallenge> {
    let mut challenges: Vec<RawChallenge> = Vec::new();
    for item in split(header) {
        // An item is a parameter, or a scheme with or without its first parameter.
        let head = item.split(['=', '"']).next().unwrap_or_default().trim_end();
        let (scheme, parameter) = match head.split_once([' ', '\t']) {
            Some((scheme, _)) => (Some(scheme), item.get(scheme.len()..).unwrap_or_default()),
            None if item.contains('=') => (None, item),
            None => (Some(item), ""),
        };
        if let Some(scheme) = scheme {
            challenges.push(RawChallenge { scheme: scheme.to_ascii_lowercase(), parameters: BTreeMap::new() });
        }
        if let (Some(challenge), Some((name, value))) = (challenges.last_mut(), parameter.split_once('=')) {
            challenge.parameters.insert(name.trim().to_ascii_lowercase(), unquote(value.trim()));
        }
    }
    challenges
}

/// Splits a list at its commas, except for those in quoted strings, and drops empty items.
fn split(header: &str) -> Vec<&str> {
    let (mut items, mut start, mut is_quoted, mut is_escaped) = (Vec::new(), 0, false, false);
    for (at, character) in header.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => {
                items.push(&header[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(&header[start..]);
    items.into_iter().map(str::trim).filter(|item| !item.is_empty()).collect()
}

/// Returns the value of a quoted string, or a token unchanged.
fn unquote(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"') else { return value.to_owned() };
    let (mut text, mut is_escaped) = (String::new(), false);
    for character in inner.chars() {
        match character {
            '\\' if !is_escaped => is_escaped = true,
            '"' if !is_escaped => break,
            _ => {
                text.push(character);
                is_escaped = false;
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        let [service, scope] = [service, scope].map(|text| text.map(str::to_owned));
        Some(Challenge::Bearer { realm: realm.to_owned(), service, scope })
    }

    #[test]
    fn challenges_are_understood_as_registries_write_them() {
        for (headers, challenge) in [
            (
                &[
                    r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#,
                ][..],
                bearer("https://auth.docker.io/token", Some("registry.docker.io"), Some("repository:a/b:pull,push")),
            ),
            (&[r#"Basic realm="Registry""#], Some(Challenge::Basic)),
            (&["basic"], Some(Challenge::Basic)),
            (&["BASIC realm=x , BEARER realm = \"https://t\" , service=s"], bearer("https://t", Some("s"), None)),
            (&[r#"Basic realm="a, Bearer realm=b""#], Some(Challenge::Basic)),
            (&["Negotiate dG9rZW4=", "Basic realm=\"r\""], Some(Challenge::Basic)),
            (
                &[r#"Bearer realm="https://t?a=\"b\\",scope="",error="invalid_token""#],
                bearer("https://t?a=\"b\\", None, None),
            ),
            (&["Bearer service=\"s\"", "Basic"], Some(Challenge::Basic)),
            (&["Bearer", "Digest realm=\"x\"", ""], None),
            (&[",,=,\"", "\"", "=\"\\"], None),
        ] {
            assert_eq!(Challenge::best(headers.iter().copied()), challenge, "{headers:?}");
        }
    }
}
