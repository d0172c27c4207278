//! A function before it is written: its files, which every audit has passed.

use super::closure;
use super::handler;
use super::installed::Installation;
use super::layers::{self, LayerProject};
use super::package::{package, schemes};
use super::project::LambdaProject;
use super::service;
use crate::audit::handler::{Handler, ImportRoot};
use crate::audit::imports::CommandModules;
use crate::audit::libraries::{SystemKind, TargetSystem};
use crate::cache::Cache;
use crate::closure::ClosureKey;
use crate::lambda::{DeploymentPackage, LAYER_ROOT, LIBRARY_PATH, PackageOutput, limits};
use crate::pipeline::audits::{self, Audited, Deployment};
use crate::pipeline::install::bytecode::{self, Bytecode};
use crate::pipeline::install::{InstalledDistribution, InstalledFiles, data};
use crate::pipeline::plan::indexes::Origins;
use crate::pipeline::plan::{LockedProject, Plan, missing_lock, prepare};
use crate::pipeline::remote_cache::{KnownClosures, RemoteCache};
use crate::pipeline::session::Session;
use crate::pipeline::{BuildError, ProjectCache, documents};
use crate::platform::LambdaProfile;
use crate::report::{ArtifactKind, AuditReport, Phase, Reporter, RunningPhase, Silent};
use crate::settings::LambdaSettings;
use crate::tree::FileTree;

/// The files of a function and its layers, and what they were made from.
pub(super) struct AssembledFunction<'a> {
    pub(super) function: &'a LambdaProject,
    pub(super) plan: &'a Plan<'a>,
    pub(super) handler: &'a Option<Handler>,
    /// What the package contains.
    pub(super) installed: &'a [InstalledDistribution<'a>],
    /// The same, followed by what the layers contain that are targets of their own.
    pub(super) distributions: &'a [InstalledDistribution<'a>],
    pub(super) package: &'a DeploymentPackage,
    /// The layers that are targets of their own, with their plans, their files and their sizes.
    pub(super) layers: &'a [LayerProject<'a>],
    pub(super) layer_plans: &'a [Plan<'a>],
    pub(super) layer_tree: &'a Option<FileTree>,
    pub(super) layer_sizes: &'a [(String, u64)],
    pub(super) outputs: &'a [(ArtifactKind, PackageOutput)],
    pub(super) bytecode: &'a Bytecode<'a>,
    /// The bytecode of the application.
    pub(super) compiled: &'a InstalledFiles,
    pub(super) audit: AuditReport,
    /// It notes what other machines can use.
    pub(super) cache: &'a Cache,
    pub(super) closure: ClosureKey,
    pub(super) known: &'a KnownClosures,
}

/// Assembles a function, and passes it to `finish`: what it is copied from exists until that returns. `outputs` are the files
/// that are going to be written, which are not part of the application. What `remote` knows is not fetched.
///
/// # Errors
/// Any stage fails, an audit finds an error, or that of `finish`.
pub(super) fn assemble<T>(
    settings: &LambdaSettings,
    projects: &ProjectCache,
    outputs: impl Fn(&LambdaSettings, &Plan) -> Result<Vec<(ArtifactKind, PackageOutput)>, BuildError>,
    remote: Option<&RemoteCache>,
    reporter: &dyn Reporter,
    finish: impl FnOnce(&AssembledFunction) -> Result<T, BuildError>,
) -> Result<T, BuildError> {
    let common = &settings.common;
    let selecting = RunningPhase::start(reporter, Phase::Select, 0);
    missing_lock::write(common, projects, reporter)?;
    let project = LockedProject::open(common, projects, reporter)?;
    let handler = handler(settings, &project)?;
    let prepared = prepare::run(common, projects, reporter)?;
    // The session owns the files that the artifact is copied from: it must live until the artifact is written.
    let session = Session::open(&common.cache)?;
    let (temporary, cache) = (session.temporary.path(), &session.cache);
    let origins = Origins::new(common, &project)?;
    let finder = origins.finder(cache, reporter);
    let function = LambdaProject::new(project, settings, &finder)?;
    let profile = &function.profile;
    let mut plan = function.plan(settings, &finder, (cache, Some(&origins.fetch)), reporter)?;
    plan.prepared = prepared;
    let layers = LayerProject::open_all(settings, &function, projects, cache)?;
    let layer_plans = layers.iter().map(|layer| layer.plan(cache, true)).collect::<Result<Vec<_>, _>>()?;
    layers::exclude(&mut plan, settings, &layer_plans)?;
    let outputs = outputs(settings, &plan)?;
    plan.exclude_outputs(outputs.iter().flat_map(|(_, output)| documents::paths(output.path())));
    selecting.finish();
    let bytecode = Bytecode::find(common, plan.target.python, false, cache)?;
    let bytecode = bytecode.imported_from_zip(function.profile.is_imported_from_zip);
    let closure = closure::key(settings, &function, &plan, &bytecode);
    let known = remote.map(|remote| closure::known(remote, (closure, &plan), &layers, &layer_plans, cache));
    let known = known.transpose()?.unwrap_or_default();
    let cache = &cache.sharing(&known.records);
    let installation = Installation { cache, known: &known.wheels, temporary, reporter };
    let mut distributions = installation.install(settings, &function, (&plan, &origins.fetch), &bytecode)?;
    let compiled = bytecode.of_application(&plan.application.files)?;
    let application = bytecode::beside(&plan.application.files, &compiled);
    let package = package(profile, &distributions, application, settings)?;
    let own = distributions.len();
    let named = layers::install(&layers, &layer_plans, &Installation { reporter: &Silent, ..installation })?;
    data::check_layers(&distributions, named.each(), &plan, cache)?;
    let layer_tree = named.tree()?;
    let layer_sizes = named.sizes();
    distributions.extend(named.distributions.into_iter().flatten());
    service::check_modules(profile, &distributions)?;
    // In the order of the runtime's search path.
    let of_package = package.trees().map(|(kind, tree)| match kind {
        ArtifactKind::Function => (tree, &*profile.root, &profile.function),
        ArtifactKind::Layer => (tree, LAYER_ROOT, &profile.layer),
    });
    let all = of_package.chain(layer_tree.iter().map(|tree| (tree, LAYER_ROOT, &profile.layer)));
    let suffixes = plan.target.extension_suffixes();
    let (trees, mut roots): (Vec<(&FileTree, &str)>, Vec<ImportRoot>) = all
        .map(|(tree, mount, scheme)| {
            let root = ImportRoot { tree, site_packages: &scheme.site_packages, suffixes: &suffixes };
            ((tree, mount), root)
        })
        .unzip();
    if profile.application != profile.function.site_packages {
        roots.push(ImportRoot { tree: trees[0].0, site_packages: &profile.application, suffixes: &suffixes });
    }
    if let Some(handler) = &handler {
        plan.check_handler(handler, &roots, common, reporter)?;
    }
    let unknown: Vec<String> = settings.unknown_layers().map(ToString::to_string).collect();
    if !unknown.is_empty() {
        reporter.warn(&format!(
            "the content of {} is not known: what is missing may be in it, and its size is not counted",
            unknown.join(", ")
        ));
    }
    let deployment = Deployment {
        trees: &trees,
        schemes: schemes(profile, settings),
        system: &|_| Ok(system(profile, &plan, unknown.is_empty())),
        base_has: &|_| Ok(Some(false)),
        has_executable: &|_| Ok(Some(false)),
    };
    let audited = Audited {
        plan: &plan,
        settings: common,
        distributions: &distributions,
        roots: &roots,
        started: &handler.iter().map(Handler::module).collect::<Vec<_>>(),
        command: &CommandModules::default(),
        application: if settings.is_layer { roots[0].site_packages } else { &profile.application },
        // Lambda's runtime starts in /var/task.
        working_directory: profile.is_lambda().then_some(""),
        provided: &profile.runtime_distributions,
        has_unknown_layers: !unknown.is_empty(),
        deployment: &deployment,
        cache,
    };
    let audit = audits::audit(&audited, Vec::new(), reporter)?;
    for InstalledDistribution { wheel, .. } in &distributions {
        wheel.check_obtained().map_err(BuildError::reading(wheel.location()))?;
    }
    if !settings.allow_oversize {
        let limits = (&*profile.service, profile.limits);
        let unused = limits::UnusedFlags {
            runtime: if settings.exclude_runtime { &[] } else { &profile.runtime_distributions },
            slim: common.contents.slim.is_empty(),
            strip: !common.contents.strip,
        };
        limits::check(&package, &layer_sizes, limits, unused)?;
    }
    finish(&AssembledFunction {
        function: &function,
        plan: &plan,
        handler: &handler,
        installed: &distributions[..own],
        distributions: &distributions,
        package: &package,
        layers: &layers,
        layer_plans: &layer_plans,
        layer_tree: &layer_tree,
        layer_sizes: &layer_sizes,
        outputs: &outputs,
        bytecode: &bytecode,
        compiled: &compiled,
        audit,
        cache,
        closure,
        known: &known,
    })
}

/// Returns the system libraries that a runtime provides; all of them are only known if all layers are.
fn system(profile: &LambdaProfile, plan: &Plan, knows_layers: bool) -> TargetSystem {
    let libraries = profile.runtime_libraries.as_ref().filter(|_| knows_layers);
    let libraries = libraries.map(|libraries| libraries.iter().cloned().collect());
    TargetSystem {
        name: plan.target.to_string(),
        kind: if profile.is_lambda() { SystemKind::Lambda } else { SystemKind::Service },
        architecture: plan.target.architecture,
        libc: plan.target.libc,
        suffixes: plan.target.extension_suffixes(),
        libstdcxx: profile.libstdcxx,
        libraries,
        library_path: LIBRARY_PATH.iter().filter(|_| profile.is_lambda()).map(|path| (*path).to_owned()).collect(),
    }
}
