//! Packages of the operating system: the archives that have them, what is installed for a request, and the lock.

pub mod lock;
mod request;

pub use request::{InvalidPackageRequest, PackageRequest};
