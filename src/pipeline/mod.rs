//! The pipeline: a plan is made of the lock and the target, and carried out.
//!
//! Each stage sees only those before it, which `tests/architecture.rs` asserts:
//!
//! ```text
//! apt, error, session ◀── plan ◀── wheels ◀── install ◀── audits ◀── report, documents, planned_outputs, notes, remote_cache ◀──┬── lambda ◀──┬── targets ◀── changed_since
//!                                                                                                                               └── image  ◀──┘
//! ```

pub(crate) mod apt;
mod audits;
mod changed_since;
mod documents;
mod error;
pub(crate) mod image;
mod install;
mod lambda;
mod notes;
pub(crate) mod plan;
mod planned_outputs;
mod remote_cache;
mod report;
pub(crate) mod session;
mod targets;
mod threads;
mod wheels;

pub(crate) use changed_since::reason;
pub(crate) use error::BuildError;
pub(crate) use image::apt_lock::{AptUpgrade, LockedPackages, lock as lock_apt};
pub(crate) use image::pin::pin;
pub(crate) use image::{image, plan_image};
pub(crate) use lambda::{
    FunctionDirectories, PlanPurpose, UnpackedFunction, lambda, other_service, plan as plan_lambda, unpack,
};
pub(crate) use session::ProjectCache;
pub(crate) use targets::{Target, TargetBuildOptions, TargetResult, build_all, check_outputs};
