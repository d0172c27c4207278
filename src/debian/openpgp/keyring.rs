//! Keyrings: public keys, which of them may sign, and until when.

use std::fmt;

use sha1::Digest as _;

use super::super::Fingerprint;
use super::algorithm::KeyMaterial;
use super::armor;
use super::cleartext::SignedText;
use super::packet::{InvalidPacket, Packet, PacketBytes, tag};
use super::signature::{KeySignature, kind};

/// How far the clocks of signers may be ahead, in seconds.
const CLOCK_TOLERANCE: i64 = 24 * 3600;

/// The first line of an armored keyring.
const ARMOR: &str = "PGP PUBLIC KEY BLOCK";

/// A keyring that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeyring {
    /// The armor is damaged.
    #[error("the armored keyring is damaged")]
    Armor,
    /// A packet is damaged.
    #[error(transparent)]
    Packet(#[from] InvalidPacket),
    /// It has no key.
    #[error("it contains no OpenPGP key")]
    Empty,
}

/// Public keys, all of which are trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArchiveKeyring {
    keys: Vec<SigningKey>,
}

/// A primary key or a subkey.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SigningKey {
    fingerprint: Fingerprint,
    /// That of the primary key, which is by what people name it.
    primary: Fingerprint,
    material: KeyMaterial,
    /// When it was made, in seconds since 1970.
    created: u32,
    /// When it expires, in seconds since 1970: when it or its primary key does.
    expires: Option<i64>,
    is_revoked: bool,
    may_sign: bool,
}

/// Why one signature does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureProblem {
    /// The key is not in the keyring; its fingerprint or its identifier.
    UnknownKey(String),
    /// The text or the signature was changed.
    Bad(Fingerprint),
    /// The key has expired.
    ExpiredKey(Fingerprint),
    /// The key was revoked.
    RevokedKey(Fingerprint),
    /// The key may only certify or encrypt.
    MayNotSign(Fingerprint),
    /// The signature has expired.
    ExpiredSignature(Fingerprint),
    /// The signature was made in the future, or before the key.
    Time(Fingerprint),
}

impl fmt::Display for SignatureProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey(key) => write!(formatter, "the key {key} is not trusted"),
            Self::Bad(key) => write!(formatter, "the signature by {key} is bad"),
            Self::ExpiredKey(key) => write!(formatter, "the key {key} has expired"),
            Self::RevokedKey(key) => write!(formatter, "the key {key} was revoked"),
            Self::MayNotSign(key) => write!(formatter, "the key {key} may not sign"),
            Self::ExpiredSignature(key) => write!(formatter, "the signature by {key} has expired"),
            Self::Time(key) => {
                write!(formatter, "the signature by {key} is older than the key, or from the future")
            }
        }
    }
}

/// A text without a good signature by a trusted key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedText(pub Vec<SignatureProblem>);

impl std::error::Error for UnverifiedText {}

impl fmt::Display for UnverifiedText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return formatter.write_str("it has no supported signature");
        }
        let problems: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        formatter.write_str(&problems.join("; "))
    }
}

impl ArchiveKeyring {
    /// Reads a keyring, binary or armored. What is not a key of version 4 is skipped.
    ///
    /// # Errors
    /// It is damaged, or has no key.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidKeyring> {
        // The first bit of a packet is set, and that of a letter is not.
        let binary = match bytes.first() {
            Some(first) if first & 0x80 != 0 => bytes.to_vec(),
            _ => {
                let text = std::str::from_utf8(bytes).map_err(|_| InvalidKeyring::Armor)?;
                armor::decode_all(text, ARMOR).ok_or(InvalidKeyring::Armor)?
            }
        };
        let mut keyring = Self::default();
        let mut bytes = PacketBytes(&binary);
        let mut certificate: Vec<Packet<'_>> = Vec::new();
        while let Some(packet) = bytes.packet()? {
            if packet.tag == tag::PUBLIC_KEY {
                keyring.add(&certificate)?;
                certificate.clear();
            }
            certificate.push(packet);
        }
        keyring.add(&certificate)?;
        if keyring.keys.is_empty() { Err(InvalidKeyring::Empty) } else { Ok(keyring) }
    }

    /// Adds the keys of another keyring.
    pub fn extend(&mut self, other: Self) {
        for key in other.keys {
            if !self.keys.contains(&key) {
                self.keys.push(key);
            }
        }
    }

    /// Keeps only keys with these primary keys or fingerprints.
    #[must_use]
    pub fn restricted_to(mut self, fingerprints: &[Fingerprint]) -> Self {
        self.keys.retain(|key| fingerprints.contains(&key.fingerprint) || fingerprints.contains(&key.primary));
        self
    }

    /// Tells whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the fingerprints of the primary keys.
    pub fn fingerprints(&self) -> Vec<Fingerprint> {
        let primary = self.keys.iter().filter(|key| key.fingerprint == key.primary);
        primary.map(|key| key.fingerprint).collect()
    }

    /// Adds the primary key and the subkeys of one certificate (section 10.1).
    fn add(&mut self, packets: &[Packet<'_>]) -> Result<(), InvalidKeyring> {
        let Some((Packet { tag: tag::PUBLIC_KEY, body }, rest)) = packets.split_first() else { return Ok(()) };
        let Some((mut primary, primary_content)) = SigningKey::read(body, None)? else { return Ok(()) };
        // The content that the signatures after a packet cover, and what they say of it.
        let mut subject = CertificatePart::Primary;
        let mut latest = 0;
        let mut subkeys: Vec<SigningKey> = Vec::new();
        for packet in rest {
            match packet.tag {
                tag::USER_ID => subject = CertificatePart::User(user_content(&primary_content, 0xb4, packet.body)),
                tag::USER_ATTRIBUTE => {
                    subject = CertificatePart::User(user_content(&primary_content, 0xd1, packet.body))
                }
                tag::PUBLIC_SUBKEY => {
                    subject = match SigningKey::read(packet.body, Some(&primary))? {
                        Some((subkey, content)) => {
                            subkeys.push(subkey);
                            CertificatePart::Subkey { content: [&primary_content[..], &content].concat(), latest: 0 }
                        }
                        None => CertificatePart::Unknown,
                    };
                }
                tag::SIGNATURE => {
                    // What is not readable certifies nothing.
                    let Ok(Some(signature)) = KeySignature::read(packet.body) else { continue };
                    if !signature.may_be_by(&primary.fingerprint) {
                        continue;
                    }
                    match &mut subject {
                        CertificatePart::Primary => primary.certify(&signature, &primary_content, &mut latest),
                        CertificatePart::User(content) => primary.certify(&signature, content, &mut latest),
                        CertificatePart::Subkey { content, latest } => {
                            if let Some(subkey) = subkeys.last_mut() {
                                subkey.bind(&signature, &primary, content, latest);
                            }
                        }
                        CertificatePart::Unknown => {}
                    }
                }
                _ => {}
            }
        }
        for subkey in &mut subkeys {
            subkey.is_revoked |= primary.is_revoked;
            subkey.expires = [subkey.expires, primary.expires].into_iter().flatten().min();
        }
        self.keys.push(primary);
        self.keys.extend(subkeys);
        Ok(())
    }

    /// Verifies a text: returns it with the primary keys of all good signatures, in their order.
    ///
    /// # Errors
    /// No signature is good and by a key that may sign `now`, in seconds since 1970.
    pub fn verify<'a>(&self, signed: &'a SignedText, now: i64) -> Result<(&'a str, Vec<Fingerprint>), UnverifiedText> {
        let content = signed.canonical();
        let (mut signers, mut problems) = (Vec::new(), Vec::new());
        for signature in signed.signatures.iter().filter(|signature| signature.kind == kind::TEXT) {
            match self.signer(signature, &content, now) {
                Ok(signer) if signers.contains(&signer) => {}
                Ok(signer) => signers.push(signer),
                Err(problem) => problems.push(problem),
            }
        }
        if signers.is_empty() { Err(UnverifiedText(problems)) } else { Ok((signed.text(), signers)) }
    }

    fn signer(&self, signature: &KeySignature, content: &[u8], now: i64) -> Result<Fingerprint, SignatureProblem> {
        let candidates: Vec<_> = self.keys.iter().filter(|key| signature.may_be_by(&key.fingerprint)).collect();
        let Some(first) = candidates.first() else {
            let issuer = signature.issuer.map(|issuer| issuer.to_string());
            let id = || signature.issuer_id.map(hex::encode_upper);
            return Err(SignatureProblem::UnknownKey(
                issuer.or_else(id).unwrap_or_else(|| "of a signature".to_owned()),
            ));
        };
        let good: Vec<_> = candidates.iter().filter(|key| signature.is_good(&key.material, content)).collect();
        let mut problem = SignatureProblem::Bad(first.primary);
        // Keyrings may have a key twice, once with a later expiration.
        for key in good {
            match key.check(signature, now) {
                Ok(()) => return Ok(key.primary),
                Err(found) => problem = found,
            }
        }
        Err(problem)
    }
}

/// What the signatures of a certificate are about: the packet before them.
enum CertificatePart {
    Primary,
    User(Vec<u8>),
    Subkey { content: Vec<u8>, latest: u32 },
    Unknown,
}

impl SigningKey {
    /// Reads the body of a key; returns it with the bytes that signatures of it cover. `None` for other versions.
    fn read(body: &[u8], primary: Option<&Self>) -> Result<Option<(Self, Vec<u8>)>, InvalidPacket> {
        let mut bytes = PacketBytes(body);
        if bytes.byte()? != 4 {
            return Ok(None);
        }
        let created = bytes.time()?;
        let algorithm = bytes.byte()?;
        let material = KeyMaterial::read(algorithm, &mut bytes)?;
        let length = u16::try_from(body.len()).map_err(|_| InvalidPacket("a key is too long"))?;
        let content = [&[0x99][..], &length.to_be_bytes(), body].concat();
        let fingerprint = Fingerprint(sha1::Sha1::digest(&content).into());
        let key = Self {
            fingerprint,
            primary: primary.map_or(fingerprint, |primary| primary.fingerprint),
            material,
            created,
            expires: None,
            is_revoked: false,
            // A primary key without flags may sign; a subkey must be bound first.
            may_sign: primary.is_none(),
        };
        Ok(Some((key, content)))
    }

    /// Applies a signature of the primary key over itself or one of its users.
    fn certify(&mut self, signature: &KeySignature, content: &[u8], latest: &mut u32) {
        let is_certification = kind::CERTIFICATIONS.contains(&signature.kind) || signature.kind == kind::DIRECT_KEY;
        if !(is_certification || signature.kind == kind::KEY_REVOCATION) || !signature.is_good(&self.material, content)
        {
            return;
        }
        if signature.kind == kind::KEY_REVOCATION {
            self.is_revoked = true;
        } else if signature.created.is_some_and(|created| created >= *latest) {
            *latest = signature.created.unwrap_or_default();
            self.expires = signature.key_lifetime.map(|lifetime| i64::from(self.created) + i64::from(lifetime));
            self.may_sign = signature.may_sign.unwrap_or(true);
        }
    }

    /// Applies a signature of the primary key over this subkey.
    fn bind(&mut self, signature: &KeySignature, primary: &Self, content: &[u8], latest: &mut u32) {
        if !matches!(signature.kind, kind::SUBKEY_BINDING | kind::SUBKEY_REVOCATION)
            || !signature.is_good(&primary.material, content)
        {
            return;
        }
        if signature.kind == kind::SUBKEY_REVOCATION {
            self.is_revoked = true;
        } else if signature.created.is_some_and(|created| created >= *latest) {
            *latest = signature.created.unwrap_or_default();
            self.expires = signature.key_lifetime.map(|lifetime| i64::from(self.created) + i64::from(lifetime));
            // Otherwise anybody could claim the signatures of another's subkey (section 5.2.1.10).
            let is_mutual = signature.embedded.as_ref().is_some_and(|embedded| {
                embedded.kind == kind::PRIMARY_KEY_BINDING && embedded.is_good(&self.material, content)
            });
            self.may_sign = signature.may_sign.unwrap_or(true) && is_mutual;
        }
    }

    /// Checks whether a good signature of the key counts.
    fn check(&self, signature: &KeySignature, now: i64) -> Result<(), SignatureProblem> {
        let key = self.primary;
        let created = signature.created.unwrap_or_default();
        if self.is_revoked {
            Err(SignatureProblem::RevokedKey(key))
        } else if self.expires.is_some_and(|expires| expires <= now) {
            Err(SignatureProblem::ExpiredKey(key))
        } else if !self.may_sign {
            Err(SignatureProblem::MayNotSign(key))
        } else if !signature.is_current(now) {
            Err(SignatureProblem::ExpiredSignature(key))
        } else if created < self.created || i64::from(created) > now + CLOCK_TOLERANCE {
            Err(SignatureProblem::Time(key))
        } else {
            Ok(())
        }
    }
}

/// Returns the bytes that the signature of a user of a key covers (section 5.2.4).
fn user_content(key: &[u8], prefix: u8, user: &[u8]) -> Vec<u8> {
    let length = u32::try_from(user.len()).unwrap_or(u32::MAX);
    [key, &[prefix], &length.to_be_bytes(), user].concat()
}
