//! The registry client, against real registries and one in memory that plays those that cannot be run here.
#![cfg(unix)]

#[path = "../support/http.rs"]
mod http;
#[allow(dead_code, reason = "only some tests use all of it")]
#[path = "../support/registry.rs"]
mod memory;
#[path = "../support/moto.rs"]
mod moto;
#[path = "../support/proxy.rs"]
mod proxy;
#[path = "../support/pushing.rs"]
mod pushing;
#[path = "../support/registries.rs"]
#[allow(dead_code, reason = "each test binary uses a different part")]
mod registries;
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code, reason = "each server of tests needs another part")]
#[path = "../support/wire.rs"]
mod wire;

mod aws;
mod ecr;
mod ecr_push;
mod failures;
mod followed_hints;
mod lost_blobs;
mod proxies;
mod quirks;
mod real;

use oci_spec::image::MediaType;
use pybundle::digest::Sha256;
use pybundle::image::{Blob, OciArtifact};
use pybundle::registry::credentials::RegistryLogin;
use pybundle::registry::{RegistryError, RegistryOptions};
use pybundle::retry::RetryPolicy;

use pushing::*;
