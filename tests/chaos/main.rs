//! Pushes through a proxy that breaks each request once, in a random way: each push succeeds, and nothing is lost.
//!
//! Faults depend on a seed and on the request alone, not on the order of requests. `PYBUNDLE_CHAOS_SEED` sets another seed.
#![cfg(unix)]

#[path = "../support/proxy.rs"]
#[allow(dead_code, reason = "it is needed by the registries, which use a part of it")]
mod proxy;
#[path = "../support/pushing.rs"]
#[allow(dead_code, reason = "each test binary uses a different part")]
mod pushing;
#[path = "../support/registries.rs"]
#[allow(dead_code, reason = "each test binary uses a different part")]
mod registries;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/wheels.rs"]
#[allow(dead_code, reason = "wheels of PyPI are not needed here")]
mod wheels;
#[path = "../support/wire.rs"]
#[allow(dead_code, reason = "each test binary uses a different part")]
mod wire;

mod fault_proxy;
mod pushes;
