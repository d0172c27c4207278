//! The output that scripts and people rely on: documents with schemas, exit statuses, annotations, colors, progress, help
//! and the reference pages.
//!
//! The artifacts are built once, from the example and a small base.

#[path = "../support/http.rs"]
mod http;
#[path = "../support/registry.rs"]
#[allow(dead_code, reason = "a plain one is enough here")]
mod registry;
#[path = "../support/mod.rs"]
mod support;
#[path = "../images/tiny.rs"]
#[allow(dead_code, reason = "one form of it is enough here")]
mod tiny;
#[path = "../support/wire.rs"]
#[allow(dead_code, reason = "messages are looked at elsewhere")]
mod wire;

mod annotations;
mod colors;
mod help;
mod hints;
mod recording;
mod reference;
mod schemas;
mod screen;
mod silence;
mod statuses;
mod steps;
mod studio;
