//! The handler of a function: in the artifact, or in what is known of it before anything is fetched.

use crate::audit::handler::{self, Handler, HandlerError, ImportRoot};
use crate::pipeline::BuildError;
use crate::pipeline::plan::Plan;
use crate::pipeline::plan::offers::OtherSelections;
use crate::report::Reporter;
use crate::settings::Settings;
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
        settings: &Settings,
        reporter: &dyn Reporter,
    ) -> Result<(), BuildError> {
        let projects = self.project_names();
        let found = handler::check(handler, roots, self.target.python, |origin| origin.is_own(&projects));
        let found = found.map_err(|error| self.in_project(error, settings))?;
        if let Some(uncertainty) = &found.uncertainty {
            reporter.warn(&format!("cannot check that {} defines the handler `{handler}`: {uncertainty}", found.path));
        }
        Ok(())
    }

    /// Adds the file of the project that has the missing module of a handler. What `uv init` makes is a package, and a module
    /// beside it is not in its wheel.
    fn in_project(&self, mut error: HandlerError, settings: &Settings) -> HandlerError {
        if let HandlerError::NoModule { handler, omitted, is_file, excluded_by, .. } = &mut error {
            let workspace = &self.project.workspace;
            let directory = workspace.directory(workspace.current());
            let module = handler.module().replace('.', "/");
            let exists = [format!("{module}.py"), format!("{module}/__init__.py")]
                .iter()
                .any(|path| directory.join(path).is_file());
            let top_level = module.split('/').next().unwrap_or_default();
            let package = directory.join(top_level).is_dir().then(|| top_level.to_owned());
            let others = OtherSelections { project: self.project, settings, target: &self.target };
            let name = workspace.current().pyproject.name.as_ref();
            let name = name.filter(|name| !self.selected.iter().any(|selected| selected.name == **name));
            *excluded_by = name.and_then(|name| others.excluding_flag(name));
            *is_file = directory.join(handler.to_string()).is_file();
            *omitted = exists.then(|| package.unwrap_or_else(|| format!("{top_level}.py")));
        }
        error
    }

    /// Checks a handler whose module is in the application's own files, or can be nowhere else.
    ///
    /// # Errors
    /// It is not there.
    pub(crate) fn check_planned_handler(
        &self,
        handler: &Handler,
        settings: &Settings,
        reporter: &dyn Reporter,
    ) -> Result<(), BuildError> {
        let mut tree = FileTree::default();
        for (path, entry) in &self.application.files {
            tree.insert(path.clone(), entry.clone())?;
        }
        let module = handler.module();
        let top_level = module.split('.').next().unwrap_or_default();
        let files = [format!("{top_level}.py"), format!("{top_level}/__init__.py")];
        let is_own = self.application.files.iter().any(|(path, _)| files.iter().any(|file| file == path.as_str()));
        if is_own || self.installed().next().is_none() {
            self.check_handler(
                handler,
                &[ImportRoot { tree: &tree, site_packages: "", suffixes: &self.target.extension_suffixes() }],
                settings,
                reporter,
            )?;
        }
        Ok(())
    }
}
