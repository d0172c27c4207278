//! Public keys and digests.

use ring::signature::{
    ED25519, RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use sha2::Digest as _;

use super::packet::{InvalidPacket, PacketBytes};

/// The object identifier of Ed25519 in keys of the algorithm EdDSA (section 9.2).
const ED25519_OID: [u8; 9] = [0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01];

/// The algorithms of keys (section 9.1).
const RSA: u8 = 1;
const RSA_SIGN_ONLY: u8 = 3;
const EDDSA_LEGACY: u8 = 22;
const ED25519_KEY: u8 = 27;

/// A digest algorithm (section 9.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignatureDigest {
    /// Only where a key certifies itself.
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl SignatureDigest {
    pub(super) fn of(number: u8) -> Option<Self> {
        match number {
            2 => Some(Self::Sha1),
            8 => Some(Self::Sha256),
            9 => Some(Self::Sha384),
            10 => Some(Self::Sha512),
            _ => None,
        }
    }

    fn rsa(self) -> &'static RsaParameters {
        match self {
            Self::Sha1 => &RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
            Self::Sha384 => &RSA_PKCS1_2048_8192_SHA384,
            Self::Sha512 => &RSA_PKCS1_2048_8192_SHA512,
        }
    }

    fn of_message(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => sha1::Sha1::digest(message).to_vec(),
            Self::Sha256 => sha2::Sha256::digest(message).to_vec(),
            Self::Sha384 => sha2::Sha384::digest(message).to_vec(),
            Self::Sha512 => sha2::Sha512::digest(message).to_vec(),
        }
    }
}

/// The material of a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyMaterial {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    Ed25519([u8; 32]),
    /// A key that only encrypts, or of an algorithm that is not supported: it verifies nothing.
    Other,
}

/// The numbers of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SignatureMaterial {
    Rsa(Vec<u8>),
    Ed25519([u8; 64]),
    Other,
}

impl KeyMaterial {
    /// Reads what follows the algorithm in a key.
    pub(super) fn read(algorithm: u8, bytes: &mut PacketBytes<'_>) -> Result<Self, InvalidPacket> {
        Ok(match algorithm {
            RSA | RSA_SIGN_ONLY => {
                Self::Rsa { modulus: bytes.integer()?.to_vec(), exponent: bytes.integer()?.to_vec() }
            }
            EDDSA_LEGACY => {
                let length = bytes.number(1)?;
                let curve = bytes.take(length)?;
                let point = bytes.integer()?;
                match point.strip_prefix(&[0x40]).and_then(|point| point.try_into().ok()) {
                    Some(point) if curve == ED25519_OID => Self::Ed25519(point),
                    _ => Self::Other,
                }
            }
            ED25519_KEY => Self::Ed25519(bytes.take(32)?.try_into().map_err(|_| InvalidPacket("a key is too short"))?),
            _ => Self::Other,
        })
    }

    /// Tells whether a signature of a message is good.
    pub(super) fn verifies(&self, digest: SignatureDigest, message: &[u8], signature: &SignatureMaterial) -> bool {
        match (self, signature) {
            (Self::Rsa { modulus, exponent }, SignatureMaterial::Rsa(number)) if number.len() <= modulus.len() => {
                // OpenPGP omits leading zeros, and ring requires them.
                let mut padded = vec![0; modulus.len() - number.len()];
                padded.extend_from_slice(number);
                RsaPublicKeyComponents { n: modulus, e: exponent }.verify(digest.rsa(), message, &padded).is_ok()
            }
            (Self::Ed25519(key), SignatureMaterial::Ed25519(signature)) => {
                // What is signed is the digest (section 5.2.3.3).
                UnparsedPublicKey::new(&ED25519, key).verify(&digest.of_message(message), signature).is_ok()
            }
            _ => false,
        }
    }
}

impl SignatureMaterial {
    /// Reads what follows the digest's first bytes in a signature.
    pub(super) fn read(algorithm: u8, bytes: &mut PacketBytes<'_>) -> Result<Self, InvalidPacket> {
        Ok(match algorithm {
            RSA | RSA_SIGN_ONLY => Self::Rsa(bytes.integer()?.to_vec()),
            EDDSA_LEGACY => {
                let mut signature = [0; 64];
                for half in signature.chunks_mut(32) {
                    let number = bytes.integer()?;
                    let start = half.len().checked_sub(number.len()).ok_or(InvalidPacket("a signature is too long"))?;
                    half[start..].copy_from_slice(number);
                }
                Self::Ed25519(signature)
            }
            ED25519_KEY => {
                Self::Ed25519(bytes.take(64)?.try_into().map_err(|_| InvalidPacket("a signature is too short"))?)
            }
            _ => Self::Other,
        })
    }
}
