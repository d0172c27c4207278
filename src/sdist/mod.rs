//! Source distributions: file names and unpacking.

pub mod filename;
pub mod unpack;
