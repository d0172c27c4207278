//! Packages of the operating system: signatures as gpgv judges them, closures as apt-get resolves them.
#![cfg(unix)]

#[path = "../support/http.rs"]
mod http;
#[path = "../support/mod.rs"]
mod support;

mod archives;
mod base_image;
mod closures;
mod commands;
mod foreign_layers;
mod gpg;
mod signatures;
mod system_apt;
