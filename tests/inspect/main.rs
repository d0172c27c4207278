//! `pybundle inspect`, `diff` and `verify`.
//!
//! The artifacts are built once from real wheels and a real base. Tests damage copies of them.

#[path = "../support/proxy.rs"]
#[allow(dead_code, reason = "nothing is disturbed here")]
mod proxy;
#[path = "../support/registries.rs"]
#[allow(dead_code, reason = "one that lets everybody in is enough here")]
mod registries;
#[path = "../support/mod.rs"]
mod support;
#[path = "../images/tiny.rs"]
#[allow(dead_code, reason = "one form of it is enough here")]
mod tiny;
#[path = "../support/wire.rs"]
#[allow(dead_code, reason = "messages are looked at elsewhere")]
mod wire;

mod artifacts;
mod browser;
mod damaged_images;
mod damaged_zips;
mod differences;
mod inspected;
mod layout;
mod pictures;
mod verified;
