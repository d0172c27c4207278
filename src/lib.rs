//! Turns what a Python project has **locked** into what is **deployed**.
//!
//! pybundle selects the locked distributions for a target platform, lays their files out as that platform's
//! site-packages, and packages the tree as a deterministic AWS Lambda zip, or as the layers of an OCI image that it
//! pushes to a registry itself. Nothing of the target is run: any machine builds for x86_64 and arm64, with no Python
//! and no Docker.
//!
//! # Architecture
//!
//! One pipeline, straight as a corridor. No stage writes the tree to disk, and none goes back to an earlier one.
//!
//! ```text
//! Lock ──select(Request, TargetPlatform)──▶ Selection ◀──complete── index::Finder
//!                                       │ choose(tags)
//!                                       ▼
//!              wheels, source distributions, repositories, folders
//!                    │              └────fetch, build─────┘
//!                  fetch                       │
//!                    ▼                         ▼
//!               Wheel (verified, in the cache; what was built is audited)
//!                                                          │
//!                                                          ▼
//!                       the application's files ──▶ files at their places, with where their bytes lie
//!                                                          │
//!          FileTree ──▶ archive::zip ──▶ the zip ◀─────────┤
//!                                                          ▼
//!   Base ──▶ manifest ◀── Layer ◀── archive::layer ◀── partition
//!               │
//!               ▼
//!      Image, one for each platform ──▶ Artifact ──▶ layout, archives, registry
//!                                           ▲
//!      Plan, wheels, digests ──▶ SbomContents ──▶ referrers, or files beside a zip
//!
//!      the zip, Artifact ──▶ Contents ──▶ inspect, diff, verify
//! ```
//!
//! | room | what it is for |
//! | --- | --- |
//! | [`cli`] | one file per subcommand; the only room that prints, reads the environment and knows the home folder |
//! | `options` | what flags and `[tool.pybundle]` state, key by key, and which statement counts |
//! | `settings` | what is in force, as one typed value that drives everything |
//! | `build` | the pipeline itself: a plan, and its execution |
//! | [`project`] | pyproject.toml, workspaces, setup.cfg and setup.py, the application's files |
//! | [`sdist`], [`repository`], [`builder`] | source distributions unpacked and commits checked out, and either built into wheels |
//! | [`bytecode`] | bytecode that an interpreter of this machine makes of sources, the same each time |
//! | [`platform`] | profiles (`profiles/*.toml`), compatibility tags, the values of markers |
//! | [`syntax`] | Python sources, parsed |
//! | [`marker`] | environment markers and requirements |
//! | [`constraint`] | constraints on versions as Poetry writes them |
//! | [`lock`] | uv.lock, pylock.toml, poetry.lock and requirements; what they pin for a target, and which file of it fits |
//! | [`index`] | where the files are of what a lock pins without saying it: the simple API, flat folders |
//! | [`wheel`] | file names, the strict reader, and the installation into a tree |
//! | [`fetch`] | downloads: bounded, retried, resumed, verified |
//! | [`cache`] | verified wheels by their content, for several processes at once |
//! | [`tree`] | the files of an artifact: where the bytes of each lie, and what each belongs to |
//! | [`trim`] | what of a distribution nothing needs at run time: files, and sections of compiled ones |
//! | [`archive`] | a tree as a zip, or as a layer, whose bytes depend on the tree alone |
//! | `lambda` | function and layer, and Lambda's limits |
//! | [`image`] | images: bases, partition, configuration, manifests; layouts and archives, written and read |
//! | `contents` | what lies inside a finished artifact: listed, compared with another, verified, drawn |
//! | [`registry`] | references, credentials, and the client that pulls and pushes |
//! | [`sbom`] | bills of materials and provenance: what was installed, as documents of CycloneDX, SPDX and SLSA |
//! | `audit` | whether the handler and what the application imports are in the artifact, and what compiled files need |
//! | `scaffold` | what a project is, seen from its folder, and the configuration and the workflow that suit it |
//! | [`report`] | progress and warnings while a build works, and what it reports at its end |
//! | [`name`], [`digest`], [`redact`], [`retry`], `limited_reader` | normalized names; digests and their computation; secrets kept out of messages; when to try again; how much may be read |
//! | [`hints`] | what the user can do about an error, and which name was probably meant |
//!
//! Who may import whom is asserted by `tests/architecture.rs`: [`lock`] never sees the inside of [`wheel`], which never
//! sees [`fetch`]; [`archive`] knows trees and nothing else; [`image`] never sees [`registry`], which knows images and
//! nothing of what they are made of. `contents` sees neither of them: it reads what lies in files.
//!
//! # What holds everywhere
//!
//! * **Nothing is deflated twice.** A wheel's entries are deflated already, and the zip is made of those bytes as they
//!   lie ([`tree::FileContent::Archived`]). A layer is one gzip member that is spliced from the same bytes
//!   ([`archive::layer`]). What pybundle makes itself goes through one pinned compressor ([`archive::deflate`]).
//! * **A layer is put together when it is needed,** and not kept: its digests follow from the wheels, the scheme and the
//!   interpreter, and the cache knows them ([`image::BlobContent::Layer`]). A layer that a registry has is never read.
//! * **A wheel is read once.** When it enters the cache, every byte of it is accounted for, every entry is inflated and
//!   compared with its CRC-32 and its RECORD digest, and the place of each last deflate block is noted. The
//!   [`wheel::WheelInventory`] that remains is all that later builds read.
//! * **Equal inputs give equal bytes,** from any folder, host, time, umask and locale, with any number of threads:
//!   results are collected by index, never by completion, and maps are ordered.
//! * **Memory is bounded by buffers.** The tree holds extents, not bytes.
//! * **A lock says which version, the target says which file.** Formats differ in what they pin and how they write it down;
//!   from [`lock::PinnedDistribution`] on, there is one way for all of them.
//! * **An output appears whole or not at all** ([`archive::output`]).
//! * **Errors say what and where;** what to do about it is beside the message, in [`hints::Hints`].
//!
//! * **Documents are serialised once.** A manifest or a configuration is frozen as the bytes of a blob; whoever writes
//!   or sends it never serialises again, so its digest is the same in every output.
//!
//! The crate `zip` is absent from the artifact's path: it writes no raw extents with metadata of our own and reads more
//! leniently than an installer should. It unpacks source distributions, and is the tests' independent reader.
//!
//! # What scripts rely on
//!
//! | exit status | meaning |
//! | --- | --- |
//! | 0 | done |
//! | 1 | it failed, and standard error says what, where, and what to do about it; or `verify` found something wrong, `diff --exit-code` a difference, or a target of `build` failed, and the result says what |
//! | 2 | wrong usage: what was asked for contradicts itself or does not exist; nothing was done |
//!
//! Standard output has the result alone. With `--json` that is one document, whose schema `pybundle schema` prints and
//! `schemas/` keeps; under one `format` no field goes or changes its meaning. All else is
//! on standard error: with `--output-format github` errors and warnings are annotations of a workflow there. Where that is no
//! terminal there is no bar either: a step that takes more than a second says so at its end, and one that lasts longer than
//! ten says that it goes on.

// One module calls zlib-rs through zlib's C interface, and says why.
#![deny(unsafe_code)]
// Only the command line writes to the standard streams, through the printer.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod archive;
pub(crate) mod artifact;
pub(crate) mod audit;
pub mod builder;
pub mod bytecode;
pub mod cache;
pub mod cli;
pub mod constraint;
pub(crate) mod contents;
pub mod digest;
pub mod fetch;
pub mod hints;
pub mod image;
pub mod index;
pub(crate) mod lambda;
pub(crate) mod limited_reader;
pub mod lock;
pub mod marker;
pub mod name;
pub(crate) mod options;
pub(crate) mod pipeline;
pub mod platform;
pub mod project;
pub mod redact;
pub mod registry;
pub mod report;
pub mod repository;
pub mod retry;
pub mod sbom;
pub(crate) mod scaffold;
pub mod sdist;
pub(crate) mod settings;
pub mod syntax;
pub mod tree;
pub mod trim;
pub mod wheel;
