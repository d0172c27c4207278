//! Digests of files and artifacts, and a writer that computes one.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::str::FromStr;

use sha2::Digest as _;
use sha2::digest::common::hazmat::SerializableState as _;

/// A digest algorithm that a lock file may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// MD5 (RFC 1321), the only digest of some old indexes.
    Md5,
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SHA-384 (FIPS 180-4).
    Sha384,
    /// SHA-512 (FIPS 180-4).
    Sha512,
    /// BLAKE2b with 64 bytes of output (RFC 7693).
    Blake2b,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 5] = [Self::Md5, Self::Sha256, Self::Sha384, Self::Sha512, Self::Blake2b];

    /// Returns the name that lock files use, for instance `sha256`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
            Self::Blake2b => "blake2b",
        }
    }

    /// Returns the length of a digest, in bytes.
    pub fn length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 | Self::Blake2b => 64,
        }
    }
}

/// A string that is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid digest: expected `sha256:…` (or md5, sha384, sha512 or blake2b)")]
pub struct InvalidDigest(pub String);

/// A digest, written as `algorithm:hexadecimal` in lock files and by the OCI image specification (descriptor, digests).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    bytes: Box<[u8]>,
}

impl Digest {
    fn parse(text: &str) -> Option<Self> {
        let (name, hexadecimal) = text.split_once(':')?;
        let algorithm = Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name)?;
        let bytes = hex::decode(hexadecimal).ok().filter(|bytes| bytes.len() == algorithm.length())?;
        Some(Self { algorithm, bytes: bytes.into() })
    }

    /// Returns the algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the output in lower-case hexadecimal.
    pub fn hex(&self) -> String {
        hex::encode(&self.bytes)
    }

    /// Returns the output's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the digest as one of SHA-256; `None` if it has another algorithm.
    pub fn sha256(&self) -> Option<Sha256> {
        let bytes = self.bytes[..].try_into().ok().filter(|_| self.algorithm == Algorithm::Sha256);
        bytes.map(Sha256)
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        Self::parse(text).ok_or_else(|| InvalidDigest(text.to_owned()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.algorithm.name(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A SHA-256 digest: the key of the cache, and the digest in RECORD, images and reports.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// Computes the digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Computes the digest of a file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn of_file(path: &Path) -> io::Result<Self> {
        let mut writer = HashingWriter::new(io::sink());
        io::copy(&mut File::open(path)?, &mut writer)?;
        Ok(writer.finish().1)
    }

    /// Returns the digest in lower-case hexadecimal, without the algorithm's name.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }
}

/// The state of SHA-256 after some bytes, from which it goes on over the rest.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Sha256State(Vec<u8>);

impl Sha256State {
    pub(crate) fn of(hasher: &sha2::Sha256) -> Self {
        Self(hasher.serialize().to_vec())
    }

    /// Returns the hasher, or `None` if this is not a state.
    pub(crate) fn hasher(&self) -> Option<sha2::Sha256> {
        sha2::Sha256::deserialize(&self.0.as_slice().try_into().ok()?).ok()
    }
}

/// Parses `sha256:` and 64 lowercase hexadecimal digits, as the OCI image specification requires (descriptor, digests).
impl FromStr for Sha256 {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let digest = text.parse::<Digest>().ok().filter(|digest| digest.to_string() == text);
        digest.and_then(|digest| digest.sha256()).ok_or_else(|| InvalidDigest(text.to_owned()))
    }
}

impl From<Sha256> for Digest {
    fn from(digest: Sha256) -> Self {
        Self { algorithm: Algorithm::Sha256, bytes: digest.0.into() }
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Computes a digest of any algorithm incrementally.
#[derive(Clone)]
pub enum Hasher {
    /// See [`Algorithm::Md5`].
    Md5(md5::Md5),
    /// See [`Algorithm::Sha256`].
    Sha256(sha2::Sha256),
    /// See [`Algorithm::Sha384`].
    Sha384(sha2::Sha384),
    /// See [`Algorithm::Sha512`].
    Sha512(sha2::Sha512),
    /// See [`Algorithm::Blake2b`].
    Blake2b(Box<blake2::Blake2b512>),
}

impl Hasher {
    /// Starts a digest.
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Md5 => Self::Md5(md5::Md5::new()),
            Algorithm::Sha256 => Self::Sha256(sha2::Sha256::new()),
            Algorithm::Sha384 => Self::Sha384(sha2::Sha384::new()),
            Algorithm::Sha512 => Self::Sha512(sha2::Sha512::new()),
            Algorithm::Blake2b => Self::Blake2b(Box::new(blake2::Blake2b512::new())),
        }
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha384(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
            Self::Blake2b(hasher) => hasher.update(bytes),
        }
    }

    /// Ends the digest.
    pub fn finish(self) -> Digest {
        let (algorithm, bytes): (_, Box<[u8]>) = match self {
            Self::Md5(hasher) => (Algorithm::Md5, hasher.finalize()[..].into()),
            Self::Sha256(hasher) => (Algorithm::Sha256, hasher.finalize()[..].into()),
            Self::Sha384(hasher) => (Algorithm::Sha384, hasher.finalize()[..].into()),
            Self::Sha512(hasher) => (Algorithm::Sha512, hasher.finalize()[..].into()),
            Self::Blake2b(hasher) => (Algorithm::Blake2b, hasher.finalize()[..].into()),
        };
        Digest { algorithm, bytes }
    }
}

/// A writer that computes the SHA-256 and the number of the bytes that pass through it.
pub(crate) struct HashingWriter<W> {
    inner: W,
    hasher: sha2::Sha256,
    length: u64,
}

impl<W: Write> HashingWriter<W> {
    /// Wraps a writer.
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, hasher: sha2::Sha256::new(), length: 0 }
    }

    /// Returns the wrapped writer, the digest, and the number of bytes written.
    pub(crate) fn finish(self) -> (W, Sha256, u64) {
        (self.inner, Sha256(self.hasher.finalize().into()), self.length)
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sha256_has_one_spelling() {
        let digest = Sha256::of(b"blob");
        let text = digest.to_string();
        assert_eq!(text.parse(), Ok(digest));
        let of_another = format!("{}:{}", "blake2s256", digest.hex());
        for wrong in [digest.hex(), text.to_uppercase(), text.replace('a', "A"), text[..70].to_owned(), of_another] {
            assert_eq!(wrong.parse::<Sha256>(), Err(InvalidDigest(wrong.clone())));
        }
    }

    /// The published digests of the empty input.
    #[test]
    fn every_algorithm_is_the_published_one() {
        for text in [
            "md5:d41d8cd98f00b204e9800998ecf8427e",
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "sha384:38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b",
            "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
            "blake2b:786a02f742015903c6c6fd852552d272912f4740e15847618a86e217f71f5419d25e1031afee585313896444934eb04b903a685b1448b755d56f701afe9be2ce",
        ] {
            let digest: Digest = text.parse().unwrap();
            assert_eq!(Hasher::new(digest.algorithm()).finish(), digest);
            assert_eq!(digest.to_string(), text);
        }
    }

    #[test]
    fn invalid_digests_are_errors() {
        for text in ["", "sha256", "sha256:", "sha256:00", "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709", "md5:zz"] {
            assert_eq!(text.parse::<Digest>(), Err(InvalidDigest(text.to_owned())));
        }
    }

    #[test]
    fn a_hashing_writer_hashes_and_counts() {
        let mut writer = HashingWriter::new(Vec::new());
        writer.write_all(b"abc").unwrap();
        let (written, digest, length) = writer.finish();
        assert_eq!((written.as_slice(), length), (&b"abc"[..], 3));
        assert_eq!(digest, Sha256::of(b"abc"));
    }
}
