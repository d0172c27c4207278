//! Keeps what is secret in URLs out of messages.

use url::Url;

/// Returns a URL without what may be secret: the user, the password, the query and the fragment.
pub fn url(url: &Url) -> String {
    let mut url = url.clone();
    // These fail for URLs that cannot hold a user: then there is none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// Returns the text with the user information of every URL in it (RFC 3986, section 3.2.1) replaced by `****`.
pub fn text(text: &str) -> String {
    const START: &str = "://";
    let mut redacted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(START) {
        let (before, after) = rest.split_at(start + START.len());
        redacted.push_str(before);
        let is_end =
            |character: char| character.is_whitespace() || matches!(character, '/' | '?' | '#' | '"' | '\'' | '`');
        let authority = &after[..after.find(is_end).unwrap_or(after.len())];
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

#[cfg(test)]
mod tests {
    use super::text as redact;

    #[test]
    fn credentials_are_taken_out_and_nothing_else() {
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
