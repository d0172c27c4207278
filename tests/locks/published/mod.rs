//! The locks that uv's and packaging's own tests publish (testdata/valid/published) mean what uv says they mean.
//!
//! uv is asked what each lock holds, without network; a lock is refused where uv refuses it. The few in which the two differ
//! are listed with the reason.

mod corpus;
mod pylock;
mod uv_lock;
