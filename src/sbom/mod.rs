//! What an artifact is made of, and how, as documents that other tools read: software bills of materials and provenance.
//!
//! An [`SbomContents`] says what was installed. [`SbomFormat`] writes it as CycloneDX or as SPDX, and [`provenance`] states what it was
//! built from. Nothing is asked of any server here: licences, people and addresses are those that each distribution states
//! of itself (core metadata), digests are those that were verified, and who needs whom follows from `Requires-Dist`.
//!
//! Equal bills give equal bytes: no identifier is random, and no time is read from a clock.
//!
//! Specifications: [CycloneDX 1.6](https://cyclonedx.org/docs/1.6/json/), [SPDX 2.3](https://spdx.github.io/spdx-spec/v2.3/),
//! [package URL](https://github.com/package-url/purl-spec), [SLSA provenance 1.0](https://slsa.dev/spec/v1.0/provenance).

mod cyclonedx;
mod license;
mod metadata;
mod origin;
pub mod provenance;
mod spdx;

use std::collections::BTreeSet;

use pep440_rs::Version;
use serde_json::Value;
use uuid::Uuid;

pub use license::License;
pub use metadata::{DistributionMetadata, Person, ProjectLink};
pub use origin::{ComponentOrigin, FetchedFile};

use crate::digest::Sha256;
use crate::image::Timestamp;
use crate::name::DistributionName;

/// The name by which documents know this program, and its version.
const TOOL: (&str, &str) = ("pybundle", env!("CARGO_PKG_VERSION"));

/// A form of bills of materials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SbomFormat {
    /// CycloneDX 1.6, in JSON.
    CycloneDx,
    /// SPDX 2.3, in JSON.
    Spdx,
}

impl SbomFormat {
    /// Every form.
    pub const ALL: [Self; 2] = [Self::CycloneDx, Self::Spdx];

    /// Returns the name of the form: `CycloneDX` or `SPDX`.
    pub fn name(self) -> &'static str {
        match self {
            Self::CycloneDx => "CycloneDX",
            Self::Spdx => "SPDX",
        }
    }

    /// Returns the media type, as it is registered with IANA.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::CycloneDx => "application/vnd.cyclonedx+json",
            Self::Spdx => "application/spdx+json",
        }
    }

    /// Returns what the names of its files end with, after a dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::CycloneDx => "cdx.json",
            Self::Spdx => "spdx.json",
        }
    }
}

/// What an artifact is made of.
#[derive(Debug, Clone)]
pub struct SbomContents {
    /// What it was made for: the project.
    pub project: SbomProject,
    /// The digest of the artifact: of the function's zip, or of the image manifest.
    pub artifact: Sha256,
    /// What it runs on.
    pub target: SbomTarget,
    /// The base image; a zip has none.
    pub base: Option<BaseImage>,
    /// What is installed besides the project, ordered by name.
    pub components: Vec<SbomComponent>,
    /// When the documents say that they were made: the value of `SOURCE_DATE_EPOCH`, and nothing else.
    pub created: Option<Timestamp>,
}

/// The project that an artifact was made for.
#[derive(Debug, Clone)]
pub struct SbomProject {
    /// Its name, or the name of its directory.
    pub name: String,
    /// Its version, if it has one.
    pub version: Option<Version>,
    /// Where it comes from.
    pub origin: ComponentOrigin,
    /// What it states of itself; one that is no package states nothing.
    pub metadata: DistributionMetadata,
    /// What it requires of what is installed. What nothing else requires is here, too.
    pub requires: BTreeSet<DistributionName>,
}

/// What an artifact runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SbomTarget {
    /// The profile, for instance `python3.13`.
    pub profile: String,
    /// The minor version of Python.
    pub python: String,
    /// The platform by OCI's name, for instance `linux/amd64`.
    pub platform: String,
    /// The version of the C library.
    pub glibc: String,
}

/// The image that another one is based on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseImage {
    /// Its name as it was given; one that lies in a file has none.
    pub name: Option<ImageName>,
    /// The digest of its manifest for the platform.
    pub digest: Sha256,
}

/// The name of an image in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName {
    /// The registry and the repository, for instance `registry-1.docker.io/library/python`.
    pub repository: String,
    /// The tag, if it was named by one.
    pub tag: Option<String>,
}

/// An installed distribution.
#[derive(Debug, Clone)]
pub struct SbomComponent {
    /// Its normalized name.
    pub name: DistributionName,
    /// Its version.
    pub version: Version,
    /// Where it comes from.
    pub origin: ComponentOrigin,
    /// What it states of itself.
    pub metadata: DistributionMetadata,
    /// What it requires of what is installed.
    pub requires: BTreeSet<DistributionName>,
}

impl SbomContents {
    /// Writes the bill in a form.
    pub fn document(&self, format: SbomFormat) -> Vec<u8> {
        match format {
            SbomFormat::CycloneDx => cyclonedx::document(self),
            SbomFormat::Spdx => spdx::document(self),
        }
    }
}

impl SbomProject {
    /// Returns the package URL.
    fn purl(&self) -> String {
        self.origin.purl(&self.name, self.version.as_ref())
    }
}

impl SbomComponent {
    /// Returns the package URL.
    fn purl(&self) -> String {
        self.origin.purl(self.name.as_str(), Some(&self.version))
    }
}

impl BaseImage {
    /// Returns the package URL, if the image has a name
    /// ([type oci](https://github.com/package-url/purl-spec/blob/main/types/oci-definition.json)).
    fn purl(&self) -> Option<String> {
        let name = self.name.as_ref()?;
        let last = name.repository.rsplit('/').next()?;
        let mut qualifiers = vec![("repository_url", name.repository.clone())];
        qualifiers.extend(name.tag.clone().map(|tag| ("tag", tag)));
        Some(origin::purl("oci", last, Some(&self.digest.to_string()), &qualifiers))
    }

    /// Returns what a document calls it.
    fn title(&self) -> &str {
        self.name.as_ref().map_or("base", |name| &name.repository)
    }
}

/// Returns an identifier that follows from a document without it (RFC 9562, version 8: the first bits of its SHA-256).
fn identifier(document: &Value) -> Uuid {
    let Sha256(digest) = Sha256::of(document.to_string().as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Serialises a document: for people to read, with the keys of every object in their order.
fn serialize(document: &Value) -> Vec<u8> {
    format!("{document:#}\n").into_bytes()
}

/// Sets a property of an object, if there is a value.
fn set(object: &mut Value, key: &str, value: Option<impl Into<Value>>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(key.to_owned(), value.into());
    }
}
