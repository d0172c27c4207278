//! The formats of Debian: names, versions, control files, relations between packages, dpkg's status, and signed releases.
//!
//! Nothing here reads files or the network.
//!
//! Specification: [Debian Policy](https://www.debian.org/doc/debian-policy/), [deb-version(7)](https://manpages.debian.org/deb-version.7).

mod architecture;
mod fingerprint;
mod name;
mod provided;
mod version;

pub use architecture::{DebianArchitecture, InvalidDebianArchitecture};
pub use fingerprint::{Fingerprint, InvalidFingerprint};
pub use name::{InvalidPackageName, PackageName};
pub(crate) use provided::{DebianRelease, apt_hint};
pub use version::{DebianVersion, InvalidDebianVersion};
