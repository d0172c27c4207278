//! Checks of a finished tree: would it run?

pub mod elf;
pub mod handler;
mod module;
