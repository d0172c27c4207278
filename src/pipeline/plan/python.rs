//! Chooses the newest version of Python that the locked distributions support.

use std::collections::BTreeSet;

use crate::index::{FileFinder, IndexError};
use crate::lock::{DistributionSource, FileChooser};
use crate::pipeline::BuildError;
use crate::pipeline::plan::{LockedProject, indexes};
use crate::platform::{PythonReason, TargetPlatform};
use crate::settings::Settings;

/// How many distributions without a wheel are named.
const NAMED: usize = 2;

/// Which locked distributions a target lacks a wheel of.
enum Support {
    /// The number of these distributions, and a clause that names them.
    Lacks(usize, String),
    /// The lock has nothing for the target.
    Nothing(String),
    /// An index cannot be asked, or uv cannot be run, so that no candidate can be compared.
    Unknown,
}

/// Chooses the first candidate, newest first, that every locked distribution has a wheel for; if there is none, the one
/// that the fewest lack. A distribution without compiled wheels does not count: it may be pure. Without a finder, only
/// files that the lock itself lists are known.
///
/// Returns the position of the candidate, and why the newest is passed over if it is another one. `name` returns the name
/// of a candidate, `targets` its platforms.
///
/// # Errors
/// An option of the indexes is invalid.
pub(crate) fn newest_supported<T>(
    candidates: &[T],
    name: impl Fn(&T) -> String,
    targets: impl Fn(&T) -> Vec<TargetPlatform>,
    project: &LockedProject,
    settings: &Settings,
    finder: Option<&FileFinder>,
) -> Result<(usize, Option<String>), BuildError> {
    if candidates.len() < 2 {
        return Ok((0, None));
    }
    let mut newest = None;
    let mut best: Option<(usize, usize)> = None;
    for (at, candidate) in candidates.iter().enumerate() {
        let (lacking, clause) = match support(&targets(candidate), project, settings, finder)? {
            Support::Lacks(0, _) if at == 0 => return Ok((0, None)),
            Support::Lacks(lacking, clause) => (lacking, clause),
            Support::Nothing(reason) => (usize::MAX, reason),
            Support::Unknown => return Ok((0, None)),
        };
        newest.get_or_insert(clause);
        if best.is_none_or(|(fewest, _)| lacking < fewest) {
            best = Some((lacking, at));
        }
        if lacking == 0 {
            break;
        }
    }
    let at = best.map_or(0, |(_, at)| at);
    let passed_over = newest.filter(|_| at > 0).map(|why| format!("not {}: {why}", name(&candidates[0])));
    Ok((at, passed_over))
}

/// Describes the choice, after the version: "the newest; not python3.14: numpy 1.26.4 has no wheel for it".
pub(crate) fn reason(reason: &PythonReason, passed_over: Option<String>) -> String {
    std::iter::once(reason.to_string()).chain(passed_over).collect::<Vec<_>>().join("; ")
}

/// Finds the distributions that lack a wheel on any of the targets of one candidate.
fn support(
    targets: &[TargetPlatform],
    project: &LockedProject,
    settings: &Settings,
    finder: Option<&FileFinder>,
) -> Result<Support, BuildError> {
    let formats = indexes::formats(settings, project);
    let mut lacking: BTreeSet<String> = BTreeSet::new();
    for target in targets {
        let mut selection = match project.selection(settings, target) {
            Ok(selection) => selection,
            Err(BuildError::Lock(error)) => return Ok(Support::Nothing(error.to_string())),
            Err(BuildError::Unresolvable { path, .. }) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                return Ok(Support::Nothing(format!("uv cannot resolve {name} for it")));
            }
            // The plan reports it.
            Err(_) => return Ok(Support::Unknown),
        };
        match finder.map(|finder| finder.complete(&mut selection, target)) {
            None | Some(Ok(())) => {}
            Some(Err(error @ IndexError::NoFile { .. })) => return Ok(Support::Nothing(error.to_string())),
            Some(Err(_)) => return Ok(Support::Unknown),
        }
        let chooser = FileChooser::new(target, &formats);
        for pinned in &selection.distributions {
            let DistributionSource::Files(files) = &pinned.source else { continue };
            if formats.may_install(&pinned.name) && chooser.lacks_compiled_wheel(&files.wheels) {
                lacking.insert(pinned.to_string());
            }
        }
    }
    let more = lacking.len().saturating_sub(NAMED);
    let named = lacking.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(" and ");
    let clause = match (lacking.len(), more) {
        (1, _) => format!("{named} has no wheel for it"),
        (_, 0) => format!("{named} have no wheels for it"),
        _ => format!("{named} and {more} more have no wheels for it"),
    };
    Ok(Support::Lacks(lacking.len(), clause))
}
