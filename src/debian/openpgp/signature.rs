//! Signatures of version 4.
//!
//! Specification: [RFC 9580, section 5.2](https://www.rfc-editor.org/rfc/rfc9580#section-5.2).

use super::super::Fingerprint;
use super::algorithm::{KeyMaterial, SignatureDigest, SignatureMaterial};
use super::packet::{InvalidPacket, PacketBytes};

/// What a signature is made for (section 5.2.1).
pub(super) mod kind {
    pub(in crate::debian::openpgp) const TEXT: u8 = 0x01;
    pub(in crate::debian::openpgp) const CERTIFICATIONS: std::ops::RangeInclusive<u8> = 0x10..=0x13;
    pub(in crate::debian::openpgp) const SUBKEY_BINDING: u8 = 0x18;
    pub(in crate::debian::openpgp) const PRIMARY_KEY_BINDING: u8 = 0x19;
    pub(in crate::debian::openpgp) const DIRECT_KEY: u8 = 0x1f;
    pub(in crate::debian::openpgp) const KEY_REVOCATION: u8 = 0x20;
    pub(in crate::debian::openpgp) const SUBKEY_REVOCATION: u8 = 0x28;
}

/// The bit of the key flags for keys that may sign (section 5.2.3.29).
const MAY_SIGN: u8 = 0x02;

/// A signature.
#[derive(Debug, Clone)]
pub(super) struct KeySignature {
    pub(super) kind: u8,
    digest: Option<SignatureDigest>,
    /// The bytes of the signature that it covers.
    covered: Vec<u8>,
    /// When it was made, in seconds since 1970.
    pub(super) created: Option<u32>,
    /// After how many seconds it expires.
    pub(super) lifetime: Option<u32>,
    /// After how many seconds from its creation the key expires.
    pub(super) key_lifetime: Option<u32>,
    /// Whether the key may sign, if it is said.
    pub(super) may_sign: Option<bool>,
    pub(super) issuer: Option<Fingerprint>,
    /// The last 8 bytes of the fingerprint.
    pub(super) issuer_id: Option<[u8; 8]>,
    /// The signature of a subkey over its primary key.
    pub(super) embedded: Option<Box<KeySignature>>,
    has_unknown_critical: bool,
    material: SignatureMaterial,
}

impl KeySignature {
    /// Reads the body of a packet; `None` for another version.
    pub(super) fn read(body: &[u8]) -> Result<Option<Self>, InvalidPacket> {
        Self::read_nested(body, true)
    }

    fn read_nested(body: &[u8], may_embed: bool) -> Result<Option<Self>, InvalidPacket> {
        let mut bytes = PacketBytes(body);
        if bytes.byte()? != 4 {
            return Ok(None);
        }
        let kind = bytes.byte()?;
        let algorithm = bytes.byte()?;
        let digest = SignatureDigest::of(bytes.byte()?);
        let length = bytes.number(2)?;
        let hashed = bytes.take(length)?;
        let covered = body[..body.len() - bytes.0.len()].to_vec();
        let length = bytes.number(2)?;
        let unhashed = bytes.take(length)?;
        // The first bytes of the digest, only to find errors early.
        bytes.take(2)?;
        let mut signature = Self {
            kind,
            digest,
            covered,
            created: None,
            lifetime: None,
            key_lifetime: None,
            may_sign: None,
            issuer: None,
            issuer_id: None,
            embedded: None,
            has_unknown_critical: false,
            material: SignatureMaterial::read(algorithm, &mut bytes)?,
        };
        signature.read_hashed(hashed, may_embed)?;
        signature.read_unhashed(unhashed, may_embed)?;
        Ok(Some(signature))
    }

    /// Reads the subpackets that the signature covers.
    fn read_hashed(&mut self, subpackets: &[u8], may_embed: bool) -> Result<(), InvalidPacket> {
        let mut bytes = PacketBytes(subpackets);
        while !bytes.0.is_empty() {
            let (first, body) = bytes.subpacket()?;
            let mut field = PacketBytes(body);
            match first & 0x7f {
                2 => self.created = Some(field.time()?),
                3 => self.lifetime = Some(field.time()?).filter(|lifetime| *lifetime > 0),
                9 => self.key_lifetime = Some(field.time()?).filter(|lifetime| *lifetime > 0),
                16 => self.issuer_id = body.try_into().ok(),
                27 => self.may_sign = Some(body.first().is_some_and(|flags| flags & MAY_SIGN != 0)),
                32 if may_embed => self.embedded = Self::read_nested(body, false)?.map(Box::new),
                33 => self.issuer = fingerprint(body),
                // Preferences, features, policies and reasons for revocation, none of which matter here.
                4..=7 | 10..=12 | 21..=26 | 28..=31 | 34..=39 => {}
                _ => self.has_unknown_critical |= first & 0x80 != 0,
            }
        }
        Ok(())
    }

    /// Reads the subpackets that anybody may have changed: they only help to find the key.
    fn read_unhashed(&mut self, subpackets: &[u8], may_embed: bool) -> Result<(), InvalidPacket> {
        let mut bytes = PacketBytes(subpackets);
        while !bytes.0.is_empty() {
            let (first, body) = bytes.subpacket()?;
            match first & 0x7f {
                16 if self.issuer_id.is_none() => self.issuer_id = body.try_into().ok(),
                33 if self.issuer.is_none() => self.issuer = fingerprint(body),
                32 if may_embed && self.embedded.is_none() => {
                    self.embedded = Self::read_nested(body, false)?.map(Box::new);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Tells whether a key may have made the signature.
    pub(super) fn may_be_by(&self, fingerprint: &Fingerprint) -> bool {
        match (&self.issuer, &self.issuer_id) {
            (Some(issuer), _) => issuer == fingerprint,
            (None, Some(id)) => fingerprint.0.ends_with(id),
            (None, None) => true,
        }
    }

    /// Tells whether the signature of some content is good, and when it was made is known.
    pub(super) fn is_good(&self, key: &KeyMaterial, content: &[u8]) -> bool {
        let Some(digest) = self.digest else { return false };
        // The text of a release is chosen by others, for whom SHA-1 has collisions.
        if self.kind == kind::TEXT && digest == SignatureDigest::Sha1 {
            return false;
        }
        let mut message = content.to_vec();
        message.extend_from_slice(&self.covered);
        message.extend_from_slice(&[4, 0xff]);
        message.extend_from_slice(&u32::try_from(self.covered.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.created.is_some() && !self.has_unknown_critical && key.verifies(digest, &message, &self.material)
    }

    /// Tells whether the signature itself is valid at a time.
    pub(super) fn is_current(&self, now: i64) -> bool {
        let created = i64::from(self.created.unwrap_or_default());
        self.lifetime.is_none_or(|lifetime| now < created + i64::from(lifetime))
    }
}

/// Reads the version and the fingerprint of an issuer.
fn fingerprint(body: &[u8]) -> Option<Fingerprint> {
    body.strip_prefix(&[4])?.try_into().ok().map(Fingerprint)
}
