//! pybundle as users get it: its wheel, its package, its image, its manual pages and shell completions.
#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

mod container;
mod package;
mod pages;
mod shells;
mod wheel;
