//! Reads wheels strictly and installs them into a [`FileTree`](crate::tree::FileTree).
//!
//! [`read`] reads a wheel once and returns a [`WheelReading`], which is cached. [`install()`] needs nothing else: most
//! files are later copied from the wheel without being inflated. Of a wheel that is not on this machine, a [`WheelInventory`]
//! is enough until its bytes are needed.
//!
//! The strict readers of archives and RECORD also verify finished artifacts.
//!
//! Specification: [PyPA, binary distribution format](https://packaging.python.org/en/latest/specifications/binary-distribution-format/).

pub(crate) mod archive;
#[expect(unsafe_code, reason = "zlib-rs exposes block positions only through zlib's C interface")]
mod blocks;
mod bytes;
mod directory;
pub(crate) mod entry_points;
mod error;
pub mod filename;
mod inflate;
mod install;
mod inventory;
mod local;
pub(crate) mod metadata;
pub(crate) mod record;
mod source;
mod spliced;
mod violation;

pub(crate) use bytes::{DeferredWheel, KnownFiles};
pub use bytes::{Wheel, WheelBytes};
pub use entry_points::EntryPoint;
pub use error::{HeaderField, StrictArchiveError, WheelError, WheelErrorKind};
pub(crate) use inflate::Inflater;
pub(crate) use install::destination_directory;
pub use install::{InstallChanges, install};
pub(crate) use inventory::survey;
pub use inventory::{SchemePart, WheelFile, WheelInventory, WheelReading, read};
pub(crate) use metadata::{WheelRequirements, requirements};
pub(crate) use spliced::SplicedLayer;
pub use violation::{BrokenRule, WheelViolation};
