//! Compatibility tags (PEP 425, PEP 600).

use crate::wheel::filename::WheelFilename;

/// One compatibility tag, for instance `cp312-cp312-manylinux_2_17_x86_64`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tag {
    /// The Python tag.
    pub python: String,
    /// The ABI tag.
    pub abi: String,
    /// The platform tag.
    pub platform: String,
}

/// The tags that a target accepts, the best first.
#[derive(Debug, Clone)]
pub struct Tags(Vec<Tag>);

impl Tags {
    /// Returns the tags, the best first.
    pub fn as_slice(&self) -> &[Tag] {
        &self.0
    }
    /// Returns the rank (0 is the best) and the tag by which the wheel fits best, if it fits at all.
    pub fn best_match(&self, _wheel: &WheelFilename) -> Option<(usize, &Tag)> {
        unimplemented!()
    }
}
