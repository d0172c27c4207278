//! Attaching the documents about images to them.

use oci_spec::image::MediaType;

use crate::digest::Sha256;
use crate::image::{Base, Blob, OciArtifact, referrer};
use crate::pipeline::BuildError;
use crate::pipeline::documents::{Document, Sources, parameters};
use crate::pipeline::image::chosen::Chosen;
use crate::pipeline::plan::Plan;
use crate::pipeline::wheels::Obtained;
use crate::registry::Reference;
use crate::report::DocumentReport;
use crate::sbom::provenance::{ProvenanceParameters, ProvenanceSubject};
use crate::sbom::{BaseImage, ImageName};
use crate::settings::{BaseChoice, ImageSettings};

/// A document that is attached to an image.
pub struct Attached {
    /// The document.
    pub document: Document,
    /// The platform of the image, for instance `linux/amd64`.
    pub platform: String,
    /// The digest of the manifest that refers to the image.
    pub referrer: Sha256,
}

impl Attached {
    /// Reports the document, which is in no file beside the image yet.
    pub fn report(&self) -> DocumentReport {
        let referrer = Some(self.referrer.to_string());
        DocumentReport { platform: Some(self.platform.clone()), referrer, ..self.document.report() }
    }
}

/// Makes the documents about the image of each platform, as referrers of its manifest. No manifest changes by that.
///
/// # Errors
/// A wheel or the lock cannot be read.
pub fn attach(
    settings: &ImageSettings,
    chosen: &Chosen,
    plans: &[Plan],
    wheels: &[Obtained],
    artifact: &mut OciArtifact,
) -> Result<Vec<Attached>, BuildError> {
    let mut attached = Vec::new();
    let images = match artifact.children.is_empty() {
        true => std::slice::from_mut(artifact),
        false => &mut artifact.children[..],
    };
    for (position, image) in images.iter_mut().enumerate() {
        let (plan, wheels, (architecture, base, _)) =
            (&plans[position], &wheels[position], &chosen.platforms[position]);
        let parameters = ProvenanceParameters {
            command: "image",
            base: chosen.base.name.clone(),
            ..parameters(&settings.common, plan)
        };
        let base = base_image(&chosen.choice, base);
        let sources = Sources { settings: &settings.documents, plan, wheels, base, parameters };
        let (name, digest) = (plan.name(), image.manifest.digest);
        let subjects = [ProvenanceSubject { name: name.clone(), sha256: digest }];
        for document in sources.documents(&settings.common, digest, &subjects)? {
            let blob = Blob::of_bytes(MediaType::from(document.media_type), document.bytes.clone());
            let referrer = referrer(&image.manifest, blob, &format!("{name}.{}", document.extension));
            let platform = format!("linux/{}", architecture.oci_name());
            attached.push(Attached { document, platform, referrer: referrer.manifest.digest });
            image.referrers.push(referrer);
        }
    }
    Ok(attached)
}

/// Returns what the documents say of a base; nothing of an empty one.
fn base_image(choice: &BaseChoice, base: &Base) -> Option<BaseImage> {
    let name = |reference: &Reference| ImageName {
        repository: reference.repository_name().replace("registry-1.docker.io/", "docker.io/"),
        tag: reference.tag().map(str::to_owned),
    };
    let name = match choice {
        BaseChoice::Registry(reference) => Some(name(reference)),
        BaseChoice::File(_) | BaseChoice::Scratch => None,
    };
    Some(BaseImage { name, digest: base.digest? })
}
