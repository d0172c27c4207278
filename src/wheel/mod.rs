//! Wheels: reading them strictly, and installing them into a [`FileTree`](crate::tree::FileTree).
//!
//! A wheel is read once, by [`read`]. What it finds, an [`Inventory`], is kept, and [`install()`] needs nothing else: the
//! bytes of most files are copied from the wheel as they lie there, still deflated.
//!
//! Specification: [PyPA, binary distribution format](https://packaging.python.org/en/latest/specifications/binary-distribution-format/).

mod archive;
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
mod record;
mod source;

pub use entry_points::EntryPoint;
pub use error::{Fault, Field, WheelError};
pub use install::{Changes, Packed, Wheel, folder, install};
pub use inventory::{Inventory, Part, WheelFile, read};
pub use metadata::requires;
