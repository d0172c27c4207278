//! Software bills of materials (SBOMs) and provenance statements.
//!
//! `SbomContents` describes an artifact. It is rendered as an SBOM in CycloneDX or SPDX format, and as a provenance
//! statement about what the artifact was built from. No server is queried: licences, authors and links are from the core
//! metadata of each distribution, digests were verified before, dependencies are from `Requires-Dist`, and what wheels contain
//! besides their distributions is from the SBOMs in them.
//!
//! Equal contents give equal bytes: identifiers are not random, and no clock is read.
//!
//! Specifications: [CycloneDX 1.6](https://cyclonedx.org/docs/1.6/json/), [SPDX 2.3](https://spdx.github.io/spdx-spec/v2.3/),
//! [package URL](https://github.com/package-url/purl-spec), [SLSA provenance 1.0](https://slsa.dev/spec/v1.0/provenance).

mod bundled;
mod cyclonedx;
mod license;
mod metadata;
mod origin;
pub mod provenance;
mod spdx;
mod system_package;

use std::collections::BTreeSet;

use pep440_rs::Version;
use serde_json::Value;
use uuid::Uuid;

pub(crate) use bundled::{BundledComponent, BundledSoftware, UnreadableSbom};
pub(crate) use metadata::DistributionMetadata;
pub(crate) use origin::{ComponentOrigin, FetchedFile};
pub(crate) use system_package::SystemPackageComponent;

use crate::digest::Sha256;
use crate::image::Timestamp;
use crate::name::DistributionName;

/// The name and version of this program in SBOMs and provenance statements.
const TOOL: (&str, &str) = ("pybundle", env!("CARGO_PKG_VERSION"));

/// The format of an SBOM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SbomFormat {
    /// CycloneDX 1.6, in JSON.
    CycloneDx,
    /// SPDX 2.3, in JSON.
    Spdx,
}

impl SbomFormat {
    pub(crate) const ALL: [Self; 2] = [Self::CycloneDx, Self::Spdx];

    /// Returns the media type registered with IANA.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::CycloneDx => "application/vnd.cyclonedx+json",
            Self::Spdx => "application/spdx+json",
        }
    }

    /// Returns the file extension, without a leading dot.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::CycloneDx => "cdx.json",
            Self::Spdx => "spdx.json",
        }
    }
}

/// Everything that the SBOM and the provenance statement of an artifact say about its content.
#[derive(Debug, Clone)]
pub(crate) struct SbomContents {
    pub(crate) project: SbomProject,
    /// The digest of the function's zip or of the image manifest.
    pub(crate) artifact: Sha256,
    pub(crate) target: SbomTarget,
    /// The base image; `None` for a zip.
    pub(crate) base: Option<BaseImage>,
    /// The installed distributions except the project, ordered by name.
    pub(crate) components: Vec<SbomComponent>,
    /// The system packages that were put on the base, in the order in which they are configured.
    pub(crate) packages: Vec<SystemPackageComponent>,
    /// The value of `SOURCE_DATE_EPOCH`, the only source of a creation time.
    pub(crate) created: Option<Timestamp>,
}

/// The bundled project.
#[derive(Debug, Clone)]
pub(crate) struct SbomProject {
    /// The name, or that of the directory if the project has none.
    pub(crate) name: String,
    pub(crate) version: Option<Version>,
    pub(crate) origin: ComponentOrigin,
    /// Empty if the project is not a package.
    pub(crate) metadata: DistributionMetadata,
    /// What its wheel contains besides.
    pub(crate) bundled: Vec<BundledComponent>,
    /// The installed dependencies, and installed distributions that no other one requires.
    pub(crate) requires: BTreeSet<DistributionName>,
}

/// The platform of an artifact, as in reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SbomTarget {
    /// For instance `python3.13`.
    pub(crate) profile: String,
    /// The minor Python version.
    pub(crate) python: String,
    /// The OCI platform, for instance `linux/amd64`.
    pub(crate) platform: String,
    /// The name of the C library, for instance `glibc`, and its version.
    pub(crate) libc: (&'static str, String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseImage {
    /// `None` if the image is in a file.
    pub(crate) name: Option<ImageName>,
    /// The digest of the manifest for the platform.
    pub(crate) digest: Sha256,
}

/// The name of an image in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageName {
    /// The registry and the repository, for instance `registry-1.docker.io/library/python`.
    pub(crate) repository: String,
    pub(crate) tag: Option<String>,
}

/// An installed distribution.
#[derive(Debug, Clone)]
pub(crate) struct SbomComponent {
    pub(crate) name: DistributionName,
    pub(crate) version: Version,
    pub(crate) origin: ComponentOrigin,
    pub(crate) metadata: DistributionMetadata,
    /// What its wheel contains besides.
    pub(crate) bundled: Vec<BundledComponent>,
    /// The installed dependencies.
    pub(crate) requires: BTreeSet<DistributionName>,
}

impl SbomContents {
    /// Renders the SBOM.
    pub(crate) fn render(&self, format: SbomFormat) -> Vec<u8> {
        match format {
            SbomFormat::CycloneDx => cyclonedx::render(self),
            SbomFormat::Spdx => spdx::render(self),
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

    /// Returns the name in SBOMs and provenance statements.
    fn title(&self) -> &str {
        self.name.as_ref().map_or("base", |name| &name.repository)
    }
}

/// Returns an identifier derived from a document without it (RFC 9562, version 8: the first bits of the SHA-256).
fn identifier(document: &Value) -> Uuid {
    let Sha256(digest) = Sha256::of(document.to_string().as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Serializes a document with indentation and sorted keys.
fn serialize(document: &Value) -> Vec<u8> {
    format!("{document:#}\n").into_bytes()
}

/// Sets a property of an object unless the value is `None`.
fn set(object: &mut Value, key: &str, value: Option<impl Into<Value>>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(key.to_owned(), value.into());
    }
}
