//! What a build reports while it runs.

use std::fmt;
use std::time::Instant;

/// A part of the work that takes long enough to show progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The lock is read, and what is bundled of it is selected; not counted.
    Select,
    /// Packages of the operating system are locked; not counted.
    Lock,
    /// Files are downloaded; counted in bytes.
    Fetch,
    /// Local projects and source distributions are built into wheels; counted in wheels.
    Build,
    /// Wheels are installed into the tree, and their files omitted or stripped; counted in distributions.
    Install,
    /// Wheels are installed into the tree, and their sources compiled; counted in distributions.
    Bytecode,
    /// The artifact is audited; not counted.
    Audit,
    /// The layers of an image are built; counted in layers.
    Layers,
    /// The artifact is written; counted in bytes.
    Write,
    /// Blobs are sent to a registry; counted in bytes. Blobs that the registry has count as sent.
    Push,
    /// Blobs come from a registry; counted in bytes.
    Pull,
}

/// A step that takes long enough to be named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// What is done.
    pub kind: TaskKind,
    /// What it is done to.
    pub name: String,
}

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskKind {
    /// Builds a wheel.
    Build,
    /// Runs another command.
    Run,
    /// Fetches from a repository.
    Fetch,
    /// Waits for another process or for a server.
    Wait,
}

impl Task {
    /// Creates a task.
    pub fn new(kind: TaskKind, name: impl fmt::Display) -> Self {
        Self { kind, name: name.to_string() }
    }
}

/// Receives progress and warnings. The command line shows them; the library never prints.
///
/// Phases are nested: one that starts within another ends before it. Tasks of one phase run in parallel.
pub trait Reporter: Send + Sync {
    /// A phase begins; `total` is how much there is to do, as far as it is known.
    fn start(&self, phase: Phase, total: u64);
    /// Some of a phase is done. A retry that starts over reports nothing twice.
    fn advance(&self, phase: Phase, amount: u64);
    /// A phase is complete.
    fn finish(&self, phase: Phase);
    /// A phase ended before it was complete.
    fn abandon(&self, _phase: Phase) {}
    /// A task runs since a point in time.
    fn begin(&self, _task: &Task, _since: Instant) {}
    /// A task ended; `is_done` is false if it failed.
    fn end(&self, _task: &Task, _is_done: bool) {}
    /// Something the user should know, which does not stop the build.
    fn warn(&self, message: &str);
    /// Something that explains why the work takes long. It is of no interest once the work is done.
    fn note(&self, _message: &str) {}
}

/// A phase that runs until this is dropped. It is complete only if [`finish`](Self::finish) is called.
pub struct RunningPhase<'a> {
    reporter: &'a dyn Reporter,
    phase: Phase,
    is_done: bool,
}

impl<'a> RunningPhase<'a> {
    /// Starts a phase.
    pub fn start(reporter: &'a dyn Reporter, phase: Phase, total: u64) -> Self {
        reporter.start(phase, total);
        Self { reporter, phase, is_done: false }
    }

    /// Reports that some of the phase is done.
    pub fn advance(&self, amount: u64) {
        self.reporter.advance(self.phase, amount);
    }

    /// Ends the phase, which is complete.
    pub fn finish(mut self) {
        self.is_done = true;
    }
}

impl Drop for RunningPhase<'_> {
    fn drop(&mut self) {
        if self.is_done { self.reporter.finish(self.phase) } else { self.reporter.abandon(self.phase) }
    }
}

/// A task that runs until this is dropped. It is done only if [`finish`](Self::finish) is called.
pub struct RunningTask<'a> {
    reporter: &'a dyn Reporter,
    task: Task,
    is_done: bool,
}

impl<'a> RunningTask<'a> {
    /// Starts a task now.
    pub fn start(reporter: &'a dyn Reporter, task: Task) -> Self {
        Self::since(reporter, task, Instant::now())
    }

    /// Reports a task that has been running for a while.
    pub fn since(reporter: &'a dyn Reporter, task: Task, since: Instant) -> Self {
        reporter.begin(&task, since);
        Self { reporter, task, is_done: false }
    }

    /// Ends the task, which is done.
    pub fn finish(mut self) {
        self.is_done = true;
    }
}

impl Drop for RunningTask<'_> {
    fn drop(&mut self) {
        self.reporter.end(&self.task, self.is_done);
    }
}

/// Reports nothing.
pub struct Silent;

impl Reporter for Silent {
    fn start(&self, _: Phase, _: u64) {}
    fn advance(&self, _: Phase, _: u64) {}
    fn finish(&self, _: Phase) {}
    fn warn(&self, _: &str) {}
}
