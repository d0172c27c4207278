//! The layers that a function runs with. Each is planned and installed as when it is built by itself, so that the function is
//! checked together with what the layers contain, whether or not their zips are there.

use super::installed::Installation;
use super::project::LambdaProject;
use crate::cache::Cache;
use crate::lambda::MOST_LAYERS;
use crate::lock::{SelectedDistribution, SelectedSource};
use crate::pipeline::error::layer::LayerError;
use crate::pipeline::install::InstalledDistribution;
use crate::pipeline::install::bytecode::Bytecode;
use crate::pipeline::notes::BuildSources;
use crate::pipeline::plan::indexes::Origins;
use crate::pipeline::plan::{ExcludedDistribution, LockedProject, Plan};
use crate::pipeline::{BuildError, ProjectCache};
use crate::report::Silent;
use crate::settings::{DocumentSettings, LambdaSettings};
use crate::tree::FileTree;

/// A layer of a function, which is a target of its own. Its own build warns of what there is to warn of.
pub(super) struct LayerProject<'a> {
    pub(super) settings: &'a LambdaSettings,
    pub(super) lambda: LambdaProject,
    origins: Origins,
}

impl<'a> LayerProject<'a> {
    /// Opens the layers of a function.
    ///
    /// # Errors
    /// There are too many, or one is built for another platform than the function, or cannot be read.
    pub(super) fn open_all(
        settings: &'a LambdaSettings,
        function: &LambdaProject,
        projects: &ProjectCache,
        cache: &Cache,
    ) -> Result<Vec<Self>, BuildError> {
        if settings.named_layers.len() > MOST_LAYERS {
            let names = settings.named_layers.iter().map(ToString::to_string).collect();
            return Err(LayerError::TooMany(names).into());
        }
        if settings.layer.is_some() && !settings.layers.is_empty() {
            return Err(LayerError::OwnLayer.into());
        }
        settings.layers.iter().map(|layer| Self::open(layer, (settings, function), projects, cache)).collect()
    }

    fn open(
        settings: &'a LambdaSettings,
        (of_function, function): (&LambdaSettings, &LambdaProject),
        projects: &ProjectCache,
        cache: &Cache,
    ) -> Result<Self, BuildError> {
        let project = LockedProject::open(&settings.common, projects, &Silent)?;
        let origins = Origins::new(&settings.common, &project)?;
        let lambda = LambdaProject::new(project, settings, &origins.finder(cache, &Silent))?;
        let platform = |lambda: &LambdaProject, settings: &LambdaSettings| {
            let LambdaProject { profile, reason, .. } = lambda;
            (format!("{} on {}", profile.name, settings.architecture), reason.clone())
        };
        let ((built, because), (expected, reason)) = (platform(&lambda, settings), platform(function, of_function));
        if built != expected {
            let (function, built) = (format!("{expected} ({reason})"), format!("{built} ({because})"));
            return Err(LayerError::OtherPlatform { layer: settings.name().to_owned(), function, built }.into());
        }
        Ok(Self { settings, lambda, origins })
    }

    /// Plans the layer, which may fetch the metadata of wheels.
    ///
    /// # Errors
    /// See [`Plan::new`], or the layer is empty.
    pub(super) fn plan(&self, cache: &Cache, may_fetch: bool) -> Result<Plan<'_>, BuildError> {
        let finder = self.origins.finder(cache, &Silent);
        let fetch = may_fetch.then_some(&self.origins.fetch);
        let plan = self.lambda.plan(self.settings, &finder, (cache, fetch), &Silent)?;
        if plan.installed().next().is_none() {
            return Err(LayerError::Empty { layer: self.settings.name().to_owned() }.into());
        }
        Ok(plan)
    }

    /// Returns what the layer is made from; see [`BuildSources::of`].
    pub(super) fn sources<'d>(
        &self,
        plan: &Plan,
        documents: &DocumentSettings,
        installed: impl Iterator<Item = &'d InstalledDistribution<'d>>,
    ) -> Option<BuildSources> {
        let plans = (std::slice::from_ref(plan), self.lambda.reason.as_str());
        BuildSources::of(&self.settings.common, documents, &self.lambda.project, plans, installed, false)
    }
}

/// Excludes from a function what its layers contain.
///
/// # Errors
/// A layer contains another version of a distribution than the function needs, or than another layer.
pub(super) fn exclude(plan: &mut Plan, settings: &LambdaSettings, layers: &[Plan]) -> Result<(), BuildError> {
    if layers.is_empty() {
        return Ok(());
    }
    let named = || settings.layers.iter().map(LambdaSettings::name).zip(layers);
    for (at, (first, layer)) in named().enumerate() {
        for selected in layer.installed() {
            let mut others = named().skip(at + 1).filter_map(|(second, other)| Some((second, find(other, selected)?)));
            if let Some((second, other)) = others.find(|(_, other)| !is_same(selected, other)) {
                let (first, second) = (first.to_owned(), second.to_owned());
                let (name, versions) = (selected.name.clone(), different(selected, other).join(" and "));
                return Err(LayerError::Differing { first, second, name, versions }.into());
            }
        }
    }
    let mut kept = Vec::new();
    for selected in std::mem::take(&mut plan.selected) {
        let is_installed = !matches!(selected.source, SelectedSource::Virtual(_));
        let contained = named().find_map(|(layer, plan)| Some((layer, find(plan, &selected)?)));
        let Some((layer, contained)) = contained.filter(|_| is_installed) else {
            kept.push(selected);
            continue;
        };
        let layer = layer.to_owned();
        if !is_same(&selected, contained) {
            let [function, contained] = different(&selected, contained);
            return Err(LayerError::OtherVersion { layer, name: selected.name, function, contained }.into());
        }
        plan.excluded.push(ExcludedDistribution {
            name: selected.name.clone(),
            version: selected.version.clone(),
            reason: format!("contained in layer `{layer}`"),
            layer: Some(layer),
        });
        plan.in_layers.push(selected);
    }
    plan.selected = kept;
    Ok(())
}

fn find<'a>(layer: &'a Plan, selected: &SelectedDistribution) -> Option<&'a SelectedDistribution> {
    SelectedDistribution::find(&layer.selected, &selected.name)
        .filter(|found| !matches!(found.source, SelectedSource::Virtual(_)))
}

/// Returns whether the same is installed of two distributions.
fn is_same(left: &SelectedDistribution, right: &SelectedDistribution) -> bool {
    left.version == right.version
        && match (&left.source, &right.source) {
            (SelectedSource::Wheel(left, _), SelectedSource::Wheel(right, _)) => {
                left.filename == right.filename && left.digests == right.digests
            }
            (left, right) => format!("{left:?}") == format!("{right:?}"),
        }
}

/// Returns how two distributions differ: by their versions, or else by their files.
fn different(left: &SelectedDistribution, right: &SelectedDistribution) -> [String; 2] {
    let version = |selected: &SelectedDistribution| selected.version.as_ref().map(ToString::to_string);
    let by_version = version(left) != version(right);
    [left, right].map(|selected| match (&selected.source, version(selected)) {
        (_, Some(version)) if by_version => version,
        (SelectedSource::Wheel(wheel, _), _) => wheel.filename.to_string(),
        (SelectedSource::Directory(directory) | SelectedSource::Virtual(directory), _) => {
            format!("that in {}", directory.display())
        }
        (SelectedSource::Git(repository), _) => format!("commit {}", repository.commit),
        (SelectedSource::Sdist(sdist), _) => sdist.file.filename.to_string(),
    })
}

/// The layers of a function as they are installed.
pub(super) struct InstalledLayers<'a> {
    names: Vec<&'a str>,
    /// Those of each layer.
    pub(super) distributions: Vec<Vec<InstalledDistribution<'a>>>,
}

/// Installs the layers.
///
/// # Errors
/// See [`Installation::install`].
pub(super) fn install<'a>(
    layers: &'a [LayerProject<'a>],
    plans: &'a [Plan<'a>],
    installation: &Installation,
) -> Result<InstalledLayers<'a>, BuildError> {
    let mut installed = InstalledLayers { names: Vec::new(), distributions: Vec::new() };
    for (LayerProject { settings, lambda, origins }, plan) in layers.iter().zip(plans) {
        let bytecode = Bytecode::find(&settings.common, plan.target.python, false, installation.cache)?;
        let distributions = installation.install(settings, lambda, (plan, &origins.fetch), &bytecode)?;
        installed.names.push(settings.name());
        installed.distributions.push(distributions);
    }
    Ok(installed)
}

impl InstalledLayers<'_> {
    /// Returns each layer by its name.
    pub(super) fn each(&self) -> impl Iterator<Item = (&str, &[InstalledDistribution<'_>])> {
        self.names.iter().copied().zip(self.distributions.iter().map(Vec::as_slice))
    }

    /// Returns the files of all layers, as Lambda extracts one after the other: of two with one path, the later one stays.
    ///
    /// # Errors
    /// A file of one layer is a directory of another.
    pub(super) fn tree(&self) -> Result<Option<FileTree>, BuildError> {
        if self.distributions.is_empty() {
            return Ok(None);
        }
        let mut tree = FileTree::new();
        for layer in self.distributions.iter().rev() {
            let files = layer.iter().flat_map(|distribution| &distribution.files);
            for (path, entry) in files.filter(|(path, _)| tree.get(path.as_str()).is_none()).collect::<Vec<_>>() {
                tree.insert(path.clone(), entry.clone())?;
            }
        }
        Ok(Some(tree))
    }

    /// Returns the name and the size of each layer, uncompressed and in bytes.
    pub(super) fn sizes(&self) -> Vec<(String, u64)> {
        let sizes = self.distributions.iter().map(|layer| layer.iter().map(InstalledDistribution::size).sum());
        self.names.iter().map(|name| (*name).to_owned()).zip(sizes).collect()
    }
}
