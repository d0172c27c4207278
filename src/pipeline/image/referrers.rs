//! Attaches the documents about images as referrers.

use oci_spec::image::MediaType;

use crate::digest::Sha256;
use crate::image::{Base, Blob, OciArtifact, referrer};
use crate::pipeline::BuildError;
use crate::pipeline::documents::{ArtifactDocument, DocumentSources, parameters};
use crate::pipeline::image::chosen::ImageChoice;
use crate::pipeline::image::packages::SystemPackages;
use crate::pipeline::image::platform::PlatformBuild;
use crate::report::{DocumentReport, Reporter};
use crate::sbom::provenance::{ProvenanceParameters, ProvenanceSubject};
use crate::sbom::{BaseImage, ImageName};
use crate::settings::{BaseChoice, ImageSettings};

/// A document that is attached to an image.
pub(crate) struct AttachedDocument {
    pub document: ArtifactDocument,
    /// The platform of the image, for instance `linux/amd64`.
    pub platform: String,
    /// The digest of the manifest that refers to the image.
    pub referrer: Sha256,
}

impl AttachedDocument {
    /// Reports the document, which is not in a file beside the image.
    pub(crate) fn report(&self) -> DocumentReport {
        let referrer = Some(self.referrer.to_string());
        DocumentReport { platform: Some(self.platform.clone()), referrer, ..self.document.report() }
    }
}

/// Creates the documents about the image of each platform and attaches them as referrers. The image's manifest does
/// not change.
///
/// # Errors
/// A wheel or the lock cannot be read.
pub(super) fn attach(
    settings: &ImageSettings,
    chosen: &ImageChoice,
    builds: &[PlatformBuild],
    artifact: &mut OciArtifact,
    reporter: &dyn Reporter,
) -> Result<Vec<AttachedDocument>, BuildError> {
    let mut attached = Vec::new();
    let images = if artifact.children.is_empty() { std::slice::from_mut(artifact) } else { &mut artifact.children[..] };
    for (build, image) in builds.iter().zip(images) {
        let PlatformBuild { plan, platform, distributions, .. } = build;
        let parameters = ProvenanceParameters {
            command: "image",
            base: chosen.base.name.clone(),
            apt: settings.apt.requested.iter().map(ToString::to_string).collect(),
            ..parameters(&settings.common, plan)
        };
        let base = base_image(&chosen.choice, &platform.base);
        let installed = platform.packages.as_ref();
        let packages = installed.map(SystemPackages::components).unwrap_or_default();
        let apt_lock = installed.map(|installed| installed.lock.clone());
        let sources = DocumentSources {
            settings: &settings.documents,
            plan,
            distributions,
            base,
            packages,
            apt_lock,
            parameters,
        };
        let (name, digest) = (plan.name(), image.manifest.digest);
        let subjects = [ProvenanceSubject { name: name.clone(), sha256: digest }];
        for document in sources.documents(&settings.common, digest, &subjects, reporter)? {
            let blob = Blob::of_bytes(MediaType::from(document.media_type), document.bytes.clone());
            let referrer = referrer(&image.manifest, blob, &format!("{name}.{}", document.extension));
            let platform = platform.oci_name();
            attached.push(AttachedDocument { document, platform, referrer: referrer.manifest.digest });
            image.referrers.push(referrer);
        }
    }
    Ok(attached)
}

/// Returns the description of the base; `None` for an empty one.
fn base_image(choice: &BaseChoice, base: &Base) -> Option<BaseImage> {
    let name = match choice {
        BaseChoice::Registry(reference) => Some(ImageName {
            repository: reference.repository_name().replace("registry-1.docker.io/", "docker.io/"),
            tag: reference.tag().map(str::to_owned),
        }),
        BaseChoice::File(_) | BaseChoice::Scratch => None,
    };
    Some(BaseImage { name, digest: base.digest? })
}
