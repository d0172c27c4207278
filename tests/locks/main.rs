//! Selection from locks of each format, compared with the tools that write and read them.

mod formats;
mod packaging;
mod pdm;
mod pipfile;
mod poetry;
mod published;
mod pylock;
mod requirements;
#[path = "../support/mod.rs"]
mod support;
mod uv;
