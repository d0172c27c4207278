//! What users and CI systems are given: `scripts/check`, the actions, the workflows and the documents.
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

mod check;
mod documents;
mod examples;
mod expression;
mod jobs;
mod linters;
mod runner;
