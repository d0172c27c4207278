//! What a script starts, if its settings do not say it.

use std::path::Path;

use crate::audit::handler::{self, Handler};
use crate::limited_reader::{self, LARGEST_PROJECT_FILE};
use crate::pipeline::BuildError;

/// Returns the handler of a script.
///
/// # Errors
/// The script cannot be read, or does not tell which of its functions it is.
pub(crate) fn handler(script: &Path) -> Result<Handler, BuildError> {
    let source =
        limited_reader::read_regular_file(script, LARGEST_PROJECT_FILE).map_err(BuildError::reading(script))?;
    Ok(handler::default(script, &source)?)
}
