//! Finds what a distribution does not need at run time: whole files by rules, and sections of compiled files.
//!
//! This module does no I/O: callers pass the content of files.

mod imports;
mod needed;
mod rules;
pub mod strip;

pub use needed::needed_files;
pub use rules::{InvalidSlimRule, SlimRule, omitted_files};
