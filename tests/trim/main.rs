//! What of the distributions is left out of an artifact, and what is dropped from their compiled files.

#[path = "../support/mod.rs"]
mod support;

mod built;
mod elf;
mod rules;
