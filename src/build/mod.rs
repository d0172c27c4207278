//! The pipeline: a plan is made of the lock and the target, and carried out.
//!
//! [`Plan`] reads what the project says and fetches nothing. [`lambda()`] fetches, installs, checks and writes.
//! [`artifact`] reads again what was built.

mod adapt;
pub mod artifact;
mod attach;
mod audits;
mod base;
mod binaries;
mod bytecode;
mod changes;
mod documents;
mod error;
mod fit;
mod ground;
mod image;
mod image_report;
mod indexes;
mod lambda;
mod layers;
mod locate;
pub mod lock;
mod opened;
mod outputs;
mod packs;
mod pin;
mod plan;
mod platform;
mod program;
mod projects;
mod push;
mod report;
mod requirements;
mod sources;
mod stack;
mod start;
mod targets;
mod wheels;
mod workplace;

pub use changes::reason;
pub use error::BuildError;
pub use fit::{Misfit, Unfit};
pub use image::{image, plan_image};
pub use lambda::{lambda, plan};
pub use opened::Opened;
pub use pin::pin;
pub use plan::{LockedProject, Plan};
pub use push::push;
pub use targets::{Target, build_all, check_places};
