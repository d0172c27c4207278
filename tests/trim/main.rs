//! Files of distributions that `--slim` omits, and sections of compiled files that `--strip` removes.

#[path = "../support/mod.rs"]
mod support;

mod built;
mod elf;
mod rules;
