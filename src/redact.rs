//! Removes secrets from URLs before they appear in messages.

use url::Url;

/// Returns a URL without the parts that may be secret: the user, the password, the query and the fragment.
pub(crate) fn url(url: &Url) -> String {
    let mut url = url.clone();
    // These fail for URLs that cannot have a user, such as `mailto:`.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// Replaces the user information (RFC 3986, section 3.2.1) of every URL in a text by `****`.
pub(crate) fn text(text: &str) -> String {
    const START: &str = "://";
    let mut redacted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(START) {
        let (before, after) = rest.split_at(start + START.len());
        redacted.push_str(before);
        let authority = &after[..after.find(ends_authority).unwrap_or(after.len())];
        rest = match authority.rfind('@') {
            Some(at) => {
                redacted.push_str("****");
                &after[at..]
            }
            None => after,
        };
    }
    redacted.push_str(rest);
    redacted
}

/// Returns whether a character ends the authority of a URL, or the URL in a text.
fn ends_authority(character: char) -> bool {
    character.is_whitespace() || matches!(character, '/' | '?' | '#' | '"' | '\'' | '`')
}

#[cfg(test)]
mod tests {
    use super::text as redact;

    #[test]
    fn only_credentials_are_replaced() {
        for (text, redacted) in [
            ("", ""),
            ("no URL: user@host", "no URL: user@host"),
            ("https://host/simple", "https://host/simple"),
            ("https://u:p@host/simple", "https://****@host/simple"),
            (
                "`https://u:p@w@host:8080` and git+ssh://git@h/x?a@b",
                "`https://****@host:8080` and git+ssh://****@h/x?a@b",
            ),
            ("https://host/@scope", "https://host/@scope"),
            ("://", "://"),
        ] {
            assert_eq!(redact(text), redacted);
        }
    }
}
