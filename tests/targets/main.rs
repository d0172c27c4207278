//! `[tool.pybundle]` and its targets: the precedence of values, errors, many targets at once, variants, and which targets a
//! change affects.

mod build;
#[path = "../images/built.rs"]
#[allow(dead_code, reason = "more is read of images elsewhere")]
mod built;
mod changed;
mod configuration;
mod flags;
mod layers;
mod notes;
mod prepared;
mod refusals;
#[path = "../support/registry.rs"]
#[allow(dead_code, reason = "one that lets everybody in is enough here")]
mod registry;
mod resolve;
mod schema;
mod scripts;
#[path = "../support/mod.rs"]
mod support;
mod terraform;
mod test_project;
#[path = "../images/tiny.rs"]
#[allow(dead_code, reason = "one base is enough here")]
mod tiny;
mod trees;
mod variants;
mod verified;
#[path = "../support/wire.rs"]
#[allow(dead_code, reason = "messages are looked at elsewhere")]
mod wire;
