//! The layers of a function, with which it is checked.

use crate::git::changes::GitChanges;
use crate::pipeline::targets::Target;
use crate::pipeline::{BuildError, ProjectCache};

/// Returns why a function has to be rebuilt because of one of its layers, or `None` if it need not be.
///
/// # Errors
/// A layer cannot be planned.
pub(super) fn reason(
    target: &Target,
    changes: &GitChanges,
    projects: &ProjectCache,
) -> Result<Option<String>, BuildError> {
    let Target::Lambda(settings) = target else { return Ok(None) };
    for layer in &settings.layers {
        if let Some(reason) = super::reason(&Target::Lambda(Box::new(layer.clone())), changes, projects)? {
            return Ok(Some(format!("layer `{}`: {reason}", layer.name())));
        }
    }
    Ok(None)
}
