//! Talking to registries.
//!
//! Specification: [OCI distribution 1.1](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md).

pub mod credentials;
pub mod ecr;
