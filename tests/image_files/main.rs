//! Images in files: written in every format, read back, checked with other tools, and rejected if they are invalid.

#[path = "../support/mod.rs"]
mod support;

mod archives;
mod bases;
mod docker;
mod documents;
mod formats;
mod images;
mod invalid;
mod malformed;
mod programs;
mod replacing;
