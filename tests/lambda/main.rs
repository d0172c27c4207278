//! `pybundle lambda`: zips are compared with uv, run by Lambda's own runtime client, and the same from everywhere.

mod cli;
mod clouds;
mod damage;
mod determinism;
mod directories;
mod edits;
mod equals_uv;
mod files;
mod followed_hints;
#[allow(dead_code, reason = "these tests need few kinds of wheels")]
#[path = "../support/forge.rs"]
mod forge;
#[path = "../support/http.rs"]
mod http;
mod install;
mod invalid_wheels;
mod outputs;
mod planned;
mod private_index;
mod provided;
mod remote_cache;
mod runtime;
mod shared;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/wheels.rs"]
mod wheels;
