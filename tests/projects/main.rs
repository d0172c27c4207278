//! The example projects of `testdata/projects`, each after what an organisation writes of its own: built as their
//! configuration says, and run.
#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

mod applications;
mod catalogue;
mod example;
mod journal;
mod locations;
mod sampleproject;
mod ticket;
