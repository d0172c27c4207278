//! The distributions of a function or a layer, obtained and installed.

use std::path::Path;

use super::package::schemes;
use super::project::LambdaProject;
use crate::cache::Cache;
use crate::fetch::DownloadOptions;
use crate::pipeline::BuildError;
use crate::pipeline::install::bytecode::Bytecode;
use crate::pipeline::install::{InstalledDistribution, Installer};
use crate::pipeline::plan::Plan;
use crate::pipeline::wheels::known::KnownWheels;
use crate::pipeline::wheels::{self, completeness};
use crate::report::{Reporter, RunningPhase};
use crate::settings::LambdaSettings;

/// What installing needs, whatever is installed.
#[derive(Clone, Copy)]
pub(super) struct Installation<'a> {
    pub(super) cache: &'a Cache,
    /// Their files are obtained when they are first needed.
    pub(super) known: &'a KnownWheels,
    /// A temporary directory, which the installed files may be in.
    pub(super) temporary: &'a Path,
    pub(super) reporter: &'a dyn Reporter,
}

impl Installation<'_> {
    /// Obtains the wheels of a plan and installs them.
    ///
    /// # Errors
    /// A wheel cannot be fetched, built or read, or requires what is not pinned.
    pub(super) fn install<'p>(
        &self,
        settings: &LambdaSettings,
        lambda: &'p LambdaProject,
        (plan, fetch): (&'p Plan, &DownloadOptions),
        bytecode: &Bytecode,
    ) -> Result<Vec<InstalledDistribution<'p>>, BuildError> {
        let Self { cache, known, temporary, reporter } = *self;
        let (common, plans) = (&settings.common, std::slice::from_ref(plan));
        let (project, found) = (&lambda.project, (cache, known));
        let mut obtained = wheels::obtain(common, project, fetch, plans, found, temporary, reporter)?;
        let wheels = obtained.pop().ok_or(BuildError::Empty)?;
        completeness::check(plan, &wheels, common, reporter)?;
        let (schemes, interpreter) = (schemes(&lambda.profile, settings), &lambda.profile.interpreter);
        let installer = Installer {
            settings: &common.contents,
            schemes,
            interpreter,
            cache,
            bytecode: &bytecode.in_cache(cache),
            runs_scripts: false,
        };
        let installing = RunningPhase::start(reporter, bytecode.phase(), wheels.len() as u64);
        let distributions = installer.install(wheels, plan, reporter)?;
        installing.finish();
        Ok(distributions)
    }
}
