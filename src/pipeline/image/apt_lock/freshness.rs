//! Whether a lock is that of a request, a base and its sources, and what has changed if it is not.

use std::path::Path;

use crate::apt::lock::{AptLock, ArchitectureClosure};
use crate::apt::{AptSource, PackageRequest};
use crate::debian::DebianArchitecture;
use crate::digest::Sha256;
use crate::image::Base;
use crate::pipeline::apt::PackagesError;

/// A request on an architecture.
#[derive(Clone, Copy)]
pub(in crate::pipeline::image) struct LockQuery<'a> {
    pub lock: &'a AptLock,
    pub path: &'a Path,
    /// Sorted.
    pub requested: &'a [PackageRequest],
    pub architecture: &'a DebianArchitecture,
    /// Those that `pybundle apt lock` needs to lock the request.
    pub flags: &'a [String],
}

impl<'a> LockQuery<'a> {
    /// Returns the closure over a base with this package database.
    ///
    /// # Errors
    /// The lock is for another request, another base or other sources.
    pub(in crate::pipeline::image) fn closure(
        self,
        base: &Base,
        database: Option<Sha256>,
        sources: &[AptSource],
    ) -> Result<&'a ArchitectureClosure, PackagesError> {
        let sources: Vec<String> = sources.iter().map(ToString::to_string).collect();
        let Some((locked, closure)) = self.lock.closure(self.requested, self.architecture, database, &sources) else {
            self.check_requested()?;
            return Err(self.outdated(vec![self.other_base(base)]));
        };
        let gone = locked.sources.iter().filter(|source| !sources.contains(source));
        let gone = gone.map(|source| format!("`{source}` was a source of packages"));
        let new = sources.iter().filter(|source| !locked.sources.contains(source));
        let changes: Vec<String> =
            gone.chain(new.map(|source| format!("`{source}` is a source of packages now"))).collect();
        if changes.is_empty() { Ok(closure) } else { Err(self.outdated(changes)) }
    }

    /// Checks that the request is locked for the architecture, over whatever base.
    ///
    /// # Errors
    /// It is not.
    pub(in crate::pipeline::image) fn check_requested(self) -> Result<(), PackagesError> {
        let Self { lock, requested, architecture, .. } = self;
        let mut same = lock.closures.iter().filter(|closure| closure.requested == requested).peekable();
        if same.peek().is_some() {
            return match same.any(|closure| closure.architectures.contains_key(architecture)) {
                true => Ok(()),
                false => Err(self.outdated(vec![format!("no packages are locked for {architecture}")])),
            };
        }
        let common = |locked: &[PackageRequest]| locked.iter().filter(|one| requested.contains(one)).count();
        let nearest = lock.closures.iter().max_by_key(|closure| common(&closure.requested));
        let Some(nearest) = nearest else {
            return Err(self.outdated(vec!["no packages are locked".to_owned()]));
        };
        let new = requested.iter().filter(|one| !nearest.requested.contains(one));
        let gone = nearest.requested.iter().filter(|one| !requested.contains(one));
        let changes = new.map(|one| format!("`{one}` is requested and not locked"));
        Err(self.outdated(changes.chain(gone.map(|one| format!("`{one}` is locked and not requested"))).collect()))
    }

    fn other_base(self, base: &Base) -> String {
        let locked = self.lock.closures.iter().filter(|closure| closure.requested == self.requested);
        let mut locked: Vec<&str> = locked.map(|closure| closure.base.as_deref().unwrap_or("an empty base")).collect();
        locked.dedup();
        let digest = base.digest.map(|digest| digest.to_string());
        let name = base.name.clone().or(digest).unwrap_or_else(|| "this base".to_owned());
        format!("{name} has other packages than {}, for which it was locked", locked.join(", "))
    }

    fn outdated(self, changes: Vec<String>) -> PackagesError {
        PackagesError::Outdated { path: self.path.to_owned(), changes, flags: self.flags.to_vec() }
    }
}
