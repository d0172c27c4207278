//! The Release file of a suite: when it was made, until when it may be used, and the digests of the indexes.
//!
//! Specification: [Debian's repository format](https://wiki.debian.org/DebianRepository/Format#A.22Release.22_files).

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::{ControlError, ControlParagraph};

/// A Release file that is invalid.
#[derive(Debug, thiserror::Error)]
pub enum InvalidRelease {
    /// The syntax is wrong.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// A field is missing.
    #[error("the field {0} is missing")]
    Missing(&'static str),
    /// A date is invalid.
    #[error("the field {field} is not a date: `{}`", .text.escape_debug())]
    Date {
        /// The field.
        field: &'static str,
        /// The value.
        text: String,
    },
    /// A line of the field SHA256 is invalid.
    #[error("a line of the field SHA256 is invalid: `{}`", .0.escape_debug())]
    Digest(String),
}

/// The digest and the size of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexDigest {
    /// SHA-256.
    pub sha256: [u8; 32],
    /// In bytes.
    pub size: u64,
}

/// A Release file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseFile {
    /// The field Origin, for instance `Debian`.
    pub origin: Option<String>,
    /// The suite, for instance `oldstable`.
    pub suite: Option<String>,
    /// The name of the release, for instance `bookworm`.
    pub codename: Option<String>,
    /// When it was made.
    pub date: Timestamp,
    /// Until when it may be used.
    pub valid_until: Option<Timestamp>,
    /// The architectures of its indexes.
    pub architectures: Vec<String>,
    /// The components, for instance `main`.
    pub components: Vec<String>,
    /// Whether an index can be requested by its digest.
    pub by_hash: bool,
    /// Whether packages for all architectures are only in an index of their own.
    pub separate_all: bool,
    /// The indexes by their paths.
    pub indexes: BTreeMap<String, IndexDigest>,
}

impl ReleaseFile {
    /// Reads the text of a Release file, which must be verified.
    ///
    /// # Errors
    /// A field is missing or invalid.
    pub fn parse(text: &str) -> Result<Self, InvalidRelease> {
        let paragraph = ControlParagraph::parse(text)?;
        let list = |field| {
            let words = paragraph.field(field).unwrap_or_default().split_whitespace();
            words.map(str::to_owned).collect::<Vec<_>>()
        };
        let text_of = |field| paragraph.field(field).map(str::to_owned);
        let architectures = list("Architectures");
        let in_own_index = architectures.iter().any(|name| name == "all");
        let unsupported = paragraph.field("No-Support-for-Architecture-all");
        Ok(Self {
            origin: text_of("Origin"),
            suite: text_of("Suite"),
            codename: text_of("Codename"),
            date: date(&paragraph, "Date")?.ok_or(InvalidRelease::Missing("Date"))?,
            valid_until: date(&paragraph, "Valid-Until")?,
            separate_all: in_own_index && unsupported != Some("Packages"),
            architectures,
            components: list("Components"),
            by_hash: paragraph.field("Acquire-By-Hash") == Some("yes"),
            indexes: indexes(paragraph.field("SHA256").ok_or(InvalidRelease::Missing("SHA256"))?)?,
        })
    }
}

/// Reads a date as of RFC 2822, in UTC.
fn date(paragraph: &ControlParagraph<'_>, field: &'static str) -> Result<Option<Timestamp>, InvalidRelease> {
    let Some(text) = paragraph.field(field) else { return Ok(None) };
    // RFC 2822 has no zone of this name, and hours of two digits: Ubuntu's archives have `2:51:42` after a second blank.
    let words = text.split_whitespace().map(|word| match word {
        "UTC" => "GMT".to_owned(),
        time if time.find(':') == Some(1) => format!("0{time}"),
        word => word.to_owned(),
    });
    let standard = words.collect::<Vec<String>>().join(" ");
    let time = rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(&standard);
    time.map(Some).map_err(|_| InvalidRelease::Date { field, text: text.to_owned() })
}

fn indexes(field: &str) -> Result<BTreeMap<String, IndexDigest>, InvalidRelease> {
    let lines = field.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| index(line).ok_or_else(|| InvalidRelease::Digest(line.chars().take(120).collect()))).collect()
}

fn index(line: &str) -> Option<(String, IndexDigest)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [sha256, size, path] = words[..] else { return None };
    let sha256 = hex::decode(sha256).ok()?.try_into().ok()?;
    let is_inside = !path.starts_with('/') && path.split('/').all(|part| part != "..");
    let size = size.parse().ok()?;
    is_inside.then(|| (path.to_owned(), IndexDigest { sha256, size }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELEASE: &str = "Origin: Debian\nSuite: stable\nCodename: trixie\nDate: Sat, 21 Nov 2026 09:15:44 UTC\nValid-Until: Sat, 28 Nov 2026 09:15:44 UTC\nAcquire-By-Hash: yes\nNo-Support-for-Architecture-all: Packages\nArchitectures: all amd64 arm64\nComponents: main contrib\nSHA256:\n 5555555555555555555555555555555555555555555555555555555555555555 1484 main/binary-amd64/Packages.xz\n";

    #[test]
    fn releases_are_read() {
        let release = ReleaseFile::parse(RELEASE).unwrap();
        assert_eq!(release.date.to_string(), "2026-11-21T09:15:44Z");
        assert_eq!(release.valid_until.unwrap().to_string(), "2026-11-28T09:15:44Z");
        assert_eq!(release.components, ["main", "contrib"]);
        assert!(release.by_hash && !release.separate_all);
        assert_eq!(release.indexes["main/binary-amd64/Packages.xz"], IndexDigest { sha256: [0x55; 32], size: 1484 });
        assert!(ReleaseFile::parse(&RELEASE.replace("No-Support", "X")).unwrap().separate_all);
        assert_eq!(ReleaseFile::parse(&RELEASE.replace(" UTC", " +0000")).unwrap(), release);
        let of_ubuntu = ReleaseFile::parse(&RELEASE.replacen("09:15:44", " 9:15:44", 1)).unwrap();
        assert_eq!(of_ubuntu, release);
    }

    #[test]
    fn invalid_releases_are_errors() {
        for (from, to, expected) in [
            ("Date: Sat", "Dated: Sat", "the field Date is missing"),
            ("Date: Sat, 21 Nov 2026", "Date: yesterday", "the field Date is not a date: `yesterday 09:15:44 UTC`"),
            (
                "Until: Sat, 28",
                "Until: Sat, 38",
                "the field Valid-Until is not a date: `Sat, 38 Nov 2026 09:15:44 UTC`",
            ),
            ("SHA256", "SHA1", "the field SHA256 is missing"),
            (" main/binary", " ../main/binary", "a line of the field SHA256 is invalid"),
            (" 1484", " many", "a line of the field SHA256 is invalid"),
            (" 5555", " 555", "a line of the field SHA256 is invalid"),
        ] {
            let error = ReleaseFile::parse(&RELEASE.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
