//! The values of headers in email format, in which METADATA and WHEEL are written.
//!
//! Specifications: [RFC 5322](https://www.rfc-editor.org/rfc/rfc5322) and, for encoded words,
//! [RFC 2047](https://www.rfc-editor.org/rfc/rfc2047).

use mailparse::{MailHeader, MailHeaderMap};
use memchr::memmem;

/// The longest line in which encoded words are decoded, in bytes (RFC 5322, line length limits).
///
/// Core metadata is UTF-8 and has no need of encoded words. mailparse 0.18 does not bound the time that decoding takes.
const LONGEST_LINE: usize = 998;

/// Returns the value of the first header of a name.
pub(crate) fn first_value(headers: &[MailHeader], name: &str) -> Option<String> {
    headers.get_first_header(name).map(value)
}

/// Returns the values of all headers of a name.
pub(crate) fn all_values(headers: &[MailHeader], name: &str) -> Vec<String> {
    headers.get_all_headers(name).into_iter().map(value).collect()
}

/// Returns the value of a header without surrounding whitespace. Encoded words stay as they are if a line is too long.
fn value(header: &MailHeader) -> String {
    let raw = header.get_value_raw();
    let is_too_long = raw.split(|byte| *byte == b'\n').any(|line| line.len() > LONGEST_LINE);
    if is_too_long && memmem::find(raw, b"=?").is_some() {
        let unfolded: Vec<_> = String::from_utf8_lossy(raw).lines().map(|line| line.trim().to_owned()).collect();
        unfolded.join(" ").trim().to_owned()
    } else {
        header.get_value().trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words_are_decoded_in_lines_of_a_valid_length() {
        let word = "=?utf-8?q?caf=C3=A9?=";
        let long = format!("{word} {}", "x".repeat(LONGEST_LINE));
        let unencoded = "é".repeat(LONGEST_LINE);
        for (field, expected) in [
            (word.to_owned(), "café".to_owned()),
            (format!("a\n b {word}"), "a b café".to_owned()),
            (format!("a\n {long}"), format!("a {long}")),
            (unencoded.clone(), unencoded),
        ] {
            let text = format!("Summary: {field}\n");
            let (headers, _) = mailparse::parse_headers(text.as_bytes()).unwrap();
            assert_eq!(first_value(&headers, "summary"), Some(expected.clone()), "{field}");
            assert_eq!(all_values(&headers, "Summary"), [expected], "{field}");
        }
    }
}
