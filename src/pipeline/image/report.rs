//! What was built of an image, in the form of the reports.

use std::time::Duration;

use crate::image::OciArtifact;
use crate::image::config::Entrypoint;
use crate::lock::SelectedSource;
use crate::pipeline::image::chosen::Chosen;
use crate::pipeline::image::platform::PlatformImage;
use crate::pipeline::plan::Plan;
use crate::pipeline::report::{distribution, state_wheel};
use crate::pipeline::wheels::Obtained;
use crate::registry::Pushed;
use crate::report::{
    ApplicationReport, DistributionReport, DocumentReport, FORMAT_VERSION, ImageReport, LayerReport, PlatformReport,
    PushReport, PushedReport, StartReport,
};

/// What a build of an image came to.
pub struct Outcome<'a> {
    /// What it was built for.
    pub chosen: &'a Chosen,
    /// The plan of each platform.
    pub plans: &'a [Plan<'a>],
    /// The wheels of each platform.
    pub wheels: &'a [Obtained],
    /// The image of each platform.
    pub images: &'a [PlatformImage],
    /// The image, or their index.
    pub artifact: &'a OciArtifact,
}

impl Outcome<'_> {
    /// Reports it.
    pub fn report(
        &self,
        (outputs, documents): (Vec<String>, Vec<DocumentReport>),
        pushed: Option<&Pushed>,
        elapsed: Duration,
    ) -> ImageReport {
        let Self { chosen, plans, images, artifact, .. } = self;
        let first = &plans[0];
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
            platforms: (0..images.len()).map(|position| self.platform(position)).collect(),
            excluded: first.excluded.clone(),
            application: ApplicationReport {
                taken: application.taken.clone(),
                files: application.all_files().count(),
                unzipped_size: application.all_files().map(|entry| entry.content.size()).sum(),
            },
            start: start(&images[0]),
            outputs,
            documents,
            pushed: pushed.map(report_push),
            warnings: Vec::new(),
            elapsed_seconds: elapsed.as_secs_f64(),
        }
    }

    fn platform(&self, position: usize) -> PlatformReport {
        let (image, plan) = (&self.images[position], &self.plans[position]);
        let (architecture, base, python) = &self.chosen.platforms[position];
        let layers = image.layers.iter().map(|made| LayerReport {
            digest: made.layer.blob.digest.to_string(),
            diff_id: made.layer.diff_id.to_string(),
            size: made.layer.blob.size,
            holds: made.holds.clone(),
            known: made.was_known,
        });
        PlatformReport {
            platform: format!("linux/{}", architecture.oci_name()),
            digest: image.image.manifest.digest.to_string(),
            base_digest: base.digest.map(|digest| digest.to_string()),
            interpreter: python.as_ref().map(|python| python.path.clone()),
            size: image.image.layers.iter().map(|layer| layer.blob.size).sum(),
            uncompressed_size: image.uncompressed_size,
            base_layers: base.layers.len(),
            layers: layers.collect(),
            trim: image.trim.clone(),
            bytecode: image.bytecode.clone(),
            audit: image.audit.clone(),
            distributions: distributions(plan, &self.wheels[position], image),
        }
    }
}

fn distributions(plan: &Plan, wheels: &Obtained, image: &PlatformImage) -> Vec<DistributionReport> {
    let (of_dependencies, of_projects) = image.distribution_sizes.split_at(wheels.dependencies.len());
    let mut dependencies = wheels.dependencies.iter().zip(of_dependencies);
    let mut projects = wheels.projects.iter().zip(of_projects);
    let reported = plan.installed().map(|selected| {
        let mut report = distribution(selected, None);
        let wheel = match &selected.source {
            SelectedSource::Wheel(..) | SelectedSource::Sdist(_) | SelectedSource::Git(_) => dependencies.next(),
            SelectedSource::Directory(_) => projects.next(),
            SelectedSource::Virtual(_) => None,
        };
        if let Some((wheel, size)) = wheel {
            state_wheel(&mut report, wheel, *size);
        }
        report
    });
    reported.collect()
}

fn start(image: &PlatformImage) -> StartReport {
    let configuration = &image.configuration;
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
    }
}

/// Reports a push.
pub fn report_push(pushed: &Pushed) -> PushedReport {
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
