//! Turns the lock file of a Python project into what is deployed: AWS Lambda zips and OCI images.
//!
//! pybundle selects the locked distributions for a target platform, lays out their files as that platform's
//! site-packages, and packages the tree as a deterministic zip, or as the layers of an image that it pushes to a
//! registry. Nothing of the target is run: any machine builds for x86_64 and arm64, without Python and without Docker.
//!
//! # Stability
//!
//! **This library has no stable API.** It exists for the `pybundle` command and its tests. What is stable is the
//! command line, the documents that `--json` prints, and the exit statuses:
//!
//! | exit status | meaning |
//! | --- | --- |
//! | 0 | success |
//! | 1 | failure: standard error says what, where, and what to do about it. Also if `verify` found a problem, `diff --exit-code` a difference, or a target of `build` failed |
//! | 2 | wrong usage: the request contradicts itself, or names something that does not exist. Nothing was done |
//! | 129, 130, 143 | SIGHUP, SIGINT or SIGTERM. Temporary files were removed |
//!
//! Standard output contains only the result. With `--json` that is one document, whose schema is in `schemas/` and
//! printed by `pybundle schema`; under one `format` no field is removed or changes its meaning. Everything else is
//! printed to standard error.
//!
//! # The pipeline
//!
//! No stage writes a tree of files to disk, and none returns to an earlier one.
//!
//! ```text
//! lock file ──lock: select for the target──▶ Selection ◀── index: where files are, if the lock does not say
//!                                                │
//!                                                │ choose by compatibility tags
//!                                                ▼
//!             wheels ◀── one file per distribution ──▶ source distributions, git commits, directories
//!               │                                                    │
//!               │ fetch: download, verify                            │ builder: build, check compatibility
//!               ▼                                                    ▼
//!             Wheel (read strictly, in the cache) ◀──────────────────┘
//!               │
//!               │ wheel: install        trim, bytecode        project: the application's files
//!               ▼
//!             FileTree: for each path, where its bytes are ──▶ audit: handler, imports, shared libraries
//!               │
//!               ├──▶ archive::zip ─────────────────────────────────────────▶ zip of a function or layer
//!               │
//!               └──▶ partition ──▶ archive::layer ──▶ layers ─┐
//!                                              base image ────┴──▶ OciImage per platform ──▶ OciArtifact
//!                                                                                                │
//!                             SBOM, provenance ──▶ referrers, or files next to a zip             ▼
//!                                                                              layout, archives, registry
//!
//! zip, OciArtifact ──▶ contents ──▶ inspect, diff, verify
//! ```
//!
//! ARCHITECTURE.md lists the modules and says where to change what; `tests/architecture.rs` asserts which module may
//! import which.
//!
//! # Invariants
//!
//! * **Nothing is compressed twice.** The entries of a wheel are compressed already, and a zip is made of those bytes
//!   (`tree::FileContent::Archived`). A layer is one gzip member that is spliced from the same bytes (`archive::layer`).
//!   Everything else goes through one pinned compressor (`archive::deflate`).
//! * **A layer is assembled when it is needed** and not stored: its digests follow from the wheels, the paths and the
//!   interpreter, and are cached. A layer that a registry has is never read.
//! * **A wheel is read completely once.** When it enters the cache, every byte is accounted for, every entry is
//!   decompressed and compared with its CRC-32 and its digest in RECORD, and the position of each last deflate block is
//!   recorded. Later builds read only the inventory that remains.
//! * **Equal inputs give equal bytes,** from any directory, host, time, umask and locale, with any number of threads:
//!   results are collected by index, never by completion, and maps are ordered.
//! * **Memory is bounded by buffers.** A tree contains extents, not bytes.
//! * **The lock decides the version, the target decides the file.** Lock formats differ in what they pin and how they
//!   write it; from `lock::PinnedDistribution` on, there is one way for all of them.
//! * **An output appears completely or not at all** (`archive::output`).
//! * **Documents are serialized once.** A manifest or configuration is kept as the bytes of a blob, so that its digest
//!   is the same in every output.
//! * **Errors say what and where.** What to do about it is in `hints`, next to the message.
//!
//! The crate `zip` is not used for artifacts: it cannot write raw extents with our own metadata, and it reads more
//! leniently than an installer should. It unpacks source distributions and is the independent reader of the tests.

// The exceptions say why: what zlib-rs, signals and the environment offer in no safe way.
#![deny(unsafe_code)]
#![deny(unreachable_pub)]
// Only the command line writes to the standard streams, through the printer.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod apt;
pub mod archive;
pub(crate) mod artifact;
pub(crate) mod audit;
pub(crate) mod aws;
pub mod builder;
pub mod bytecode;
pub mod cache;
pub mod cli;
pub(crate) mod closure;
pub mod constraint;
pub(crate) mod contents;
pub mod debian;
pub(crate) mod deploy;
pub(crate) mod deployment_file;
pub mod digest;
pub(crate) mod engine;
pub mod fetch;
#[doc(hidden)]
pub mod fuzzing;
pub mod git;
pub mod hints;
pub(crate) mod http;
pub mod image;
pub mod index;
pub mod interpreter;
pub(crate) mod invoke;
pub(crate) mod lambda;
pub(crate) mod limited_reader;
pub mod lock;
pub(crate) mod mail_headers;
pub mod marker;
pub mod name;
pub(crate) mod options;
pub(crate) mod pipeline;
pub mod platform;
pub mod project;
pub(crate) mod redact;
pub mod registry;
pub mod report;
pub mod repository;
pub mod retry;
pub mod sbom;
pub(crate) mod scaffold;
pub mod sdist;
pub(crate) mod settings;
pub mod silence;
pub mod syntax;
pub(crate) mod temporary;
pub mod tree;
pub mod trim;
pub mod wheel;
