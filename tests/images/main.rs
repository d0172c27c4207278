//! `pybundle image` as a whole: what is in an image, that its bytes depend on its ingredients alone, and what is refused.
//!
//! Bases are made byte by byte, but where a real one matters. What is written is read with readers that are not ours.

#[path = "../support/proxy.rs"]
#[allow(dead_code, reason = "nothing is disturbed here")]
mod proxy;
#[path = "../support/registries.rs"]
#[allow(dead_code, reason = "one that lets everybody in is enough here")]
mod registries;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/wire.rs"]
#[allow(dead_code, reason = "messages are looked at elsewhere")]
mod wire;

mod bases;
mod built;
mod configuration;
mod determinism;
mod files;
mod interruption;
mod layers;
mod outputs;
mod platforms;
mod profiles;
mod projects;
mod pushes;
mod pythons;
mod refusals;
mod tiny;
mod workshop;
