//! The report of an image that was built.

use std::time::Duration;

use crate::image::OciArtifact;
use crate::image::config::Entrypoint;
use crate::pipeline::image::chosen::{ChosenPlatform, ImageChoice};
use crate::pipeline::image::outputs::WrittenOutputs;
use crate::pipeline::image::packages::InstalledPackage;
use crate::pipeline::image::platform::PlatformBuild;
use crate::pipeline::install::trim_report;
use crate::pipeline::report::{self, distributions, excluded};
use crate::registry::PushSummary;
use crate::report::{
    FORMAT_VERSION, ImageReport, LayerReport, PlatformReport, PushReport, PushedReport, StartReport,
    SystemPackageReport,
};

/// An image that was built.
pub(crate) struct BuiltImage<'a> {
    pub chosen: &'a ImageChoice,
    /// One for each platform.
    pub builds: &'a [PlatformBuild<'a>],
    pub artifact: &'a OciArtifact,
}

impl BuiltImage<'_> {
    pub(crate) fn report(
        &self,
        WrittenOutputs { outputs, unchanged, documents, files: _ }: WrittenOutputs,
        pushed: Option<&PushSummary>,
        elapsed: Duration,
    ) -> ImageReport {
        let Self { chosen, builds, artifact } = self;
        let first = builds[0].plan;
        let application = &first.application;
        ImageReport {
            format: FORMAT_VERSION,
            project: first.name(),
            profile: chosen.target.name.clone(),
            python: chosen.target.python.to_string(),
            reason: chosen.reason.clone(),
            base: chosen.base_report(),
            digest: artifact.manifest.digest.to_string(),
            media_type: artifact.manifest.media_type.to_string(),
            platforms: builds.iter().map(platform).collect(),
            excluded: excluded(first),
            application: report::application(
                application,
                application.all_files().map(|entry| entry.content.size()).sum(),
            ),
            start: start(&builds[0]),
            outputs,
            unchanged,
            documents,
            loaded: None,
            pushed: pushed.map(report_push),
            remote_cache: None,
            warnings: Vec::new(),
            elapsed_seconds: elapsed.as_secs_f64(),
        }
    }
}

fn platform(build: &PlatformBuild) -> PlatformReport {
    let ChosenPlatform { base, python, packages, .. } = build.platform;
    let of_packages = packages.iter().flat_map(|packages| &packages.layers);
    let layers = of_packages.chain(&build.layers).map(|built| LayerReport {
        digest: built.layer.blob.digest.to_string(),
        diff_id: built.layer.diff_id.to_string(),
        size: built.layer.blob.size,
        holds: built.holds.clone(),
        known: built.was_known,
    });
    PlatformReport {
        platform: build.platform.oci_name(),
        digest: build.image.manifest.digest.to_string(),
        base_digest: base.digest.map(|digest| digest.to_string()),
        interpreter: python.as_ref().map(|python| python.path.clone()),
        size: build.image.layers.iter().map(|layer| layer.blob.size).sum(),
        uncompressed_size: build.uncompressed_size,
        base_layers: base.layers.len(),
        layers: layers.collect(),
        packages: packages.iter().flat_map(|packages| &packages.packages).map(package).collect(),
        trim: trim_report(&build.distributions),
        bytecode: build.bytecode.clone(),
        audit: build.audit.clone(),
        distributions: distributions(&build.distributions, None, |distribution| distribution.size()),
    }
}

fn package(package: &InstalledPackage) -> SystemPackageReport {
    let locked = &package.locked;
    SystemPackageReport {
        name: locked.name.to_string(),
        version: locked.version.to_string(),
        architecture: locked.architecture.to_string(),
        requested: package.is_requested,
    }
}

fn start(build: &PlatformBuild) -> StartReport {
    let configuration = &build.configuration;
    StartReport {
        entrypoint: match &configuration.entrypoint {
            Entrypoint::Inherit => None,
            Entrypoint::Reset => Some(Vec::new()),
            Entrypoint::Set(words) => Some(words.clone()),
        },
        command: configuration.command.clone(),
        user: configuration.user.clone(),
        workdir: configuration.workdir.clone(),
        ports: configuration.exposed_ports.iter().map(ToString::to_string).collect(),
        health_check: configuration
            .health_check
            .as_ref()
            .map(|check| check.command.words())
            .or_else(|| build.platform.base.config.execution.health_check())
            .filter(|words| words.first().is_some_and(|first| first != "NONE")),
    }
}

/// Reports a push.
pub(crate) fn report_push(pushed: &PushSummary) -> PushedReport {
    let tags = pushed.repositories.iter().flat_map(|push| {
        push.references.iter().map(|reference| PushReport {
            tag: reference.to_string(),
            reference: reference.with_digest(pushed.digest).to_string(),
            uploaded: push.uploaded.blobs,
            uploaded_bytes: push.uploaded.bytes,
            mounted: push.mounted.blobs,
            existing: push.present.blobs,
            attached: push.attached.iter().map(ToString::to_string).collect(),
        })
    });
    PushedReport {
        format: FORMAT_VERSION,
        digest: pushed.digest.to_string(),
        tags: tags.collect(),
        requests: pushed.requests,
    }
}
