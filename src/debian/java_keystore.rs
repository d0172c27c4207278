//! A keystore of trusted certificates, as ca-certificates-java writes it for Java (JKS).
//!
//! Specification: OpenJDK 17, `engineStore` in `sun.security.provider.JavaKeyStore`.

use std::collections::BTreeMap;

use sha1::{Digest as _, Sha1};

const MAGIC: u32 = 0xfeed_feed;
const VERSION: u32 = 2;

/// The tag of an entry that is a trusted certificate.
const TRUSTED_CERTIFICATE: u32 = 2;

/// The password that Debian's packages use, and the text that follows it in the digest.
const PASSWORD: &str = "changeit";
const WHITENER: &[u8] = b"Mighty Aphrodite";

/// Returns the keystore of certificates by their aliases, which are in lower case. Entries have the date 1970-01-01: Java
/// writes the time at which it runs.
pub fn java_keystore(certificates: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(MAGIC.to_be_bytes());
    bytes.extend(VERSION.to_be_bytes());
    bytes.extend((certificates.len() as u32).to_be_bytes());
    for (alias, certificate) in certificates {
        bytes.extend(TRUSTED_CERTIFICATE.to_be_bytes());
        append_text(alias, &mut bytes);
        bytes.extend(0_u64.to_be_bytes());
        append_text("X.509", &mut bytes);
        bytes.extend((certificate.len() as u32).to_be_bytes());
        bytes.extend(certificate);
    }
    let mut digest = Sha1::new();
    digest.update(PASSWORD.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>());
    digest.update(WHITENER);
    digest.update(&bytes);
    bytes.extend(digest.finalize());
    bytes
}

/// Appends a string as `DataOutputStream.writeUTF` does. The names of certificates are shorter than 64 KiB and have neither
/// null characters nor such beyond the basic plane, for which Java's UTF-8 is another.
fn append_text(text: &str, bytes: &mut Vec<u8>) {
    bytes.extend((text.len() as u16).to_be_bytes());
    bytes.extend(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `keytool -list` of OpenJDK 17 accepts these bytes with the password.
    #[test]
    fn a_keystore_has_entries_and_a_digest() {
        let bytes = java_keystore(&[("debian:a.pem".to_owned(), vec![0x30, 0])].into());
        assert_eq!(bytes.len(), 12 + 4 + 2 + 12 + 8 + 2 + 5 + 4 + 2 + 20);
        assert_eq!(&bytes[..14], b"\xfe\xed\xfe\xed\0\0\0\x02\0\0\0\x01\0\0");
        assert_eq!(&bytes[16..30], b"\0\x0cdebian:a.pem");
    }
}
