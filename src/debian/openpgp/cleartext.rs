//! Texts with their signatures in one file, as InRelease is.
//!
//! Specification: [RFC 9580, section 7](https://www.rfc-editor.org/rfc/rfc9580#section-7).

use super::armor;
use super::packet::{InvalidPacket, PacketBytes, tag};
use super::signature::KeySignature;

const BEGIN_MESSAGE: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const BEGIN_SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";
const END_SIGNATURE: &str = "-----END PGP SIGNATURE-----";

/// The most signatures that are read. Debian has three.
const MOST_SIGNATURES: usize = 32;

/// A file that is not a text with signatures, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCleartext {
    /// The file begins with something else.
    #[error("it is not signed: it does not begin with `{BEGIN_MESSAGE}`")]
    Unsigned,
    /// A line is not where it belongs, or is missing.
    #[error("the signed message is invalid: {0}")]
    Structure(&'static str),
    /// The packets of the signatures are damaged.
    #[error(transparent)]
    Packet(#[from] InvalidPacket),
}

/// A text and its signatures, which are not verified.
#[derive(Debug, Clone)]
pub struct SignedText {
    text: String,
    pub(super) signatures: Vec<KeySignature>,
}

impl SignedText {
    /// Reads a file that consists of a text with signatures. Nothing may be before or after it, which a reader of the text
    /// might take for signed.
    ///
    /// # Errors
    /// It has another form.
    pub fn parse(file: &str) -> Result<Self, InvalidCleartext> {
        let mut lines = file.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        if lines.next().map(str::trim_end) != Some(BEGIN_MESSAGE) {
            return Err(InvalidCleartext::Unsigned);
        }
        loop {
            match lines.next() {
                Some(line) if line.trim().is_empty() => break,
                Some(line) if line.starts_with("Hash: ") => {}
                _ => return Err(InvalidCleartext::Structure("a header is not `Hash`")),
            }
        }
        let mut text = String::with_capacity(file.len());
        loop {
            let Some(line) = lines.next() else { return Err(InvalidCleartext::Structure("it has no signature")) };
            if line.trim_end() == BEGIN_SIGNATURE {
                break;
            }
            let line = match line.strip_prefix("- ") {
                Some(escaped) => escaped,
                None if line.starts_with('-') => return Err(InvalidCleartext::Structure("a line begins with `-`")),
                None => line,
            };
            text.push_str(line.trim_end_matches([' ', '\t']));
            text.push('\n');
        }
        let mut is_closed = false;
        let armor: Vec<&str> = lines
            .by_ref()
            .take_while(|line| {
                is_closed = line.trim_end() == END_SIGNATURE;
                !is_closed
            })
            .collect();
        if !is_closed {
            return Err(InvalidCleartext::Structure("its signature has no end"));
        }
        if lines.any(|line| !line.trim().is_empty()) {
            return Err(InvalidCleartext::Structure("something follows its signature"));
        }
        let data = armor::decode(armor.into_iter());
        let data = data.ok_or(InvalidCleartext::Structure("its signature is not base64, or its checksum is wrong"))?;
        Ok(Self { text, signatures: signatures(&data)? })
    }

    /// Returns the text that the signatures cover, with `\n` after each line. It is not verified.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the bytes that signatures of texts cover: `\r\n` between the lines.
    pub(super) fn canonical(&self) -> Vec<u8> {
        let text = self.text.strip_suffix('\n').unwrap_or(&self.text);
        text.replace('\n', "\r\n").into_bytes()
    }
}

fn signatures(data: &[u8]) -> Result<Vec<KeySignature>, InvalidCleartext> {
    let mut bytes = PacketBytes(data);
    let mut signatures = Vec::new();
    while let Some(packet) = bytes.packet()? {
        if packet.tag != tag::SIGNATURE {
            return Err(InvalidCleartext::Structure("it has a packet that is not a signature"));
        }
        signatures.extend(KeySignature::read(packet.body)?);
        if signatures.len() > MOST_SIGNATURES {
            return Err(InvalidCleartext::Structure("it has too many signatures"));
        }
    }
    Ok(signatures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_signed_text_is_accepted() {
        let valid = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nOrigin: X  \n- -dashed\n\n-----BEGIN PGP SIGNATURE-----\n\n\n-----END PGP SIGNATURE-----\n";
        let signed = SignedText::parse(valid).unwrap();
        assert_eq!(signed.text(), "Origin: X\n-dashed\n\n");
        assert_eq!(signed.canonical(), b"Origin: X\r\n-dashed\r\n");
        assert_eq!(SignedText::parse(&valid.replace('\n', "\r\n")).unwrap().canonical(), signed.canonical());
        for (from, to, expected) in [
            ("-----BEGIN PGP SIGNED", "Origin: evil\n-----BEGIN PGP SIGNED", "it is not signed"),
            ("Hash: SHA512", "Origin: evil", "a header is not `Hash`"),
            ("- -dashed", "-dashed", "a line begins with `-`"),
            ("-----BEGIN PGP SIGNATURE-----", "", "a line begins with `-`"),
            ("-----END PGP SIGNATURE-----\n", "", "its signature has no end"),
            ("SIGNATURE-----\n\n\n", "SIGNATURE-----\n\n\n%\n", "its signature is not base64"),
            ("-----END PGP SIGNATURE-----\n", "-----END PGP SIGNATURE-----\nOrigin: evil\n", "something follows"),
            ("SIGNATURE-----\n\n\n", "SIGNATURE-----\n\nzQA=\n", "it has a packet that is not a signature"),
            ("SIGNATURE-----\n\n\n", "SIGNATURE-----\n\nwgUA\n", "the OpenPGP data is damaged: it ends too early"),
        ] {
            assert!(valid.contains(from), "{from}");
            let error = SignedText::parse(&valid.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(expected), "{error} instead of {expected}");
        }
    }
}
