//! `pybundle init`: what it writes for each kind of project, that pybundle can build it, and that it overwrites nothing.

#[path = "../support/mod.rs"]
mod support;

mod files;
mod golden;
mod kinds;
mod project;
