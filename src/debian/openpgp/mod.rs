//! OpenPGP, as far as archives are signed with it: cleartext signatures of version 4 by RSA and Ed25519 keys.
//!
//! What is not known is never trusted: other packets, algorithms and versions are skipped, and a signature with an unknown
//! critical subpacket is invalid. A signature counts if it is good and its key is in the keyring, may sign, and has neither
//! expired nor been revoked; one such signature is enough, as for apt.
//!
//! Specification: [RFC 9580](https://www.rfc-editor.org/rfc/rfc9580).

mod algorithm;
mod armor;
mod cleartext;
mod keyring;
mod packet;
mod signature;

pub use cleartext::{InvalidCleartext, SignedText};
pub use keyring::{ArchiveKeyring, InvalidKeyring, SignatureProblem, UnverifiedText};
