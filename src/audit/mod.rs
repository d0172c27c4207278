//! Checks of a finished tree: would it run?

pub mod handler;
mod module;
