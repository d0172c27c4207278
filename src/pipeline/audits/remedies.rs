//! Suggests what to do about a missing module, as far as the lock and the project's directory tell.

use std::path::{Path, PathBuf};

use super::declaration::RequirementsDeclaration;
use super::{Audited, import_names, inclusion, omitted, setuptools};
use crate::audit::command::servers;
use crate::audit::imports::{LibraryModule, MissingModule, Providers};
use crate::hints;
use crate::limited_reader::{self, LARGEST_PROJECT_FILE};
use crate::name::DistributionName;
use crate::pipeline::plan::offers::{Offer, OtherSelections};

/// Finds suggestions for modules that are not in the artifact.
pub(super) struct Remedies<'a> {
    audited: &'a Audited<'a>,
    /// What each flag would select in addition; computed when it is first needed.
    offers: Option<Vec<Offer>>,
}

impl<'a> Remedies<'a> {
    /// Reads nothing yet.
    pub(super) fn new(audited: &'a Audited<'a>) -> Self {
        Self { audited, offers: None }
    }

    /// Adds a suggestion for a missing module.
    pub(super) fn add(&mut self, missing: &mut MissingModule) {
        if let Some(remedy) = missing.importer.as_ref().and_then(|importer| self.of_extra(importer, missing)) {
            missing.remedies.insert(0, remedy);
            return;
        }
        let module = &missing.module;
        let explained = setuptools::explain(self.audited, module).or_else(|| omitted::explain(self.audited, module));
        if let Some(remedy) = explained {
            missing.remedies = vec![remedy];
            return;
        }
        let in_project = self.in_project(&missing.module).or_else(|| self.elsewhere_in_project(missing));
        if let Some(remedy) = in_project {
            missing.remedies.insert(0, remedy);
            return;
        }
        let names = missing.providers.names().iter();
        let candidates: Vec<DistributionName> = names.filter_map(|name| name.parse().ok()).collect();
        // What a distribution says of itself precedes what others know of it.
        let declaring = import_names::declaring(self.audited.distributions, &missing.module);
        let found = declaring.and_then(|name| self.installed(name, &missing.module));
        let found =
            found.or_else(|| candidates.iter().find_map(|name| self.excluded(name).or_else(|| self.offered(name))));
        let found = found.or_else(|| candidates.iter().find_map(|name| self.in_other_files(name)));
        let found = found.or_else(|| candidates.iter().find_map(|name| self.installed(name, &missing.module)));
        let found = found.or_else(|| candidates.iter().find_map(|name| self.not_selected(name)));
        match found {
            Some(remedy) => missing.remedies.insert(0, remedy),
            // An earlier suggestion already says what the module is likely to be. A name that is merely guessed may belong to
            // anybody.
            None if missing.remedies.is_empty() => {
                let is_known = matches!(missing.providers, Providers::Known(_));
                let known = candidates.iter().find(|name| is_known || self.is_in_metadata(name));
                missing.remedies.push(known.map_or_else(
                    || self.declaration().unknown(&missing.module),
                    |name| self.declaration().known(name),
                ));
            }
            None => {}
        }
    }

    /// Suggests what to do about an executable that exists neither in the artifact nor in its base.
    /// `has_package` tells whether the operating system of the base has a package with it.
    pub(super) fn of_executable(&mut self, program: &str, has_package: bool) -> Vec<String> {
        let name = program.rsplit('/').next().unwrap_or(program);
        if let Ok(distribution) = name.parse::<DistributionName>() {
            let found = self.excluded(&distribution).or_else(|| self.offered(&distribution));
            let found = found.or_else(|| self.in_other_files(&distribution));
            let found = found.or_else(|| self.not_selected(&distribution));
            if let Some(remedy) = found {
                return vec![remedy];
            }
        }
        let provider = servers::distribution_of(name).and_then(|distribution| distribution.parse().ok());
        if let Some(distribution) = provider {
            return vec![self.declaration().known(&distribution)];
        }
        let inventories = self.audited.distributions.iter().map(|distribution| &distribution.wheel.inventory);
        let scripts = inventories.flat_map(|inventory| inventory.entry_points.iter().map(|script| &*script.name));
        match hints::nearest(name, scripts) {
            Some(script) => vec![hints::did_you_mean(script)],
            None if has_package => Vec::new(),
            None => vec!["choose a base that has it with --base".to_owned()],
        }
    }

    /// Suggests how to include a module whose file is in the project.
    fn in_project(&self, module: &str) -> Option<String> {
        let workspace = &self.audited.plan.project.workspace;
        let directories = workspace.members.iter().map(|member| (member, workspace.directory(member)));
        let below = module.replace('.', "/");
        for (member, directory) in directories {
            for source in ["", "src"] {
                let Some(path) = module_file(&directory.join(source).join(&below)) else { continue };
                let is_current = member.path == workspace.current().path;
                return Some(match &member.pyproject.name {
                    Some(name) if !is_current => format!(
                        "`{module}` belongs to the workspace member {name}, which no selected distribution requires: add it to the dependencies"
                    ),
                    _ => self.include(module, &path),
                });
            }
        }
        None
    }

    /// Suggests how to include a top-level module whose file is somewhere else in the project: with the whole directory, if
    /// that contains vendored code, or what imports the module.
    fn elsewhere_in_project(&self, MissingModule { module, locations, .. }: &MissingModule) -> Option<String> {
        let workspace = &self.audited.plan.project.workspace;
        let project = workspace.directory(workspace.current());
        let mut directories = inclusion::directories_below(&project).into_iter();
        let (directory, path) = directories.find_map(|directory| {
            let path = module_file(&directory.join(module))?;
            Some((directory, path))
        })?;
        let shown = inclusion::shown(self.audited, &directory);
        let inside = format!("{}/", self.audited.in_application(&shown));
        let is_vendored =
            directory.file_name().is_some_and(|name| VENDOR_DIRECTORIES.iter().any(|known| name == *known));
        if directory != project && (is_vendored || locations.iter().any(|location| location.path.starts_with(&inside)))
        {
            let flags = inclusion::addition_at_root(self.audited, &directory);
            return Some(format!(
                "`{module}` is in {shown}, where Python does not look: include it at the root with {flags}"
            ));
        }
        Some(self.include(module, &path))
    }

    /// Suggests how to include a file or a package as a module.
    fn include(&self, module: &str, path: &Path) -> String {
        let suffix = if path.is_dir() { "" } else { ".py" };
        let destination = self.audited.in_application(&format!("{}{suffix}", module.replace('.', "/")));
        format!(
            "{} is not in the artifact: include it with {}",
            inclusion::shown(self.audited, path),
            inclusion::addition(self.audited, path, &destination)
        )
    }

    /// Explains that the user excluded the distribution.
    fn excluded(&self, name: &DistributionName) -> Option<String> {
        let request = &self.audited.settings.request;
        if request.no_install_packages.contains(name) {
            return Some(format!("{name} is excluded by --no-install-package"));
        }
        let excluded = self.audited.plan.excluded.iter().find(|excluded| excluded.name == *name)?;
        Some(format!("{name} is excluded: {}", excluded.reason))
    }

    /// Suggests the extra or group that the lock has the distribution for.
    fn offered(&mut self, name: &DistributionName) -> Option<String> {
        let Audited { plan, settings, .. } = self.audited;
        let offers = self.offers.get_or_insert_with(|| {
            let others = OtherSelections { project: plan.project, settings, target: &plan.target };
            others.of_extras_and_groups(&plan.selected.iter().map(|selected| &selected.name).collect())
        });
        let offer = offers.iter().find(|offer| offer.distributions.contains(name))?;
        let Offer { flags, what, .. } = offer;
        Some(format!("{name} is only locked for the {what}: move it to the project's dependencies, or pass {flags}"))
    }

    /// Suggests the other requirements file that lists the distribution.
    fn in_other_files(&self, name: &DistributionName) -> Option<String> {
        let plan = self.audited.plan;
        let path = plan.project.lock.requirements().and_then(|_| plan.project.path())?;
        let directory = path.parent()?;
        let mut others = requirements_in(directory).into_iter().filter(|other| other != path);
        let other = others.find(|other| lists(other, name))?;
        let shown = other.strip_prefix(directory).unwrap_or(&other).display();
        Some(format!("{name} is in {shown}, but not in {}: add it to the latter", path.file_name()?.to_string_lossy()))
    }

    /// Explains that the distribution is in the artifact but does not contain the module.
    fn installed(&self, name: &DistributionName, module: &str) -> Option<String> {
        let selected = self.audited.plan.installed().find(|selected| selected.name == *name)?;
        let version = selected.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        Some(format!("{name}{version} is in the artifact, but does not contain `{module}`"))
    }

    /// Explains that the distribution is locked, but for another target or project.
    fn not_selected(&self, name: &DistributionName) -> Option<String> {
        let plan = self.audited.plan;
        let mut members = plan.project.workspace.members.iter();
        let is_member = members.any(|member| member.pyproject.name.as_ref() == Some(name));
        let is_selected = plan.selected.iter().any(|selected| selected.name == *name);
        (!is_member && !is_selected && plan.project.lock.lists(name)).then(|| {
            format!(
                "{name} is locked, but not selected for {}: check its marker, and which project requires it",
                plan.target
            )
        })
    }

    /// Returns whether an installed distribution requires a distribution, perhaps for an extra.
    fn is_in_metadata(&self, name: &DistributionName) -> bool {
        let inventories = self.audited.distributions.iter().map(|distribution| &distribution.wheel.inventory);
        let mut required = inventories.flat_map(|inventory| &inventory.requires);
        required.any(|requirement| DistributionName::of_requirement(requirement).as_ref() == Some(name))
    }

    /// Suggests the extra of an installed distribution that what its module needs is required for.
    fn of_extra(&self, importer: &LibraryModule, missing: &MissingModule) -> Option<String> {
        let LibraryModule { distribution, .. } = importer;
        let mut inventories = self.audited.distributions.iter().map(|distribution| &distribution.wheel.inventory);
        let requires = &inventories.find(|inventory| inventory.name == *distribution)?.requires;
        let providers: Vec<DistributionName> =
            missing.providers.names().iter().filter_map(|name| name.parse().ok()).collect();
        let (name, extra) = requires.iter().find_map(|requirement| {
            let name = DistributionName::of_requirement(requirement).filter(|name| providers.contains(name))?;
            Some((name, extra_of(requirement)?))
        })?;
        let requirement = format!("{distribution}[{extra}]");
        let addition = self.declaration().addition(&requirement, &requirement);
        Some(format!("{distribution} requires {name} only for its extra `{extra}`: {addition}"))
    }

    fn declaration(&self) -> RequirementsDeclaration {
        RequirementsDeclaration::of(self.audited.plan)
    }
}

/// The usual names of directories with the code of others.
const VENDOR_DIRECTORIES: [&str; 8] =
    ["vendor", "vendored", "_vendor", "third_party", "third-party", "thirdparty", "external", "lib"];

/// Returns the file or package that is a module, given its path without a suffix.
pub(super) fn module_file(stem: &Path) -> Option<PathBuf> {
    let file = stem.with_added_extension("py");
    if file.is_file() {
        return Some(file);
    }
    let mut entries = std::fs::read_dir(stem).ok()?.filter_map(Result::ok);
    entries.any(|entry| entry.path().extension().is_some_and(|extension| extension == "py")).then(|| stem.to_owned())
}

/// Returns the extra in the marker of a requirement, such as `aiohttp>=3.10; extra == "d"`.
fn extra_of(requirement: &str) -> Option<&str> {
    let (_, marker) = requirement.split_once(';')?;
    let (_, compared) = marker.split_once("extra")?;
    let value = compared.trim_start().strip_prefix("==")?.trim_start();
    let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    value[1..].split(quote).next()
}

/// Returns the requirements files in a directory, ordered by name.
fn requirements_in(directory: &Path) -> Vec<PathBuf> {
    let inner = directory.join("requirements");
    let mut files: Vec<PathBuf> = [directory, &inner]
        .into_iter()
        .filter_map(|directory| std::fs::read_dir(directory).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt" || extension == "in"))
        .collect();
    files.sort();
    files
}

/// Tells whether a requirements file lists a distribution.
fn lists(file: &Path, name: &DistributionName) -> bool {
    limited_reader::read_regular_text(file, LARGEST_PROJECT_FILE)
        .is_ok_and(|text| text.lines().any(|line| DistributionName::of_requirement(line).as_ref() == Some(name)))
}
