//! What the tests share.
#![allow(dead_code, reason = "each test binary uses another part")]

pub mod artifact;
pub mod command;
pub mod lambda;
pub mod uv;
