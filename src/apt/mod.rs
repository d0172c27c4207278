//! Packages of the operating system: the archives that have them, what is installed for a request, and the lock.

pub mod archive;
mod auth;
mod distribution;
pub mod effects;
pub mod lock;
pub mod packages;
mod request;
pub mod resolve;
mod source;

pub use auth::machine_logins;
pub use distribution::{DebianDistribution, UnsupportedDistribution};
pub use request::{InvalidPackageRequest, PackageRequest};
pub use source::{AptSource, ConfiguredAptSource, InvalidKeyringFile, SignedBy, merge_sources};
