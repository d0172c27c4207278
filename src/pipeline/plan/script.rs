//! What a script starts, if its settings do not say it, and scripts that are bundled as if they were none.

use std::path::Path;

use crate::audit::handler::{self, Handler};
use crate::limited_reader::{self, LARGEST_PROJECT_FILE};
use crate::pipeline::BuildError;
use crate::pipeline::plan::requirements_source::RequirementsSource;
use crate::project::script;
use crate::project::workspace::Workspace;
use crate::report::Reporter;

/// Returns the handler of a script.
///
/// # Errors
/// The script cannot be read, or does not tell which of its functions it is.
pub(crate) fn handler(script: &Path) -> Result<Handler, BuildError> {
    let source =
        limited_reader::read_regular_file(script, LARGEST_PROJECT_FILE).map_err(BuildError::reading(script))?;
    Ok(handler::default(script, &source)?)
}

/// Warns if a directory without a project has nothing but a script that declares dependencies: what is bundled is the directory,
/// whose files declare none.
pub(super) fn warn_of_undeclared(workspace: &Workspace, reporter: &dyn Reporter) {
    let directory = workspace.directory(workspace.current());
    if workspace.script().is_some() || RequirementsSource::of(workspace).is_some() {
        return;
    }
    if let Some(script) = script::alone_in(&directory).filter(|script| script::requires_any(script)) {
        let script = script.display();
        reporter.warn(&format!("{script} declares dependencies, which are not bundled: pass {script} as the project"));
    }
}
