//! Files of distributions that `--slim` omits, and sections of compiled files that `--strip` removes.

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/moto.rs"]
#[allow(dead_code, reason = "each test binary uses a different part")]
mod moto;

mod built;
mod data;
mod elf;
mod rules;
