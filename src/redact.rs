//! What may appear in messages: no secrets, and what others wrote as one line.

use std::fmt;

use url::Url;

/// The most characters of what others wrote.
const LONGEST: usize = 500;

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
        rest = match login(after) {
            Some(login) => {
                redacted.push_str("****");
                &after[login.len()..]
            }
            None => after,
        };
    }
    redacted.push_str(rest);
    redacted
}

/// Returns the user and password, or the token, that a URL has after its `://`.
pub(crate) fn login(after: &str) -> Option<&str> {
    let authority = &after[..after.find(ends_authority).unwrap_or(after.len())];
    authority.rsplit_once('@').map(|(login, _)| login)
}

/// Returns whether a character ends the authority of a URL, or the URL in a text.
fn ends_authority(character: char) -> bool {
    character.is_whitespace() || matches!(character, '/' | '?' | '#' | '"' | '\'' | '`')
}

/// A secret, which `Display` and `Debug` do not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns the secret, to send it and never to show it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("****")
    }
}

/// Returns the output of another program as one line of bounded length, without control characters.
pub(crate) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|character: char| character.is_whitespace() || character.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, one_line, text as redact};

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

    #[test]
    fn what_others_say_becomes_one_bounded_line() {
        assert_eq!(one_line("  cannot\r\n\tunlock \u{1b}[31mit\u{0}\n"), "cannot unlock [31mit");
        assert_eq!(one_line(&"ü".repeat(LONGEST)), "ü".repeat(LONGEST));
        assert_eq!(one_line(&"ü".repeat(LONGEST + 1)), "ü".repeat(LONGEST) + "…");
    }
}
