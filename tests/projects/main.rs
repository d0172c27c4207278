//! The example projects of `testdata/projects`, each after what an organisation writes of its own: built as their
//! configuration says, and run.
#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

mod catalogue;
mod example;
mod journal;
mod sampleproject;
mod ticket;
