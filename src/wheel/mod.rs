//! Wheels: reading them strictly, and installing them into a [`FileTree`](crate::tree::FileTree).
//!
//! A wheel is read once, by [`read`]. What it finds, a [`WheelInventory`], is kept, and [`install()`] needs nothing else: the
//! bytes of most files are copied from the wheel as they lie there, still deflated.
//!
//! What a wheel is made of, an [`archive`] and its [`record`]s, also finished artifacts have: they are read by the same
//! strict readers.
//!
//! Specification: [PyPA, binary distribution format](https://packaging.python.org/en/latest/specifications/binary-distribution-format/).

pub mod archive;
#[expect(unsafe_code, reason = "zlib-rs tells where blocks lie through zlib's interface only")]
mod blocks;
mod directory;
mod entry_points;
mod error;
pub mod filename;
mod inflate;
mod install;
mod inventory;
mod local;
mod metadata;
pub mod record;
mod source;

pub use entry_points::EntryPoint;
pub use error::{HeaderField, StrictArchiveError, WheelError, WheelErrorKind};
pub use inflate::{DeclaredExtent, Inflater};
pub use install::{DerivedFile, InstallChanges, Wheel, folder, install};
pub use inventory::{SchemePart, WheelFile, WheelInventory, read};
pub use metadata::requires;
