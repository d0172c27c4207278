//! The name by which OpenSSL finds a certificate in a directory: the hash of its subject.
//!
//! Specification: [openssl-rehash(1)](https://docs.openssl.org/3.0/man1/openssl-rehash/); OpenSSL 3.0, `x509_name_canon` in
//! crypto/x509/x_name.c.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const UTF8_STRING: u8 = 0x0c;
/// The version of a certificate, which may be missing.
const VERSION: u8 = 0xa0;

/// Returns the only certificate in a PEM file in DER; `None` if it has none, or several.
pub fn certificate(pem: &str) -> Option<Vec<u8>> {
    let (before, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, after) = rest.split_once("-----END CERTIFICATE-----")?;
    if before.contains("-----BEGIN") || after.contains("-----BEGIN") {
        return None;
    }
    let body: String = body.split_whitespace().collect();
    STANDARD.decode(body).ok()
}

/// Returns the hash of the subject of a certificate in DER.
pub fn subject_hash(der: &[u8]) -> Option<u32> {
    let certificate = Der(der).next(SEQUENCE)?;
    let mut fields = Der(Der(certificate).next(SEQUENCE)?);
    if fields.0.first() == Some(&VERSION) {
        fields.element()?;
    }
    // The serial number, the algorithm, the issuer and the validity come before the subject (RFC 5280, 4.1).
    for _ in 0..4 {
        fields.element()?;
    }
    let canonical = canonical(fields.next(SEQUENCE)?)?;
    let digest = Sha1::digest(canonical);
    Some(u32::from_le_bytes(*digest.first_chunk()?))
}

/// Returns a name in the form that is hashed: its attributes without the sequence around them, their strings as UTF-8 in
/// lower case, with single spaces.
fn canonical(name: &[u8]) -> Option<Vec<u8>> {
    let (mut sets, mut canonical) = (Der(name), Vec::new());
    while !sets.0.is_empty() {
        let mut attributes = Der(sets.next(SET)?);
        let mut set = Vec::new();
        while !attributes.0.is_empty() {
            let mut attribute = Der(attributes.next(SEQUENCE)?);
            let (kind, identifier) = attribute.element()?;
            let (value_kind, value) = attribute.element()?;
            let mut encoded = Vec::new();
            encode(kind, identifier, &mut encoded);
            match text(value_kind, value) {
                Some(text) => encode(UTF8_STRING, normal(&text).as_bytes(), &mut encoded),
                None => encode(value_kind, value, &mut encoded),
            }
            encode(SEQUENCE, &encoded, &mut set);
        }
        encode(SET, &set, &mut canonical);
    }
    Some(canonical)
}

/// Returns the text of a string type (X.680): UTF-8, printable, Latin 1, ASCII, visible, and two kinds of wide characters.
fn text(kind: u8, value: &[u8]) -> Option<String> {
    match kind {
        UTF8_STRING => String::from_utf8(value.to_vec()).ok(),
        0x13 | 0x14 | 0x16 | 0x1a => Some(value.iter().map(|byte| char::from(*byte)).collect()),
        0x1e => {
            let units: Vec<u16> = value.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            String::from_utf16(&units).ok()
        }
        0x1c => value
            .chunks_exact(4)
            .map(|four| char::from_u32(u32::from_be_bytes([four[0], four[1], four[2], four[3]])))
            .collect(),
        _ => None,
    }
}

fn normal(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|character: char| character.is_ascii_whitespace()).filter(|word| !word.is_empty()).collect();
    words.join(" ").to_ascii_lowercase()
}

/// Appends an element with a definite length (X.690, 8.1.3).
fn encode(kind: u8, value: &[u8], output: &mut Vec<u8>) {
    output.push(kind);
    match value.len() {
        length @ 0..=127 => output.push(length as u8),
        length => {
            let bytes: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            output.push(0x80 | bytes.len() as u8);
            output.extend(bytes);
        }
    }
    output.extend(value);
}

/// Elements of DER one after another.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// Takes an element of any kind: its kind and its value.
    fn element(&mut self) -> Option<(u8, &'a [u8])> {
        let (kind, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = if *first < 0x80 {
            (usize::from(*first), rest)
        } else {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length =
                bytes.iter().try_fold(0_usize, |length, byte| length.checked_mul(256)?.checked_add(usize::from(*byte)));
            (length?, rest)
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*kind, value))
    }

    /// Takes an element of a kind.
    fn next(&mut self, kind: u8) -> Option<&'a [u8]> {
        self.element().filter(|(found, _)| *found == kind).map(|(_, value)| value)
    }
}
