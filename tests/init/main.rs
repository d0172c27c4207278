//! `pybundle init`: what it writes for each kind of project, that pybundle accepts that and builds it, and that nothing
//! that somebody wrote is lost.

#[path = "../support/mod.rs"]
mod support;

mod files;
mod golden;
mod kinds;
mod project;
