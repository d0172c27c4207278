//! The indexes of a project: from flags, the environment, requirements files and pyproject.toml, in this order, as in
//! uv.

use std::path::Path;

use crate::builder;
use crate::cache::Cache;
use crate::fetch::{self, DownloadOptions, IndexCredentials, KeyringProvider};
use crate::index::{Cutoff, FileFinder, IndexConfig, IndexOptions, IndexStrategy, location};
use crate::lock::requirements::{self, FindLinks};
use crate::lock::{DistributionSet, ExclusionStatement, FormatControl};
use crate::pipeline::BuildError;
use crate::pipeline::plan::LockedProject;
use crate::project::uv_options::UvOptions;
use crate::report::Reporter;
use crate::settings::{FetchSettings, IndexVariables, Settings};
use crate::silence::SilenceLimits;

pub(crate) struct Origins {
    /// Includes the credentials of every index that is known.
    pub fetch: DownloadOptions,
    indexes: IndexOptions,
}

impl Origins {
    /// Collects the indexes from all sources.
    ///
    /// # Errors
    /// A value is not valid.
    pub(crate) fn new(settings: &Settings, project: &LockedProject) -> Result<Self, BuildError> {
        let indexes = options(settings, project)?;
        Ok(Self { fetch: fetch_options(settings, project, &indexes)?, indexes })
    }

    /// Returns the finder of files whose URLs are not in the lock.
    pub(crate) fn finder<'a>(&'a self, cache: &'a Cache, reporter: &'a dyn Reporter) -> FileFinder<'a> {
        FileFinder::new(self.indexes.clone(), &self.fetch, cache, reporter)
    }
}

fn fetch_options(
    settings: &Settings,
    project: &LockedProject,
    indexes: &IndexOptions,
) -> Result<DownloadOptions, BuildError> {
    let known =
        indexes.indexes.iter().map(|index| fetch::IndexUrl { name: index.name.clone(), url: index.url.clone() });
    let links = indexes.find_links.iter().map(|url| fetch::IndexUrl { name: None, url: url.clone() });
    let (environment, sources) = (&settings.environment, &settings.environment.index_credentials);
    let known = known.chain(links).collect::<Vec<_>>();
    let credentials = IndexCredentials::new(sources.variables.pairs(), sources.netrc.as_deref(), known);
    let credentials = match &sources.poetry_auth {
        Some(path) => credentials.with_poetry(path),
        None => credentials,
    };
    let credentials = match &sources.uv_store {
        Some(path) => credentials.with_uv(path),
        None => credentials,
    };
    let keyring = settings.fetch.keyring_provider.as_deref().or(environment.indexes.keyring_provider());
    let keyring = keyring.or(project.uv.keyring_provider.as_deref()).map(str::parse).transpose()?;
    let credentials = match keyring.unwrap_or_default() {
        KeyringProvider::Subprocess => credentials.with_keyring(environment.search_path.clone().unwrap_or_default()),
        KeyringProvider::Disabled => credentials,
    };
    let connections = project.connections.clone();
    Ok(DownloadOptions {
        offline: settings.fetch.offline,
        silence: SilenceLimits::of_index(environment.network_timeout),
        credentials,
        connections,
        ..DownloadOptions::default()
    })
}

fn options(settings: &Settings, project: &LockedProject) -> Result<IndexOptions, BuildError> {
    let uv = &project.uv;
    let mut options = IndexOptions::default();
    add_flags(&mut options, &settings.fetch);
    add_variables(&mut options, &settings.environment.indexes)?;
    if let Some(requirements) = project.lock.requirements() {
        add_requirements(&mut options, &requirements.options)?;
    }
    for source in project.lock.sources() {
        // The lock says which distributions come from those that do not replace PyPI.
        let (default, explicit) = (source.is_default, !source.is_default);
        let index = IndexConfig::new(source.name.clone(), source.url.clone());
        options.indexes.push(IndexConfig { default, explicit, ..index });
    }
    for declared in project.indexes() {
        let index = IndexConfig::new(declared.name, declared.url);
        options.indexes.push(IndexConfig { explicit: declared.explicit, default: declared.default, ..index });
    }
    add_uv(&mut options, uv, &project.workspace.root)?;
    let environment = &settings.environment;
    let strategy = environment.indexes.strategy().or(uv.index_strategy.as_deref());
    options.strategy = match (settings.fetch.strategy, strategy) {
        (Some(strategy), _) => strategy,
        (None, Some(text)) => text.parse()?,
        (None, None) => IndexStrategy::default(),
    };
    let newest = settings.fetch.exclude_newer.as_deref().or(environment.indexes.exclude_newer());
    let newest = newest.or(uv.exclude_newer.as_deref());
    options.exclude_newer = newest.map(|text| Cutoff::parse(text, environment.now)).transpose()?;
    Ok(options)
}

/// Returns the indexes for build requirements: from flags and requirements files, and uv's own variables. uv reads
/// pyproject.toml itself.
///
/// # Errors
/// A value is not valid.
pub(crate) fn of_build_requirements(
    settings: &Settings,
    project: &LockedProject,
) -> Result<builder::BuildIndexes, BuildError> {
    let mut options = IndexOptions::default();
    add_flags(&mut options, &settings.fetch);
    if let Some(requirements) = project.lock.requirements() {
        add_requirements(&mut options, &requirements.options)?;
    }
    let (defaults, others): (Vec<_>, Vec<_>) = options.indexes.into_iter().partition(|index| index.default);
    Ok(builder::BuildIndexes {
        default: defaults.into_iter().next().map(|index| index.url),
        others: others.into_iter().map(|index| index.url).collect(),
        find_links: options.find_links,
        of_uv: settings.environment.of_uv().collect(),
    })
}

fn add_flags(options: &mut IndexOptions, flags: &FetchSettings) {
    options.indexes.extend(flags.extra_indexes.iter().map(|url| IndexConfig::new(None, url.clone())));
    options.indexes.extend(flags.default_index.iter().map(|url| default(url.clone())));
    options.find_links.extend(flags.find_links.iter().cloned());
    options.no_index |= flags.no_index;
}

fn add_variables(options: &mut IndexOptions, variables: &IndexVariables) -> Result<(), BuildError> {
    let here = Path::new(".");
    for text in variables.extra_indexes() {
        options.indexes.push(IndexConfig::parse(text, here)?);
    }
    for text in variables.default_indexes() {
        options.indexes.push(IndexConfig { default: true, ..IndexConfig::parse(text, here)? });
    }
    for text in variables.find_links() {
        options.find_links.push(location(text, here)?);
    }
    Ok(())
}

fn add_requirements(
    options: &mut IndexOptions,
    stated: &requirements::RequirementsTxtOptions,
) -> Result<(), BuildError> {
    options.indexes.extend(stated.extra_index_urls.iter().map(|url| IndexConfig::new(None, url.clone())));
    options.indexes.extend(stated.index_url.iter().map(|url| default(url.clone())));
    options.no_index |= stated.no_index;
    for links in &stated.find_links {
        options.find_links.push(match links {
            FindLinks::Directory(directory) => location(&directory.to_string_lossy(), Path::new("."))?,
            FindLinks::Page(url) => url.clone(),
        });
    }
    Ok(())
}

fn add_uv(options: &mut IndexOptions, uv: &UvOptions, root: &Path) -> Result<(), BuildError> {
    for text in &uv.extra_index_url {
        options.indexes.push(IndexConfig::parse(text, root)?);
    }
    if let Some(text) = &uv.index_url {
        options.indexes.push(IndexConfig { default: true, ..IndexConfig::parse(text, root)? });
    }
    for text in &uv.find_links {
        options.find_links.push(location(text, root)?);
    }
    options.no_index |= uv.no_index;
    Ok(())
}

/// Returns which distributions may be installed from wheels and from sources: the exclusions of the user, of
/// requirements files and of pyproject.toml are combined.
pub(crate) fn formats(settings: &Settings, project: &LockedProject) -> FormatControl {
    let uv = project.uv.clone();
    let stated = project.lock.requirements().map(|requirements| {
        let path = project.path().unwrap_or(&project.workspace.root).to_owned();
        requirements.options.formats.clone().stated_by(ExclusionStatement::RequirementsFile(path))
    });
    let of_uv = FormatControl {
        no_build: DistributionSet::from_flags(uv.no_build, uv.no_build_package),
        no_binary: DistributionSet::from_flags(uv.no_binary, uv.no_binary_package),
        ..FormatControl::default()
    };
    let root = project.workspace.members.first().unwrap_or_else(|| project.workspace.current());
    let of_uv = of_uv.stated_by(ExclusionStatement::UvTable(root.pyproject.path.clone()));
    let mut declared = stated.unwrap_or_default().union(of_uv);
    // Only the user's own --no-build applies to the project and its workspace: uv 0.13.8 builds them despite `[tool.uv]`, and
    // pip despite --only-binary.
    if declared.no_build != DistributionSet::None {
        for name in project.local_names().filter(|name| settings.formats.may_build(name)) {
            declared.allow_build(name);
        }
    }
    settings.formats.clone().stated_by(ExclusionStatement::Options).union(declared)
}

fn default(url: url::Url) -> IndexConfig {
    IndexConfig { default: true, ..IndexConfig::new(None, url) }
}
