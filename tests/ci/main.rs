//! What projects check and bundle themselves with in CI: `scripts/check`, the actions and the workflows.
#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

mod check;
