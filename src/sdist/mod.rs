//! Source distributions: their file names.

pub mod filename;
