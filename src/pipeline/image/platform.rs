//! The image for one platform.

use std::collections::BTreeSet;
use std::path::Path;

use crate::audit::handler::Root;
use crate::audit::libraries::{System, SystemKind};
use crate::cache::Cache;
use crate::image::config::ConfigOverrides;
use crate::image::{Base, BasePython, Layer, OciImage, manifest, users};
use crate::pipeline::BuildError;
use crate::pipeline::audits::{self, Audited, Deployment};
use crate::pipeline::image::base::Bases;
use crate::pipeline::image::base_files::Ground;
use crate::pipeline::image::command;
use crate::pipeline::image::command_check::Start;
use crate::pipeline::image::layering::Stack;
use crate::pipeline::image::layers::{self, BuiltLayer, Installed, LayerPlan, Own};
use crate::pipeline::install;
use crate::pipeline::install::Adapter;
use crate::pipeline::install::bytecode::{self, Bytecode};
use crate::pipeline::plan::Plan;
use crate::pipeline::wheels::Obtained;
use crate::platform::{Glibc, ImageTarget, LambdaProfile};
use crate::report::{AuditReport, BytecodeReport, Reporter, TrimReport};
use crate::settings::ImageSettings;
use crate::tree::{FileAccess, FileTree, TreeEntry, TreePath};

/// What the image for one platform is made of.
pub struct Parts<'a> {
    /// What the user wants.
    pub settings: &'a ImageSettings,
    /// The profile.
    pub target: &'a ImageTarget,
    /// The base.
    pub base: &'a Base,
    /// What finds out more about the base.
    pub bases: &'a Bases<'a>,
    /// The base's interpreter; an empty base has none.
    pub python: Option<&'a BasePython>,
    /// The plan.
    pub plan: &'a Plan<'a>,
    /// The wheels.
    pub wheels: &'a Obtained,
    /// A folder for layers.
    pub folder: &'a Path,
}

/// An image for one platform, and how it came about.
pub struct PlatformImage {
    /// The image.
    pub image: OciImage,
    /// What pybundle laid over the base, the lowest first.
    pub layers: Vec<BuiltLayer>,
    /// How a container starts.
    pub configuration: ConfigOverrides,
    /// The number of bytes that were laid over the base, uncompressed.
    pub uncompressed_size: u64,
    /// The number of bytes of each distribution, uncompressed, in the order of the dependencies, then of local projects.
    pub distribution_sizes: Vec<u64>,
    /// What was left out of the distributions.
    pub trim: TrimReport,
    /// The bytecode, if it was wanted.
    pub bytecode: Option<BytecodeReport>,
    /// What the audits found.
    pub audit: AuditReport,
}

impl Parts<'_> {
    /// Makes the image.
    ///
    /// # Errors
    /// Two distributions want one path, the handler is missing, the image is too large, or a file cannot be read.
    pub fn image(&self, cache: &Cache, reporter: &dyn Reporter) -> Result<PlatformImage, BuildError> {
        let target = self.target;
        let settings = &self.settings.common;
        let bytecode = Bytecode::find(settings, target.python, true, cache)?;
        let contents = Adapter { settings: &settings.contents, cache, bytecode: &bytecode }.adapt(self.wheels)?;
        let fetched = install::install_all(&contents.dependencies, &target.scheme, &target.interpreter)?;
        let built = install::install_all(&contents.projects, &target.scheme, &target.interpreter)?;
        let compiled = bytecode.of_application(&self.plan.application.files)?;
        let ground = Ground::new(self.bases, self.base);
        let application = self.application(self.plan, &compiled, &ground)?;
        let users = self.users(&ground)?;
        let environment = self.environment()?;
        let lowest = || users.iter().chain(&environment);
        let mut tree = FileTree::new();
        for (path, entry) in fetched.iter().chain(&built).chain([&application.files]).flatten() {
            tree.insert(path.clone(), entry.clone())?;
        }
        layers::insert_folders(&mut tree, &application.folders)?;
        let (size, taken) = (tree.size(), lowest().flat_map(LayerPlan::places));
        taken.into_iter().try_for_each(|(path, entry)| tree.insert(path, entry))?;
        let audit = self.audit(&tree, cache, reporter)?;
        if !settings.audit.skip {
            let (settings, base) = (self.settings, self.base);
            Start { settings, target, base, ground: &ground, tree: &tree }.check(reporter)?;
        }
        self.check_size(size)?;

        let stack = Stack {
            target,
            contents: &contents,
            fetched: &fetched,
            built: &built,
            budget: self.settings.layers,
            base_layers: self.base.layers.len(),
        };
        let own = |plan: &Plan| match std::ptr::eq(plan, self.plan) {
            true => Ok(application.clone()),
            false => self.application(plan, &bytecode.of_application(&plan.application.files)?, &ground),
        };
        let recipes = stack.recipes(self.plan, users.into_iter().chain(environment).collect(), &own)?;
        let layers = layers::make(recipes, self.settings.compression, cache, self.folder, reporter)?;
        let configuration = command::configuration(self.settings, target, self.base, self.plan, &self.wheels.projects)?;
        let laid: Vec<(Layer, String)> = layers.iter().map(|made| (made.layer.clone(), made.holds.clone())).collect();
        let architecture = self.plan.target.architecture;
        let image = manifest::image(self.base, laid, &configuration, &self.settings.annotations)?;
        debug_assert_eq!(image.architecture, architecture);
        let size_of = |files: &Installed| files.iter().map(|(_, entry)| entry.content.size()).sum();
        let distribution_sizes = fetched.iter().chain(&built).map(size_of).collect();
        Ok(PlatformImage {
            image,
            layers,
            configuration,
            uncompressed_size: size,
            distribution_sizes,
            trim: contents.trimmed(),
            bytecode: bytecode.report(&contents, &compiled),
            audit,
        })
    }

    /// Returns what a plan's application lays over the base, its bytecode among it, at its places.
    fn application(&self, plan: &Plan, compiled: &Installed, ground: &Ground) -> Result<Own, BuildError> {
        let application = &plan.application;
        let place = |(path, entry): &(TreePath, TreeEntry)| {
            Ok((TreePath::below(&self.target.application, path.as_str())?, entry.clone()))
        };
        let files = bytecode::beside(&application.files, compiled).map(place);
        let place = |(path, access): &(String, FileAccess)| match path.as_str() {
            "" => Ok((TreePath::new(&self.target.application)?, *access)),
            path => Ok((TreePath::below(&self.target.application, path)?, *access)),
        };
        let mut own = ground.put(&application.placed_files, &application.placed_folders)?;
        own.files.extend(files.collect::<Result<Vec<_>, BuildError>>()?);
        own.folders.extend(application.folders.iter().map(place).collect::<Result<Vec<_>, BuildError>>()?);
        Ok(own)
    }

    /// Returns the layer of the users that are added, if any is.
    fn users(&self, ground: &Ground) -> Result<Option<LayerPlan>, BuildError> {
        let users = &self.settings.container.users;
        if users.is_empty() {
            return Ok(None);
        }
        let tree = users::add(users, ground.files()?)?;
        let names: Vec<&str> = users.iter().map(|user| user.name.as_str()).collect();
        let holds = format!("{} {}", if names.len() > 1 { "the users" } else { "the user" }, names.join(", "));
        Ok((!tree.files.is_empty()).then(|| LayerPlan::of(holds, tree)))
    }

    /// Returns the layer of the virtual environment, if the image has one.
    fn environment(&self) -> Result<Option<LayerPlan>, BuildError> {
        match (&self.target.venv, self.python) {
            (Some(venv), Some(python)) => Ok(Some(layers::environment(venv, python)?)),
            _ => Ok(None),
        }
    }

    /// Refuses a handler that is not in the image, and what would not run otherwise.
    fn audit(&self, tree: &FileTree, cache: &Cache, reporter: &dyn Reporter) -> Result<AuditReport, BuildError> {
        let folders = command::search_path(self.settings, self.target);
        let roots: Vec<Root> = folders.iter().map(|site_packages| Root { tree, site_packages }).collect();
        let handler = command::handler(self.settings, self.target)?;
        if let Some(handler) = &handler {
            self.plan.check_handler(handler, &roots, reporter)?;
        }
        let runtime = LambdaProfile::all().find(|profile| handler.is_some() && profile.python == self.target.python);
        let deployment = Deployment {
            trees: &[(tree, "")],
            dependencies: (0, &self.target.scheme),
            projects: (0, &self.target.scheme),
            system: &|wanted| self.system(wanted),
        };
        let audited = Audited {
            plan: self.plan,
            settings: &self.settings.common,
            wheels: self.wheels,
            roots: &roots,
            started: &command::modules(self.settings, self.target, self.plan, &self.wheels.projects),
            brought: runtime.map_or(&[], |profile| &profile.runtime_distributions),
            deployment: &deployment,
            cache,
        };
        audits::audit(&audited, reporter)
    }

    /// Returns what compiled files find in the base.
    fn system(&self, wanted: &BTreeSet<&str>) -> Result<System, BuildError> {
        let target = &self.plan.target;
        let contents = self.bases.known_contents(self.base, wanted)?;
        let env = |name: &str| command::env(self.settings, self.target, self.base, name);
        let older = |glibc: &Glibc| *glibc < target.glibc;
        Ok(System {
            name: format!("the base of {target}"),
            kind: SystemKind::Image,
            architecture: target.architecture,
            glibc: contents.as_ref().and_then(|contents| contents.glibc).filter(older).unwrap_or(target.glibc),
            libstdcxx: contents.as_ref().and_then(|contents| contents.libstdcxx),
            libraries: contents.map(|contents| contents.libraries),
            library_path: env("LD_LIBRARY_PATH")?.unwrap_or_default().split(':').map(str::to_owned).collect(),
        })
    }

    /// Refuses an image that its target does not take. The base's uncompressed size is not known without reading it.
    fn check_size(&self, size: u64) -> Result<(), BuildError> {
        match self.target.uncompressed_limit {
            Some(limit) if size > limit && !self.settings.allow_oversize => {
                Err(BuildError::ImageTooLarge { profile: self.target.name.clone(), size, limit })
            }
            Some(_) | None => Ok(()),
        }
    }
}
