//! Source distributions: their file names, and unpacking them.

pub mod filename;
pub mod unpack;
