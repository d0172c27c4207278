//! Artifacts in files: written in every format, read back, judged by the programs that others wrote, and refused when
//! they are wrong.

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
