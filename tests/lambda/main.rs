//! `pybundle lambda`: what it builds, compared with uv, run by Lambda's own client, the same from everywhere.

mod cli;
mod determinism;
mod equals_uv;
mod files;
mod install;
mod private_index;
mod runtime;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/wheels.rs"]
mod wheels;
