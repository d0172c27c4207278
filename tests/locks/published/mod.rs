//! The locks of uv's and packaging's own tests (`testdata/valid/published`), compared with uv.
//!
//! A lock selects the same distributions as with uv, which runs offline, or is refused by both. The few differences are listed
//! with their reasons.

mod corpus;
mod pylock;
mod uv_lock;
