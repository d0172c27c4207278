//! What a build tells while it works.

/// A part of the work that takes long enough to show progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Files are downloaded; counted in bytes.
    Fetch,
    /// Local projects are built into wheels; counted in projects.
    Build,
    /// The layers of an image are made; counted in layers.
    Layers,
    /// The artifact is written; counted in bytes.
    Write,
    /// Blobs are sent to a registry; counted in bytes. What is there already counts as sent.
    Push,
    /// Blobs come from a registry; counted in bytes.
    Pull,
}

/// Receives progress and warnings. The command line shows them; the library never prints.
pub trait Reporter: Send + Sync {
    /// A phase begins; `total` is how much there is to do, as far as it is known.
    fn start(&self, phase: Phase, total: u64);
    /// Some of a phase is done. A retry that starts over reports nothing twice.
    fn advance(&self, phase: Phase, amount: u64);
    /// A phase ended.
    fn finish(&self, phase: Phase);
    /// Something the user should know, which does not stop the build.
    fn warn(&self, message: &str);
    /// Something that explains why the work takes long. It is of no interest once the work is done.
    fn note(&self, _message: &str) {}
}

/// Says nothing to anyone.
pub struct Silent;

impl Reporter for Silent {
    fn start(&self, _: Phase, _: u64) {}
    fn advance(&self, _: Phase, _: u64) {}
    fn finish(&self, _: Phase) {}
    fn warn(&self, _: &str) {}
}
