//! The handler of a function: in the artifact, or in what is known of it before anything is fetched.

use crate::audit::handler::{self, Handler, ImportRoot};
use crate::pipeline::BuildError;
use crate::pipeline::plan::Plan;
use crate::report::Reporter;
use crate::tree::FileTree;

impl Plan<'_> {
    /// Checks that a handler is in one of the roots of the artifact; warns if that cannot be decided.
    ///
    /// # Errors
    /// It is not there.
    pub(crate) fn check_handler(
        &self,
        handler: &Handler,
        roots: &[ImportRoot],
        reporter: &dyn Reporter,
    ) -> Result<(), BuildError> {
        let projects = self.project_names();
        let found = handler::check(handler, roots, self.target.python, |origin| origin.is_own(&projects))?;
        if let Some(uncertainty) = &found.uncertainty {
            reporter.warn(&format!("cannot check that {} defines the handler `{handler}`: {uncertainty}", found.path));
        }
        Ok(())
    }

    /// Checks a handler whose module is in the application's own files, or can be nowhere else.
    ///
    /// # Errors
    /// It is not there.
    pub(crate) fn check_planned_handler(&self, handler: &Handler, reporter: &dyn Reporter) -> Result<(), BuildError> {
        let mut tree = FileTree::default();
        for (path, entry) in &self.application.files {
            tree.insert(path.clone(), entry.clone())?;
        }
        let module = handler.module();
        let top_level = module.split('.').next().unwrap_or_default();
        let files = [format!("{top_level}.py"), format!("{top_level}/__init__.py")];
        let is_own = self.application.files.iter().any(|(path, _)| files.iter().any(|file| file == path.as_str()));
        if is_own || self.installed().next().is_none() {
            self.check_handler(handler, &[ImportRoot { tree: &tree, site_packages: "" }], reporter)?;
        }
        Ok(())
    }
}
