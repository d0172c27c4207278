//! RECORD, the list of a distribution's files with their digests and sizes.
//!
//! Specification: [PyPA, recording installed projects](https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file)
//! and [binary distribution format, the RECORD file](https://packaging.python.org/en/latest/specifications/binary-distribution-format/#signed-wheel-files).

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::WheelErrorKind;
use super::violation::BrokenRule;
use crate::digest::{Algorithm, Digest, Sha256};

/// The digest and the size of a file in RECORD, both optional.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RecordRow {
    /// The digest of the file.
    pub(crate) digest: Option<RecordDigest>,
    /// The size of the file in bytes.
    pub(crate) size: Option<u64>,
}

/// A digest in RECORD.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RecordDigest {
    /// SHA-256 or stronger.
    pub(crate) algorithm: Algorithm,
    bytes: Vec<u8>,
}

impl PartialEq<Digest> for RecordDigest {
    fn eq(&self, digest: &Digest) -> bool {
        self.algorithm == digest.algorithm() && self.bytes == digest.as_bytes()
    }
}

/// The rows of a RECORD, by path.
pub(crate) type RecordRows = HashMap<String, RecordRow>;

/// Returns the paths in a RECORD, relative to the parent of the `.dist-info` directory. Malformed rows are skipped.
pub(crate) fn paths(text: &[u8]) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
    reader.records().flatten().filter_map(|row| row.get(0).map(str::to_owned)).collect()
}

/// Parses a RECORD.
///
/// # Errors
/// A row is malformed, duplicate, or has a digest weaker than SHA-256.
pub(crate) fn parse(text: &[u8]) -> Result<RecordRows, WheelErrorKind> {
    let (record, violations) = survey(text)?;
    violations.into_iter().next().map_or(Ok(record), |rule| Err(rule.into()))
}

/// Parses a RECORD; returns the rows, and what is wrong with some of them. Of an invalid row only the path counts.
///
/// # Errors
/// It is not UTF-8, or not comma-separated values.
pub(super) fn survey(text: &[u8]) -> Result<(RecordRows, Vec<BrokenRule>), WheelErrorKind> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
    let (mut record, mut violations) = (RecordRows::new(), Vec::new());
    for row in reader.records() {
        let row = row.map_err(|error| WheelErrorKind::UnreadableRecord {
            line: line(error.position()),
            reason: "it is not UTF-8 or not comma-separated values",
        })?;
        let path = relative(row.get(0).unwrap_or_default());
        let mut reason = None;
        let parsed = parse_row(&row).unwrap_or_else(|error| {
            reason = Some(error);
            RecordRow { digest: None, size: None }
        });
        if record.insert(path.to_owned(), parsed).is_some() {
            reason = Some(format!("`{path}` is listed twice"));
        }
        violations.extend(reason.map(|reason| BrokenRule::RecordRow { line: line(row.position()), reason }));
    }
    Ok((record, violations))
}

fn line(position: Option<&csv::Position>) -> u64 {
    position.map_or(1, csv::Position::line)
}

/// Returns a path without the `./` or `/` that some build tools write before it.
fn relative(path: &str) -> &str {
    path.trim_start_matches("./").trim_start_matches('/')
}

/// Returns what a row lists of a file.
fn parse_row(row: &csv::StringRecord) -> Result<RecordRow, String> {
    let fields: Vec<&str> = row.iter().collect();
    let [_, digest, size] = fields[..] else {
        return Err(format!("it has {} fields, expected 3", fields.len()));
    };
    let digest = if digest.is_empty() { None } else { Some(parse_digest(digest)?) };
    let size = match size {
        "" => None,
        size => Some(size.parse().map_err(|_| format!("`{size}` is not a valid size"))?),
    };
    Ok(RecordRow { digest, size })
}

/// Parses `algorithm=digest`, the digest in URL-safe base64 without padding, or in hexadecimal as uv_build wrote it before
/// 0.8.13. The specification requires SHA-256 or stronger.
fn parse_digest(text: &str) -> Result<RecordDigest, String> {
    let (name, digest) = text.split_once('=').ok_or_else(|| format!("`{text}` is not a valid digest"))?;
    let algorithm = match name {
        "sha256" => Algorithm::Sha256,
        "sha384" => Algorithm::Sha384,
        "sha512" => Algorithm::Sha512,
        "blake2b" => Algorithm::Blake2b,
        _ => return Err(format!("the digest algorithm is `{name}`, expected sha256, sha384, sha512 or blake2b")),
    };
    // No digest has the same number of characters in both encodings.
    let bytes = if digest.len() == 2 * algorithm.length() {
        hex::decode(digest).ok()
    } else {
        URL_SAFE_NO_PAD.decode(digest.trim_end_matches('=')).ok()
    };
    let bytes = bytes.filter(|bytes| bytes.len() == algorithm.length());
    let bytes = bytes.ok_or_else(|| format!("`{text}` is not a valid digest"))?;
    Ok(RecordDigest { algorithm, bytes })
}

/// The digest and the size of an installed file in RECORD. RECORD itself and bytecode have neither.
pub(crate) type DigestAndSize = Option<(Sha256, u64)>;

/// Writes the RECORD of a distribution: a row for each file and for RECORD itself, ordered by path.
pub(crate) fn write(own_path: &str, files: &[(String, DigestAndSize)]) -> Vec<u8> {
    let mut rows: Vec<(&str, DigestAndSize)> =
        files.iter().map(|(path, digest_and_size)| (path.as_str(), *digest_and_size)).collect();
    rows.push((own_path, None));
    rows.sort_unstable_by_key(|(path, _)| *path);

    let mut text = String::with_capacity(rows.iter().map(|(path, _)| path.len() + 64).sum());
    for (path, digest_and_size) in rows {
        push_field(&mut text, path);
        if let Some((digest, size)) = digest_and_size {
            text.push_str(",sha256=");
            URL_SAFE_NO_PAD.encode_string(digest.0, &mut text);
            text.push(',');
            text.push_str(&size.to_string());
            text.push('\n');
        } else {
            text.push_str(",,\n");
        }
    }
    text.into_bytes()
}

/// Appends a CSV field, quoted if necessary (RFC 4180, section 2).
fn push_field(text: &mut String, field: &str) {
    if field.contains([',', '"', '\n', '\r']) {
        text.push('"');
        text.push_str(&field.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(field);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Hasher;

    #[test]
    fn a_written_record_parses_to_the_same_rows() {
        let digest = Sha256::of(b"abc");
        let files = [("b,\"c\".py", 2), ("a.py", 3)].map(|(path, size)| (path.to_owned(), Some((digest, size))));
        let text = write("a-1.dist-info/RECORD", &files);
        let lines: Vec<&str> = std::str::from_utf8(&text).unwrap().lines().collect();
        assert_eq!(lines[0], "a-1.dist-info/RECORD,,");
        assert_eq!(lines[1], "a.py,sha256=ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0,3");

        let record = parse(&text).unwrap();
        assert_eq!(record.len(), 3);
        let row = &record["b,\"c\".py"];
        assert!(row.size == Some(2) && row.digest.as_ref().is_some_and(|found| *found == Digest::from(digest)));
        assert_eq!(record["a-1.dist-info/RECORD"], RecordRow { digest: None, size: None });
    }

    #[test]
    fn digests_may_be_hexadecimal() {
        for text in [&b""[..], b"abc"] {
            for algorithm in [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512, Algorithm::Blake2b] {
                let mut hasher = Hasher::new(algorithm);
                hasher.update(text);
                let digest = hasher.finish();
                let row = format!("{}={}", algorithm.name(), digest.hex());
                assert!(parse_digest(&row).is_ok_and(|parsed| parsed == digest), "{row}");
            }
        }
    }

    #[test]
    fn invalid_rows_are_refused() {
        for (row, reason) in [
            ("a.py", "1 fields"),
            ("a.py,,,", "4 fields"),
            ("a.py,md5=1B2M2Y8AsgTpgAmY7PhCfg,0", "`md5`"),
            ("a.py,sha1=2jmj7l5rSw0yVb_vlWAYkK_YBwk,0", "`sha1`"),
            ("a.py,sha256=ungWv48B,0", "not a valid digest"),
            ("a.py,sha256:00,0", "not a valid digest"),
            ("a.py,sha256=zz08b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1,0", "not a valid digest"),
            ("a.py,,-1", "`-1` is not a valid size"),
            ("./a.py,,\n/a.py,,", "listed twice"),
        ] {
            let error = parse(format!("b.py,,\n{row}\n").as_bytes()).unwrap_err();
            assert!(error.to_string().contains(reason), "{row}: {error}");
            assert!(error.to_string().starts_with("line "), "{row}: {error}");
        }
    }
}
