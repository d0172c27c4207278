//! `[tool.pybundle]` and what is built by it: which statement counts, what is refused, many targets at once, variants, and
//! what a change reaches.

mod build;
#[path = "../images/built.rs"]
#[allow(dead_code, reason = "more is read of images elsewhere")]
mod built;
mod changed;
mod configuration;
mod place;
mod refusals;
#[path = "../support/registry.rs"]
#[allow(dead_code, reason = "one that lets everybody in is enough here")]
mod registry;
mod schema;
#[path = "../support/mod.rs"]
mod support;
#[path = "../images/tiny.rs"]
#[allow(dead_code, reason = "one base is enough here")]
mod tiny;
mod variants;
#[path = "../support/wire.rs"]
#[allow(dead_code, reason = "messages are looked at elsewhere")]
mod wire;
