//! The page of a distribution, in either format of the simple API.
//!
//! Specification: [PyPA, simple repository API](https://packaging.python.org/en/latest/specifications/simple-repository-api/).
//!
//! The parsers accept any input: an invalid page is an error, and an invalid file of a page is skipped.

pub mod html;
pub mod json;

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::digest::{Algorithm, Digest};
use crate::redact;

/// The accepted media types: the value that uv sends.
pub(super) const ACCEPTED: &str =
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01";

/// The supported major version of the API. By its specification, clients must refuse a higher one.
const VERSION: u64 = 1;

/// The page of a distribution, or the files of a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexPage {
    /// In the order of the page.
    pub files: Vec<IndexFile>,
    /// The invalid files.
    pub skipped: Vec<SkippedFile>,
    /// The state of the project, unless it is active.
    pub status: Option<ProjectStatus>,
}

/// The state of a project that an index states ([PEP 792](https://peps.python.org/pep-0792/)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectStatus {
    /// `archived`, `deprecated` or `quarantined`; others may follow.
    pub status: String,
    /// Any text; empty if none is stated.
    pub reason: String,
}

impl ProjectStatus {
    /// Returns a state; `None` for that of a project which is active, the default.
    fn of(status: Option<String>, reason: Option<String>) -> Option<Self> {
        let status = status.filter(|status| status != "active")?;
        Some(Self { status, reason: reason.unwrap_or_default() })
    }
}

impl fmt::Display for ProjectStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, reason } = self;
        let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        write!(formatter, "{}", redact::one_line(&format!("{status}{reason}")))
    }
}

/// A file of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexFile {
    /// The name, which is a single path component.
    pub name: String,
    /// An https or http URL, or on a local page a file URL, without a fragment.
    pub url: Url,
    /// The digests with supported algorithms.
    #[serde(with = "as_text")]
    pub digests: Vec<Digest>,
    /// In bytes.
    pub size: Option<u64>,
    /// The Requires-Python, which may be invalid.
    pub requires_python: Option<String>,
    /// The upload time, in milliseconds since 1970.
    pub uploaded: Option<i64>,
    /// The reason for yanking, empty if none is given; `None` if it was not yanked.
    pub yanked: Option<String>,
    /// The digests of the metadata that is served separately (PEP 658), which may be unknown; `None` if it is not served.
    #[serde(with = "as_text::optional")]
    pub metadata: Option<Vec<Digest>>,
}

/// A file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedFile {
    /// The name, with escaped control characters.
    pub name: String,
    /// The reason.
    pub reason: String,
}

/// Why a page cannot be parsed.
#[derive(Debug, thiserror::Error)]
pub enum IndexPageError {
    /// The JSON is not that of the simple API.
    #[error("it is not a page of the simple API")]
    Json(#[from] serde_json::Error),
    /// It is written in a version of the API that is not known.
    #[error("it has version {0} of the simple API, expected version 1")]
    Version(String),
    /// It is of another form.
    #[error("it has the content type `{}`, not one of the simple API", .0.escape_debug())]
    MediaType(String),
    /// The server does not say of which form it is.
    #[error("the response has no content type")]
    NoMediaType,
}

impl IndexPage {
    /// Parses a page by its media type.
    ///
    /// # Errors
    /// The media type is not supported, or the page is invalid.
    pub(super) fn parse(media_type: Option<&str>, bytes: &[u8], base: &Url) -> Result<Self, IndexPageError> {
        let media_type = media_type.ok_or(IndexPageError::NoMediaType)?;
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/vnd.pypi.simple.v1+json" => json::parse(bytes, base),
            "application/vnd.pypi.simple.v1+html" | "text/html" => html::parse(bytes, base),
            _ => Err(IndexPageError::MediaType(essence)),
        }
    }

    /// Returns the file with a URL.
    pub(super) fn file(&self, url: &Url) -> Option<&IndexFile> {
        self.files.iter().find(|file| file.url == *url)
    }

    /// Adds a file, or a skipped file if its name or its URL is invalid.
    fn add(&mut self, base: &Url, href: &str, file: impl FnOnce(Url) -> Result<IndexFile, String>, name: &str) {
        let file = locate(base, href, name).and_then(file);
        match file {
            Ok(file) => self.files.push(file),
            Err(reason) => self.skipped.push(SkippedFile { name: name.escape_debug().to_string(), reason }),
        }
    }
}

/// Resolves a link of a page.
fn locate(base: &Url, href: &str, name: &str) -> Result<Url, String> {
    let is_name =
        !matches!(name, "" | "." | "..") && !name.contains(|c: char| c.is_control() || matches!(c, '/' | '\\'));
    if !is_name {
        return Err("its name is not the name of a file".to_owned());
    }
    let mut url = base.join(href).map_err(|error| format!("its URL is not valid: {error}"))?;
    url.set_fragment(None);
    match url.scheme() {
        "https" | "http" => Ok(url),
        "file" if base.scheme() == "file" => Ok(url),
        scheme => Err(format!("only https and http URLs can be followed, not {scheme}")),
    }
}

/// Parses a digest; `None` if the algorithm is not supported.
fn digest(algorithm: &str, value: &str) -> Result<Option<Digest>, String> {
    if Algorithm::ALL.iter().all(|known| known.name() != algorithm) {
        return Ok(None);
    }
    format!("{algorithm}:{value}").parse().map(Some).map_err(|error: crate::digest::InvalidDigest| error.to_string())
}

/// Checks the version of the API of a page: any minor version of 1 is supported.
fn check_version(version: &str) -> Result<(), IndexPageError> {
    let major = version.trim().split('.').next().and_then(|major| major.parse::<u64>().ok());
    match major {
        Some(major) if major <= VERSION => Ok(()),
        _ => Err(IndexPageError::Version(version.chars().take(40).flat_map(char::escape_debug).collect())),
    }
}

/// Serializes digests as `ALGORITHM:HEX`.
mod as_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use crate::digest::Digest;

    pub(super) fn serialize<S: Serializer>(digests: &[Digest], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(digests.iter().map(ToString::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Digest>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| text.parse().map_err(de::Error::custom)).collect()
    }

    /// The same for digests that may be missing.
    pub(super) mod optional {
        use super::*;

        pub(crate) fn serialize<S: Serializer>(
            digests: &Option<Vec<Digest>>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            let texts = digests.as_ref().map(|digests| digests.iter().map(ToString::to_string).collect::<Vec<_>>());
            texts.serialize(serializer)
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Digest>>, D::Error> {
            let texts = Option::<Vec<String>>::deserialize(deserializer)?;
            let parsed = texts.map(|texts| texts.iter().map(|text| text.parse()).collect::<Result<_, _>>());
            parsed.transpose().map_err(de::Error::custom)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_the_api_are_checked() {
        for version in ["1.0", "1.99", "1", " 1.1 ", "0.9"] {
            assert!(check_version(version).is_ok(), "{version}");
        }
        for version in ["2.0", "10.0", "", "one", "18446744073709551616.0"] {
            assert!(matches!(check_version(version), Err(IndexPageError::Version(_))), "{version}");
        }
    }

    #[test]
    fn the_type_tells_the_form() {
        let base = "https://host/simple/a/".parse().unwrap();
        let html = b"<a href='a-1-py3-none-any.whl'>a</a>";
        for media_type in ["text/html", "Text/HTML; charset=utf-8", "application/vnd.pypi.simple.v1+html"] {
            assert_eq!(IndexPage::parse(Some(media_type), html, &base).unwrap().files.len(), 1, "{media_type}");
        }
        let json = IndexPage::parse(Some("application/vnd.pypi.simple.v1+json"), html, &base);
        assert!(matches!(json, Err(IndexPageError::Json(_))));
        assert!(matches!(IndexPage::parse(Some("application/json"), b"{}", &base), Err(IndexPageError::MediaType(_))));
        assert!(matches!(IndexPage::parse(None, html, &base), Err(IndexPageError::NoMediaType)));
    }

    #[test]
    fn damaged_pages_harm_nobody() {
        let base = "https://host/simple/a/".parse().unwrap();
        let json = br#"{"meta": {"api-version": "1.1"}, "files": [{"filename": "a-1.tar.gz", "url": "a-1.tar.gz",
            "hashes": {"sha256": "00"}, "yanked": "x", "core-metadata": {"md5": "0"}, "upload-time": "2026-01-01T00:00Z"}]}"#;
        let html = b"<base href=/x><meta name=pypi:repository-version content=1.0><a href=\"a%20-1.zip?x#sha256=00\"
            data-requires-python='&gt;3' data-yanked data-core-metadata=md5=0>&#x1F600;<!-- x --><![CDATA[x]]></a>";
        for text in [&json[..], &html[..]] {
            for at in 0..text.len() {
                let mut flipped = text.to_vec();
                for bit in 0..8 {
                    flipped[at] = text[at] ^ (1 << bit);
                    for damaged in [&flipped[..], &text[..at]] {
                        let _ = (json::parse(damaged, &base), html::parse(damaged, &base));
                    }
                }
            }
        }
    }

    #[test]
    fn links_that_cannot_be_followed_are_passed_over() {
        let base: Url = "https://host/simple/a/".parse().unwrap();
        for (href, name, reason) in [
            ("x", "..", "name of a file"),
            ("x", "a/b.whl", "name of a file"),
            ("x", "a\\b.whl", "name of a file"),
            ("x", "a\u{0}.whl", "name of a file"),
            ("file:///etc/passwd", "passwd", "not file"),
            ("javascript:alert(1)", "a.whl", "not javascript"),
            ("https://[::1", "a.whl", "not valid"),
        ] {
            let error = locate(&base, href, name).unwrap_err();
            assert!(error.contains(reason), "{href}: {error}");
        }
        assert_eq!(locate(&base, "../../f/a.whl#x", "a.whl").unwrap().as_str(), "https://host/f/a.whl");
    }
}
