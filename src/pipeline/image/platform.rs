//! The image for one platform.

use std::path::PathBuf;

use crate::cache::{Cache, SharedRecords};
use crate::closure::ClosureKey;
use crate::image::config::ConfigOverrides;
use crate::image::{Layer, OciImage, manifest, users};
use crate::pipeline::BuildError;
use crate::pipeline::audits::budget;
use crate::pipeline::image::base::Bases;
use crate::pipeline::image::base_files::BaseFiles;
use crate::pipeline::image::chosen::ChosenPlatform;
use crate::pipeline::image::command;
use crate::pipeline::image::container_files::ContainerFiles;
use crate::pipeline::image::image_audit::ImageAudit;
use crate::pipeline::image::layer_build::{self, BuiltLayer};
use crate::pipeline::image::layering::LayerOrder;
use crate::pipeline::image::layers::{self, ApplicationFiles, LayerPlan};
use crate::pipeline::install::bytecode::{self, Bytecode};
use crate::pipeline::install::{InstallSchemes, InstalledDistribution, InstalledFiles, Installer};
use crate::pipeline::plan::Plan;
use crate::pipeline::remote_cache::BuiltClosure;
use crate::pipeline::wheels::SelectedWheel;
use crate::platform::ImageTarget;
use crate::report::{AuditReport, BytecodeReport, Reporter, RunningPhase};
use crate::settings::ImageSettings;
use crate::tree::{FileTree, TreePath};

/// Builds the image for one platform.
pub(super) struct PlatformBuilder<'a> {
    pub settings: &'a ImageSettings,
    pub target: &'a ImageTarget,
    pub platform: &'a ChosenPlatform,
    pub bases: &'a Bases<'a>,
    pub plan: &'a Plan<'a>,
    pub closure: ClosureKey,
    pub bytecode: &'a Bytecode<'a>,
    pub directory: PathBuf,
}

/// The image for one platform, and what it is made of.
pub(crate) struct PlatformBuild<'a> {
    pub platform: &'a ChosenPlatform,
    pub plan: &'a Plan<'a>,
    pub distributions: Vec<InstalledDistribution<'a>>,
    pub image: OciImage,
    /// The layers above the base's, lowest first.
    pub layers: Vec<BuiltLayer>,
    pub configuration: ConfigOverrides,
    /// The size of the files above the base, uncompressed and in bytes.
    pub uncompressed_size: u64,
    /// The bytecode; `None` if it was not requested.
    pub bytecode: Option<BytecodeReport>,
    pub audit: AuditReport,
    pub closure: ClosureKey,
    /// What was found out about the distributions, for other machines.
    pub records: SharedRecords,
}

impl PlatformBuild<'_> {
    /// Returns the closure, for other machines.
    pub(super) fn built_closure(&self) -> BuiltClosure<'_> {
        BuiltClosure {
            key: self.closure,
            python: self.plan.target.python,
            distributions: &self.distributions,
            records: self.records.clone(),
            layers: &self.image.layers,
            layers_of_wheels: self.layers.iter().filter_map(BuiltLayer::of_wheels).collect(),
            starts: None,
        }
    }
}

impl<'a> PlatformBuilder<'a> {
    /// Builds the image of the wheels of the plan.
    ///
    /// # Errors
    /// Two distributions have a file with the same path, the handler is missing, the image is too large, or a file cannot
    /// be read.
    pub(super) fn build(
        &self,
        wheels: Vec<SelectedWheel<'a>>,
        cache: &Cache,
        reporter: &dyn Reporter,
    ) -> Result<PlatformBuild<'a>, BuildError> {
        let Self { target, plan, platform, .. } = self;
        let bytecode = self.bytecode.in_cache(cache);
        let settings = &self.settings.common;
        let schemes = self.schemes();
        let interpreter = &target.interpreter;
        let installer = Installer {
            settings: &settings.contents,
            schemes,
            interpreter,
            cache,
            bytecode: &bytecode,
            runs_scripts: true,
        };
        let installing = RunningPhase::start(reporter, bytecode.phase(), wheels.len() as u64);
        let distributions = installer.install(wheels, plan, reporter)?;
        let compiled = bytecode.of_application(&plan.application.files)?;
        let standard_library = self.standard_library(&bytecode)?;
        installing.finish();
        let base_files = BaseFiles::new(self.bases, &platform.base);
        let application = self.application(plan, &compiled, &base_files)?;
        let users = self.users(&base_files)?;
        let environment = self.environment()?;
        let mut tree = FileTree::new();
        let installed = distributions.iter().map(|distribution| &distribution.files);
        for (path, entry) in installed.chain([&application.files]).flatten() {
            tree.insert(path.clone(), entry.clone())?;
        }
        layers::insert_directories(&mut tree, &application.directories)?;
        let library_size: u64 = standard_library.iter().map(|(_, entry)| entry.content.size()).sum();
        let size = tree.size() + library_size + platform.packages.as_ref().map_or(0, |packages| packages.size);
        for (path, entry) in users.iter().chain(&environment).flat_map(LayerPlan::entries) {
            tree.insert(path, entry)?;
        }
        let links = environment.iter().flat_map(|environment| environment.tree.links.keys().cloned()).collect();
        let (settings, bases, base) = (self.settings, self.bases, &platform.base);
        let files = ContainerFiles::new(&base_files, &tree, links, command::env(settings, target, base, "PATH")?);
        let schemes = self.schemes();
        let python = platform.python.as_ref().filter(|_| target.venv.is_some());
        let audit =
            ImageAudit { settings, target, bases, base, plan, distributions: &distributions, files, python, schemes };
        let audit = audit.run(cache, reporter)?;
        for InstalledDistribution { wheel, .. } in &distributions {
            wheel.check_obtained().map_err(BuildError::reading(wheel.location()))?;
        }
        self.check_size(size)?;

        let order = LayerOrder {
            target,
            distributions: &distributions,
            budget: self.settings.layers,
            base_layers: platform.base.all_layers().count(),
        };
        let compiled_library = layers::standard_library(&standard_library)?;
        let lowest = compiled_library.into_iter().chain(users).chain(environment).collect();
        let layers = order.layers(plan, lowest, &|stage| {
            if std::ptr::eq(stage, *plan) {
                Ok(application.clone())
            } else {
                self.application(stage, &bytecode.of_application(&stage.application.files)?, &base_files)
            }
        })?;
        let layers = layer_build::build(layers, self.settings.compression, cache, &self.directory, reporter)?;
        let configuration = command::configuration(self.settings, target, &platform.base, plan, &distributions)?;
        let added: Vec<(Layer, String)> =
            layers.iter().map(|built| (built.layer.clone(), built.holds.clone())).collect();
        let mut annotations = self.settings.annotations.clone();
        annotations.entry(manifest::CLOSURE.to_owned()).or_insert_with(|| self.closure.to_string());
        let image = manifest::image(&platform.base, added, &configuration, &annotations)?;
        let stored = image.layers.iter().map(|layer| layer.blob.size).sum();
        budget::check(self.settings.common.audit.max_size.as_ref(), stored, &distributions)?;
        debug_assert_eq!(image.architecture, plan.target.architecture);
        Ok(PlatformBuild {
            platform,
            plan,
            image,
            layers,
            configuration,
            uncompressed_size: size,
            bytecode: bytecode.report(&distributions, &[compiled, standard_library].concat()),
            distributions,
            audit,
            closure: self.closure,
            records: cache.noted(),
        })
    }

    /// Returns the application's files of a plan, including its bytecode, with their paths in the image.
    fn application(
        &self,
        plan: &Plan,
        compiled: &InstalledFiles,
        base_files: &BaseFiles,
    ) -> Result<ApplicationFiles, BuildError> {
        let application = &plan.application;
        let mut own = base_files.put(&application.placed_files, &application.placed_directories)?;
        for (path, entry) in bytecode::beside(&application.files, compiled) {
            own.files.push((TreePath::below(&self.target.application, path.as_str())?, entry.clone()));
        }
        for (path, access) in &application.directories {
            let path = match path.as_str() {
                "" => TreePath::new(&self.target.application)?,
                path => TreePath::below(&self.target.application, path)?,
            };
            own.directories.push((path, *access));
        }
        Ok(own)
    }

    /// Returns the bytecode of the standard library, with its paths in the image, if packages contain the interpreter: their
    /// maintainer scripts would compile it.
    fn standard_library(&self, bytecode: &Bytecode) -> Result<InstalledFiles, BuildError> {
        let (Some(python), Some(packages)) = (&self.platform.python, &self.platform.packages) else {
            return Ok(Vec::new());
        };
        let prefix = python.home().trim_start_matches('/').trim_end_matches("/bin");
        let directory = format!("{prefix}/lib/python{}", python.version);
        let compiled = bytecode.of_standard_library(&packages.standard_library(&directory)?)?;
        let placed = compiled.into_iter();
        placed.map(|(path, entry)| Ok((TreePath::below(&directory, path.as_str())?, entry))).collect()
    }

    /// Returns how distributions are laid out: dependencies and local projects alike.
    fn schemes(&self) -> InstallSchemes<'a> {
        InstallSchemes { dependencies: &self.target.scheme, projects: &self.target.scheme }
    }

    /// Returns the layer of added users, if there are any.
    fn users(&self, base_files: &BaseFiles) -> Result<Option<LayerPlan>, BuildError> {
        let users = &self.settings.container.users;
        if users.is_empty() {
            return Ok(None);
        }
        let tree = users::add(users, base_files.files()?)?;
        let names: Vec<&str> = users.iter().map(|user| user.name.as_str()).collect();
        let holds = format!("{} {}", if names.len() > 1 { "the users" } else { "the user" }, names.join(", "));
        Ok((!tree.files.is_empty()).then(|| LayerPlan::of(holds, tree)))
    }

    /// Returns the layer of the virtual environment, if the image has one.
    fn environment(&self) -> Result<Option<LayerPlan>, BuildError> {
        match (&self.target.venv, &self.platform.python) {
            (Some(venv), Some(python)) => Ok(Some(layers::environment(venv, python)?)),
            _ => Ok(None),
        }
    }

    /// Refuses an image that is larger than its target allows. The base's uncompressed size is not known without
    /// reading its layers, so it does not count.
    fn check_size(&self, size: u64) -> Result<(), BuildError> {
        match self.target.uncompressed_limit {
            Some(limit) if size > limit && !self.settings.allow_oversize => {
                Err(BuildError::ImageTooLarge { profile: self.target.name.clone(), size, limit })
            }
            Some(_) | None => Ok(()),
        }
    }
}
