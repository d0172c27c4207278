//! Finds what a distribution does not need at run time: whole files by rules, and sections of compiled files.
//!
//! This module does no I/O: callers pass the content of files.

pub(crate) mod data;
mod imports;
mod namespace;
mod needed;
mod pattern;
mod rules;
pub mod strip;

pub(crate) use namespace::{NamespaceStyle, style as namespace_style};
pub use needed::needed_files;
pub(crate) use pattern::FilePattern;
pub use rules::{InvalidSlimRule, SlimRule, omitted_files};
pub(crate) use rules::{is_stub, is_test_or_document};
