//! Artifacts in files: written in every form, read back, judged by the programs that others wrote, and refused when
//! they are wrong.

#[path = "../support/mod.rs"]
mod support;

mod archives;
mod docker;
mod forms;
mod images;
mod invalid;
mod programs;
mod replacing;
