//! The contents of an artifact's SBOM and provenance statement.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::ArtifactDocument;
use super::bundled::bundled;
use super::locks::locks;
use super::origin::origin;
use crate::digest::Sha256;
use crate::lock::requirements::{self, InstalledMetadata};
use crate::lock::{Dependent, SelectedDistribution, SelectedSource};
use crate::name::DistributionName;
use crate::pipeline::BuildError;
use crate::pipeline::install::InstalledDistribution;
use crate::pipeline::plan::Plan;
use crate::redact;
use crate::report::{DocumentKind, Reporter};
use crate::sbom::provenance::{self, ProvenanceParameters, ProvenanceSubject};
use crate::sbom::{
    self, BaseImage, ComponentOrigin, DistributionMetadata, SbomComponent, SbomContents, SbomFormat, SbomProject,
    SystemPackageComponent,
};
use crate::settings::{DocumentSettings, Settings};
use crate::wheel::Wheel;

/// What the SBOM and the provenance statement describe, besides the artifact itself.
pub(crate) struct DocumentSources<'a> {
    pub settings: &'a DocumentSettings,
    pub plan: &'a Plan<'a>,
    pub distributions: &'a [InstalledDistribution<'a>],
    pub base: Option<BaseImage>,
    /// What was put on the base.
    pub packages: Vec<SystemPackageComponent>,
    /// The lock of these packages, if there are any.
    pub apt_lock: Option<PathBuf>,
    pub parameters: ProvenanceParameters,
}

/// Returns the parameters of the build: what was requested of the lock, and which files were included.
pub(crate) fn parameters(settings: &Settings, plan: &Plan) -> ProvenanceParameters {
    let request = &settings.request;
    ProvenanceParameters {
        package: request.package.as_ref().map(ToString::to_string),
        extras: request.extras.iter().map(ToString::to_string).collect(),
        all_extras: request.all_extras,
        groups: request.groups.iter().map(ToString::to_string).collect(),
        only_groups: request.only_groups.iter().map(ToString::to_string).collect(),
        no_default_groups: request.no_default_groups,
        no_install_project: request.no_install_project,
        no_install_workspace: request.no_install_workspace,
        no_install_packages: request.no_install_packages.iter().map(ToString::to_string).collect(),
        prepare: settings
            .prepare
            .iter()
            .map(|command| command.iter().map(|word| redact::text(word)).collect())
            .collect(),
        application: plan.application.taken.clone(),
        exclude: settings.excludes.clone(),
        slim: settings.contents.slim.iter().map(|rule| rule.name()).collect(),
        kept_data: settings.contents.listed.iter().map(|(rule, names)| (rule.name(), names.clone())).collect(),
        strip: settings.contents.strip,
        compile_bytecode: settings.contents.bytecode,
        ..ProvenanceParameters::default()
    }
}

impl DocumentSources<'_> {
    /// Creates the documents about an artifact that the settings ask for.
    ///
    /// # Errors
    /// A wheel or the lock cannot be read.
    pub(crate) fn documents(
        &self,
        common: &Settings,
        artifact: Sha256,
        subjects: &[ProvenanceSubject],
        reporter: &dyn Reporter,
    ) -> Result<Vec<ArtifactDocument>, BuildError> {
        let DocumentSettings { sbom, provenance, .. } = *self.settings;
        if sbom.is_none() && !provenance {
            return Ok(Vec::new());
        }
        let contents = self.contents(common, artifact, reporter)?;
        let mut documents = Vec::new();
        if let Some(format) = sbom {
            documents.push(ArtifactDocument {
                kind: match format {
                    SbomFormat::CycloneDx => DocumentKind::Cyclonedx,
                    SbomFormat::Spdx => DocumentKind::Spdx,
                },
                media_type: format.media_type(),
                extension: format.extension(),
                bytes: contents.render(format),
            });
        }
        if provenance {
            let locks = locks(self.plan.project, self.apt_lock.as_deref())?;
            documents.push(ArtifactDocument {
                kind: DocumentKind::Provenance,
                media_type: provenance::MEDIA_TYPE,
                extension: provenance::EXTENSION,
                bytes: provenance::statement(&contents, subjects, &self.parameters, &locks, &self.prepared()?),
            });
        }
        Ok(documents)
    }

    /// Returns the files that the commands of `prepare` created or changed, by their paths in the project.
    fn prepared(&self) -> Result<Vec<ProvenanceSubject>, BuildError> {
        let workspace = &self.plan.project.workspace;
        let project = workspace.directory(workspace.current());
        let files = self.plan.prepared.files.iter().map(|path| {
            let sha256 = Sha256::of_file(path).map_err(BuildError::reading(path))?;
            let name = path.strip_prefix(&project).unwrap_or(path).display().to_string();
            Ok(ProvenanceSubject { name, sha256 })
        });
        files.collect()
    }

    /// Returns the contents of the SBOM.
    fn contents(
        &self,
        common: &Settings,
        artifact: Sha256,
        reporter: &dyn Reporter,
    ) -> Result<SbomContents, BuildError> {
        let plan = self.plan;
        let mut requires = self.requires(common);
        let root = root(plan);
        let (mut components, mut metadata, mut own) = (Vec::new(), DistributionMetadata::default(), Vec::new());
        let mut version = root.and_then(|root| root.version.clone());
        for InstalledDistribution { selected, wheel, .. } in self.distributions {
            let stated = DistributionMetadata::parse(&read_metadata(wheel)?);
            let bundled = if self.settings.sbom.is_some() { bundled(wheel, reporter)? } else { Vec::new() };
            if root.is_some_and(|root| root.name == selected.name) {
                (metadata, version, own) = (stated, Some(wheel.inventory.version.clone()), bundled);
                continue;
            }
            components.push(SbomComponent {
                name: selected.name.clone(),
                version: wheel.inventory.version.clone(),
                origin: origin(selected, wheel),
                metadata: stated,
                bundled,
                requires: requires.remove(&selected.name).unwrap_or_default(),
            });
        }
        components.sort_by(|left, right| left.name.cmp(&right.name));
        let mut asked = root.and_then(|root| requires.remove(&root.name)).unwrap_or_default();
        asked.extend(
            plan.installed()
                .chain(&plan.in_layers)
                .filter(|selected| is_asked(selected, root))
                .map(|selected| selected.name.clone()),
        );
        asked.retain(|name| components.iter().any(|component| component.name == *name));
        adopt(&mut asked, &components);
        let target = &plan.target;
        Ok(SbomContents {
            project: SbomProject {
                name: root.map(|root| root.name.to_string()).unwrap_or_else(|| plan.name()),
                version,
                origin: ComponentOrigin::Directory(plan.project.revision()),
                metadata,
                bundled: own,
                requires: asked,
            },
            artifact,
            target: sbom::SbomTarget {
                profile: target.name.clone(),
                python: target.python.to_string(),
                platform: format!("linux/{}", target.architecture.oci_name()),
                libc: (target.libc.name(), target.libc.version()),
            },
            base: self.base.clone(),
            components,
            packages: self.packages.clone(),
            created: self.settings.created,
        })
    }

    /// Returns which other distributions each one requires, according to its metadata and the extras that the user,
    /// other distributions and locks without a graph request.
    fn requires(&self, common: &Settings) -> BTreeMap<DistributionName, BTreeSet<DistributionName>> {
        let plan = self.plan;
        let mut extras = plan.project.lock.extras_without_graph(&plan.target).unwrap_or_default();
        let root = root(plan).map(|root| &root.name);
        extras.extend(root.map(|root| (root.clone(), common.request.extras.clone())));
        for selected in plan.selected.iter().chain(&plan.in_layers) {
            for by in &selected.required_by {
                if let Dependent::Distribution(name, Some(extra)) = by {
                    extras.entry(name.clone()).or_default().insert(extra.clone());
                }
            }
        }
        let installed =
            self.distributions.iter().map(|InstalledDistribution { selected, wheel, .. }| InstalledMetadata {
                name: selected.name.clone(),
                version: Some(wheel.inventory.version.clone()),
                extras: extras.remove(&selected.name).unwrap_or_default(),
                requires_dist: &wheel.inventory.requires,
            });
        requirements::dependencies(&installed.collect::<Vec<_>>(), &plan.target)
    }
}

/// Returns the project, or `None` if the lock selects no project or several.
fn root<'a>(plan: &'a Plan) -> Option<&'a SelectedDistribution> {
    let mut roots = plan.selected.iter().filter(|selected| selected.is_root() && selected.is_directory());
    match (roots.next(), roots.next()) {
        (Some(only), None) => Some(only),
        // A workspace whose root is not a project has no single one.
        _ => None,
    }
}

/// Tells whether the user or the project requires a distribution directly.
fn is_asked(selected: &SelectedDistribution, root: Option<&SelectedDistribution>) -> bool {
    let virtual_root = root.filter(|root| matches!(root.source, SelectedSource::Virtual(_)));
    selected.required_by.iter().any(|by| match by {
        Dependent::Root | Dependent::Group(..) => true,
        // The metadata of a package states its requirements already.
        Dependent::Distribution(name, _) => virtual_root.is_some_and(|root| root.name == *name),
        // A requirements file may also list indirect requirements.
        Dependent::File(_) => false,
    })
}

/// Makes the project require every distribution that it would not reach otherwise, so that the dependency graph is
/// connected.
fn adopt(asked: &mut BTreeSet<DistributionName>, components: &[SbomComponent]) {
    let by_name: BTreeMap<&DistributionName, &SbomComponent> =
        components.iter().map(|component| (&component.name, component)).collect();
    loop {
        let mut reached: BTreeSet<&DistributionName> = BTreeSet::new();
        let mut queue: Vec<&DistributionName> = asked.iter().collect();
        while let Some(name) = queue.pop() {
            if let Some(component) = by_name.get(name).filter(|_| reached.insert(name)) {
                queue.extend(&component.requires);
            }
        }
        let alone: Vec<&&SbomComponent> =
            by_name.values().filter(|component| !reached.contains(&component.name)).collect();
        let mut tops = alone.iter().map(|component| component.name.clone()).collect::<Vec<DistributionName>>();
        tops.retain(|name| !alone.iter().any(|other| other.requires.contains(name) && other.name != *name));
        match (alone.first(), tops.is_empty()) {
            (None, _) => return,
            // The remaining ones require each other in a cycle.
            (Some(first), true) => drop(asked.insert(first.name.clone())),
            (Some(_), false) => asked.extend(tops),
        }
    }
}

fn read_metadata(wheel: &Wheel) -> Result<Vec<u8>, BuildError> {
    wheel.metadata().map_err(BuildError::reading(wheel.location()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(name: &str, requires: &[&str]) -> SbomComponent {
        SbomComponent {
            name: name.parse().unwrap(),
            version: "1".parse().unwrap(),
            origin: ComponentOrigin::Directory(None),
            metadata: DistributionMetadata::default(),
            bundled: Vec::new(),
            requires: requires.iter().map(|name| name.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn nothing_is_left_alone_in_a_graph() {
        let components = [
            component("asked", &["below"]),
            component("below", &[]),
            component("circle-a", &["circle-b"]),
            component("circle-b", &["circle-a", "below"]),
            component("self", &["self"]),
            component("top", &["under-top", "below"]),
            component("under-top", &[]),
        ];
        let mut asked = BTreeSet::from(["asked".parse().unwrap()]);
        adopt(&mut asked, &components);
        let asked: Vec<&str> = asked.iter().map(DistributionName::as_str).collect();
        assert_eq!(asked, ["asked", "circle-a", "self", "top"]);
    }
}
