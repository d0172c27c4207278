//! What the test suites of other tools assert of the packages that they build, on fixtures of our own after theirs. Where
//! pybundle intentionally differs, the case says so.
#![cfg(unix)]

mod application;
mod case;
mod dependencies;
#[path = "../support/mod.rs"]
mod support;
