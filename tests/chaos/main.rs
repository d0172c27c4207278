//! Pushes through a proxy that breaks each request once, pushes to a registry that is killed, and commands that are killed:
//! what succeeds is whole, what is repeated succeeds, and nothing is left behind.
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
mod kills;
mod pushes;
mod restarts;
