//! The formats of Debian: names, versions, control files, relations between packages, dpkg's status, and signed releases.
//!
//! Nothing here reads the network, and of files only .debs.
//!
//! Specification: [Debian Policy](https://www.debian.org/doc/debian-policy/), [deb-version(7)](https://manpages.debian.org/deb-version.7).

pub mod alternatives;
mod ar;
mod architecture;
pub mod certificate_hash;
mod control;
mod copyright;
pub mod deb;
mod fingerprint;
mod installed_paragraph;
pub mod java_keystore;
pub mod linker_cache;
pub mod maintainer_script;
mod member_stream;
mod name;
pub mod openpgp;
mod os_release;
mod path_filter;
mod provided;
mod relation;
mod release;
mod stanza;
mod status;
mod version;

pub use architecture::{DebianArchitecture, InvalidDebianArchitecture};
pub use control::{ControlError, ControlParagraph, ParagraphReader};
pub(crate) use copyright::licenses;
pub use deb::{ControlFile, Deb, DebEntry, DebEntryKind, DebError, DebErrorKind, DebIdentity};
pub use fingerprint::{Fingerprint, InvalidFingerprint};
pub use installed_paragraph::{Conffile, InstalledState, installed_paragraph};
pub use name::{InvalidPackageName, PackageName};
pub(crate) use os_release::os_release;
pub use path_filter::PathFilter;
pub(crate) use provided::{DebianRelease, apt_hint};
pub use relation::{DebianDependency, InvalidRelation, PackageRelation, VersionOperator};
pub use release::{IndexDigest, InvalidRelease, ReleaseFile};
pub use stanza::{InvalidStanza, MultiArch, PackagePriority, PackageStanza};
pub use status::{DpkgStatus, InvalidDpkgStatus};
pub use version::{DebianVersion, InvalidDebianVersion};
