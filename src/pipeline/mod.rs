//! The pipeline: a plan is made of the lock and the target, and carried out.
//!
//! Each stage sees only those before it, which `tests/architecture.rs` asserts:
//!
//! ```text
//! session ◀── plan ◀── wheels ◀── install ◀── audits ◀── report, documents ◀──┬── lambda ◀──┬── targets ◀── changed_since
//!                                                                             └── image  ◀──┘
//! ```

mod audits;
mod changed_since;
mod documents;
mod error;
pub(crate) mod image;
mod install;
mod lambda;
pub mod plan;
mod report;
pub(crate) mod session;
mod targets;
mod wheels;

pub use changed_since::reason;
pub use error::BuildError;
pub use image::pin::pin;
pub use image::{image, plan_image};
pub use lambda::{lambda, plan as plan_lambda};
pub use session::ProjectCache;
pub use targets::{Target, build_all, check_places};
