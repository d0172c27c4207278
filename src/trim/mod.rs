//! What of a distribution nothing needs at run time: whole files by rules, and sections of its compiled files.
//!
//! Nothing here reads or writes a file: whoever adapts a wheel passes what is asked for.

mod imports;
mod needed;
mod rules;
pub mod strip;

pub use needed::needed;
pub use rules::{InvalidSlimRule, SlimRule, left_out};
