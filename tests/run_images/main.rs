//! Images of `pybundle image` run, with and without Docker, and are unchanged by a push and a pull.
#![cfg(unix)]

#[allow(dead_code, reason = "the tests of images look at more")]
#[path = "../images/built.rs"]
mod built;
#[path = "../support/podman.rs"]
mod podman;
#[allow(dead_code, reason = "it is for tests of the registry client, too")]
#[path = "../support/proxy.rs"]
mod proxy;
#[allow(dead_code, reason = "it is for tests of the registry client, too")]
#[path = "../support/registries.rs"]
mod registries;
#[allow(dead_code, reason = "the tests of layers look into the roots")]
#[path = "../apt_layers/roots.rs"]
mod roots;
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code, reason = "the tests of images need more")]
#[path = "../images/tiny.rs"]
mod tiny;
#[allow(dead_code, reason = "each server of tests needs another part")]
#[path = "../support/wire.rs"]
mod wire;
#[allow(dead_code, reason = "the tests of images need more")]
#[path = "../images/workshop.rs"]
mod workshop;

mod audits;
mod base_images;
mod bases;
mod commands;
mod compression;
mod files;
mod function;
mod health;
mod linked_pythons;
mod loading;
mod local;
mod logins;
mod musl;
mod newer;
mod packages;
mod platforms;
mod projects;
mod pushing;
mod readers;
mod service;
mod shadows;
mod skopeo;
