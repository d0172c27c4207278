//! Audits the image of one platform: its handler or its command, and its files.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::command::{StartFinding, StartProblem};
use crate::audit::handler::ImportRoot;
use crate::audit::imports::{CommandModules, ModuleUse};
use crate::audit::libraries::{SystemKind, TargetSystem};
use crate::cache::Cache;
use crate::debian::DebianRelease;
use crate::hints::quoted;
use crate::image::config::user::UserSetting;
use crate::image::{Base, BasePython};
use crate::pipeline::BuildError;
use crate::pipeline::audits::{self, Audited, Deployment};
use crate::pipeline::image::base::Bases;
use crate::pipeline::image::command;
use crate::pipeline::image::command_check::CommandCheck;
use crate::pipeline::image::container_files::{ContainerFile, ContainerFiles};
use crate::pipeline::image::container_user::{ContainerUser, UserLookup};
use crate::pipeline::image::search_path;
use crate::pipeline::image::started::{self, StartedCommand};
use crate::pipeline::install::{InstallSchemes, InstalledDistribution};
use crate::pipeline::plan::Plan;
use crate::platform::{CLibrary, ImageTarget, LambdaProfile};
use crate::report::{AuditReport, Reporter};
use crate::settings::ImageSettings;
use crate::tree::FileAccess;

/// An image before its layers are built.
pub(super) struct ImageAudit<'a> {
    pub settings: &'a ImageSettings,
    pub target: &'a ImageTarget,
    pub bases: &'a Bases<'a>,
    pub base: &'a Base,
    pub plan: &'a Plan<'a>,
    pub distributions: &'a [InstalledDistribution<'a>],
    pub files: ContainerFiles<'a>,
    /// The base's interpreter, which the image's virtual environment leads to.
    pub python: Option<&'a BasePython>,
    pub schemes: InstallSchemes<'a>,
}

impl ImageAudit<'_> {
    /// Checks the handler or the command, and runs the audits.
    ///
    /// # Errors
    /// Something would fail when the container runs, or a file or the base cannot be read.
    pub(super) fn run(&self, cache: &Cache, reporter: &dyn Reporter) -> Result<AuditReport, BuildError> {
        let Self { settings, target, plan, distributions, .. } = *self;
        let tree = self.files.tree;
        let handler = command::handler(settings, target)?;
        if let Some(entrypoint) = command::dropped_entrypoint(settings, target, self.base) {
            reporter.warn(&format!(
                "the entrypoint of the base, `{entrypoint}`, is not used: to keep it, pass --entrypoint {}",
                quoted(&entrypoint)
            ));
        }
        if let Some((lost, value)) = command::lost_python_path(settings, target, self.base)? {
            reporter.warn(&format!(
                "`PYTHONPATH` replaces that of the base, `{lost}`: to keep it, pass --env {}",
                quoted(&format!("PYTHONPATH={value}:$PYTHONPATH"))
            ));
        }
        let command = if handler.is_some() { StartedCommand::default() } else { self.command()? };
        let directories = search_path::directories(settings, target, &command.search);
        let searched_later = if handler.is_some() {
            BTreeMap::new()
        } else {
            search_path::searched_later(settings, target, &directories, &command.search)
        };
        let suffixes = plan.target.extension_suffixes();
        let roots = directories.iter().map(|site_packages| ImportRoot { tree, site_packages, suffixes: &suffixes });
        let roots: Vec<ImportRoot> = roots.collect();
        if let Some(handler) = &handler {
            plan.check_handler(handler, &roots, &settings.common, reporter)?;
        }
        let runtime = LambdaProfile::all().find(|profile| handler.is_some() && profile.python == target.python);
        if let Some(warning) = runtime.and_then(LambdaProfile::unreleased) {
            reporter.warn(&warning);
        }
        let deployment = Deployment {
            trees: &[(tree, "")],
            schemes: self.schemes,
            system: &|wanted| self.system(wanted),
            base_has: &|path| self.base_has(path),
            has_executable: &|name| self.has_executable(name),
        };
        let application = target.application.trim_matches('/');
        let workdir = settings.container.workdir.as_ref().unwrap_or(&target.workdir).trim_matches('/');
        let mut started = command::modules(settings, target, plan, distributions);
        started.extend(command.modules.iter().map(|named| match named.usage {
            ModuleUse::Run => format!("{}.__main__", named.module),
            ModuleUse::Serve(_) => named.module.clone(),
        }));
        let audited = Audited {
            plan,
            settings: &settings.common,
            distributions,
            roots: &roots,
            started: &started,
            command: &CommandModules { named: command.modules, searched_later },
            application,
            working_directory: Some(workdir).filter(|workdir| *workdir == application),
            provided: runtime.map_or(&[], |profile| &profile.runtime_distributions),
            has_unknown_layers: false,
            deployment: &deployment,
            cache,
        };
        audits::audit(&audited, command.findings, reporter)
    }

    /// Reads the command, and finds out why what it names does not start, apart from modules.
    fn command(&self) -> Result<StartedCommand, BuildError> {
        let Self { settings, target, base, files, .. } = self;
        let container = &settings.container;
        if settings.common.audit.skip {
            return Ok(StartedCommand::default());
        }
        let arguments = command::arguments(settings, target, base, self.plan, self.distributions);
        let workdir = container.workdir.as_deref().unwrap_or(&target.workdir);
        let variable = |name: &str| command::env(settings, target, base, name).ok().flatten();
        let mut command = StartedCommand::read(&arguments, workdir, &variable, files, self.distributions, target)?;
        let user = container
            .user
            .as_ref()
            .map(UserSetting::as_str)
            .or(target.user.as_deref())
            .unwrap_or(&base.config.execution.user);
        let user = match ContainerUser::find(user, container, files.base_files)? {
            UserLookup::Found(user) => Some(user),
            UserLookup::Unknown => None,
            UserLookup::Missing(problem) => {
                command.findings.push(StartFinding { command: String::new(), problem, is_error: true });
                None
            }
        };
        if let (Some(user), Some(python)) = (&user, self.python) {
            let forbidden = user.forbidden(files, python.executable.trim_start_matches('/'), FileAccess::EXECUTABLE);
            command.findings.extend(forbidden.map(|(path, access)| {
                let problem = StartProblem::Forbidden { path, user: user.name.clone(), access };
                StartFinding { command: python.path.clone(), problem, is_error: true }
            }));
        }
        let check = CommandCheck { files, user: user.as_ref(), python: self.python, version: target.python };
        let directories = search_path::directories(settings, target, &command.search);
        check.extend_findings(&mut command, &directories)?;
        if let Some(health) = container.health_check.as_ref().map(|health| &health.command) {
            let arguments = started::health_arguments(health, settings, base);
            let mut health_check =
                StartedCommand::read(&arguments, workdir, &variable, files, self.distributions, target)?;
            let directories = search_path::directories(settings, target, &health_check.search);
            check.extend_findings(&mut health_check, &directories)?;
            command.extend_with_health_check(health_check, health.has_alternative());
        }
        Ok(command)
    }

    /// Returns whether the base has a file or a directory at a path; `None` if that is not known.
    fn base_has(&self, path: &str) -> Result<Option<bool>, BuildError> {
        Ok(match self.files.certain(&format!("/{path}"))? {
            ContainerFile::OfBase { .. } => Some(true),
            ContainerFile::Own(..) | ContainerFile::Directory | ContainerFile::Missing => Some(false),
            ContainerFile::Unknown => None,
        })
    }

    /// Returns whether an executable is on `PATH`; `None` if that is not known.
    fn has_executable(&self, name: &str) -> Result<Option<bool>, BuildError> {
        let mut is_known = true;
        for path in self.files.candidates(name, "/") {
            match self.files.certain(&path)? {
                ContainerFile::Own(..) | ContainerFile::OfBase { is_executable: true } => return Ok(Some(true)),
                ContainerFile::Unknown => is_known = false,
                ContainerFile::OfBase { .. } | ContainerFile::Directory | ContainerFile::Missing => {}
            }
        }
        Ok(is_known.then_some(false))
    }

    /// Returns the system libraries that the base provides.
    fn system(&self, wanted: &BTreeSet<&str>) -> Result<TargetSystem, BuildError> {
        let target = &self.plan.target;
        let contents = self.bases.known_contents(self.base, wanted)?;
        let glibc = contents.as_ref().and_then(|contents| contents.glibc);
        let libc = match (target.libc, glibc) {
            (CLibrary::Glibc(oldest), Some(glibc)) => CLibrary::Glibc(glibc.min(oldest)),
            (libc, _) => libc,
        };
        let os_release = contents.as_ref().and_then(|contents| contents.os_release.as_deref());
        let release = os_release.and_then(DebianRelease::of_os_release);
        let library_path = command::env(self.settings, self.target, self.base, "LD_LIBRARY_PATH")?;
        let library_path: Vec<String> = library_path.unwrap_or_default().split(':').map(str::to_owned).collect();
        let musl = contents.as_ref().and_then(|contents| contents.musl.as_ref());
        let directories = musl.map(|musl| [&library_path[..], &musl.directories[..]].concat());
        let kind = if directories.is_some() { SystemKind::MuslImage } else { SystemKind::Image(release) };
        let mut libraries = contents.as_ref().map(|contents| contents.libraries.clone());
        if let (Some(libraries), Some(directories)) = (&mut libraries, &directories)
            && let Some(files) = self.files.base_files.known_files()
        {
            let is_in = |directory: &String, library: &String| {
                let path = files.resolve(&format!("{directory}/{library}"), true);
                path.is_some_and(|path| files.contains(&path))
            };
            libraries.retain(|library| directories.iter().any(|directory| is_in(directory, library)));
        }
        Ok(TargetSystem {
            name: format!("the base of {target}"),
            kind,
            architecture: target.architecture,
            libc,
            suffixes: self.plan.target.extension_suffixes(),
            libstdcxx: contents.and_then(|contents| contents.libstdcxx),
            libraries,
            library_path,
        })
    }
}
