//! What is known of the distributions of an artifact without their bytes, so that a machine that has none of their wheels can
//! plan, install and audit them, and fetches only those whose bytes it needs.
//!
//! A record belongs to one closure: the selected distributions of one platform with everything that decides what an image or a zip
//! makes of them. It is kept in a repository, in a bucket or in a directory, under a name that follows from the closure. What it
//! says is never the only authority: a wheel that is fetched after all is compared with it, and so are layers when they are sent.

mod key;
mod record;

pub(crate) use key::{ClosureKey, ClosureParts};
pub(crate) use record::{ClosureRecord, InvalidRecord, KnownWheel, LARGEST_RECORD, SharedLayer};
