//! The pipeline: a plan is made of the lock and the target, and carried out.
//!
//! [`Plan`] reads what the project says and fetches nothing. [`lambda()`] fetches, installs, checks and writes.

mod error;
mod lambda;
mod plan;
mod projects;
mod report;
mod wheels;

pub use error::BuildError;
pub use lambda::{lambda, plan};
pub use plan::{LockedProject, Plan};
