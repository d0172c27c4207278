//! `pybundle image` as a whole: what is in an image, that its bytes depend on its ingredients alone, and what is refused.
//!
//! Bases are made byte by byte, but where a real one matters. What is written is read with readers that are not ours.

#[path = "../support/mod.rs"]
mod support;

mod bases;
mod built;
mod configuration;
mod determinism;
mod interruption;
mod layers;
mod outputs;
mod platforms;
mod profiles;
mod projects;
mod pythons;
mod refusals;
mod tiny;
mod workshop;
