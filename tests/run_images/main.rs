//! Images of `pybundle image` run, with and without Docker, and are unchanged by a push and a pull.
#![cfg(unix)]

#[allow(dead_code, reason = "it is for tests of the registry client, too")]
#[path = "../support/proxy.rs"]
mod proxy;
#[allow(dead_code, reason = "it is for tests of the registry client, too")]
#[path = "../support/registries.rs"]
mod registries;
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code, reason = "each server of tests needs another part")]
#[path = "../support/wire.rs"]
mod wire;

mod audits;
mod base_images;
mod bases;
mod compression;
mod files;
mod function;
mod logins;
mod platforms;
mod projects;
mod pushing;
mod service;
mod skopeo;
