//! The bases that packages are locked over, one for each platform of an image.

use crate::apt::{AptSource, ConfiguredAptSource, DebianDistribution, SignedBy, merge_sources};
use crate::debian::openpgp::ArchiveKeyring;
use crate::debian::{DebianArchitecture, DpkgStatus};
use crate::digest::Sha256;
use crate::image::system::BaseSystem;
use crate::index::FileFinder;
use crate::pipeline::BuildError;
use crate::pipeline::apt::PackagesError;
use crate::pipeline::image::base::Bases;
use crate::pipeline::image::chosen::base_choice;
use crate::pipeline::image::packages::{database_digest, debian_architecture};
use crate::pipeline::plan::LockedProject;
use crate::settings::{AptSourceSettings, ImageSettings, SigningKeys};

/// The base of an image on one platform.
pub(super) struct LockableBase {
    /// The reference with its digest; `None` if there is none.
    pub name: Option<String>,
    pub architecture: DebianArchitecture,
    pub status: DpkgStatus,
    pub status_sha256: Option<Sha256>,
    /// The archives of its distribution and of the configuration.
    pub sources: Vec<AptSource>,
    /// What is not proven about it.
    pub warning: Option<String>,
}

impl LockableBase {
    /// Returns the bases for the platforms of an image.
    ///
    /// # Errors
    /// A base cannot be found or read, or is no system of Debian.
    pub(super) fn all(
        settings: &ImageSettings,
        project: &LockedProject,
        bases: &Bases,
        finder: &FileFinder,
    ) -> Result<Vec<Self>, BuildError> {
        let choice = base_choice(settings, project, finder)?;
        let found = bases.find(&choice)?;
        let mut all = Vec::with_capacity(settings.platforms.len());
        for &platform in &settings.platforms {
            let base = bases.base(&found, platform)?;
            let system = bases.system(&base)?;
            let is_empty = base.layers.is_empty();
            let distribution = distribution(&system, is_empty, settings)?;
            let architecture = debian_architecture(&base)?;
            let status_sha256 = database_digest(&base, &system)?;
            let database = system.package_database().unwrap_or_default();
            let status = DpkgStatus::read(&database, architecture.as_str()).map_err(PackagesError::from)?;
            let warning = (!distribution.is_proven())
                .then(|| format!("the resolution for {} has not been compared with apt's", distribution.codename));
            all.push(Self {
                name: reference(&found.name, found.digest, is_empty, &choice),
                sources: sources(&system, is_empty, &architecture, settings)?,
                architecture,
                status,
                status_sha256,
                warning,
            });
        }
        Ok(all)
    }
}

/// Returns the sources of an image's base, for their credentials and snapshots.
///
/// # Errors
/// The base is no system of Debian.
pub(in crate::pipeline::image) fn sources(
    system: &BaseSystem,
    is_empty: bool,
    architecture: &DebianArchitecture,
    settings: &ImageSettings,
) -> Result<Vec<AptSource>, PackagesError> {
    let distribution = distribution(system, is_empty, settings)?;
    let keyring = keyring(system, &distribution);
    let configured: Vec<_> = settings.apt.sources.iter().map(configured).collect();
    Ok(merge_sources(distribution.sources(architecture, &keyring), &configured, &keyring)?)
}

/// Returns an archive of the configuration.
fn configured(source: &AptSourceSettings) -> ConfiguredAptSource {
    ConfiguredAptSource {
        uris: source.uris.clone(),
        suites: source.suites.clone(),
        components: source.components.clone(),
        signed_by: match &source.signed_by {
            SigningKeys::Distribution => SignedBy::Distribution,
            SigningKeys::Fingerprints(fingerprints) => SignedBy::Fingerprints(fingerprints.clone()),
            SigningKeys::Files(files) => SignedBy::Files(files.clone()),
        },
        snapshot: source.snapshot.clone(),
    }
}

/// Returns the distribution of a base. Where there is none, it is the release of Debian that has the image's Python.
fn distribution(
    system: &BaseSystem,
    is_empty: bool,
    settings: &ImageSettings,
) -> Result<DebianDistribution, PackagesError> {
    let python = settings.python.map(|python| python.to_string());
    let of_nothing = match python.as_deref() {
        Some("3.11") => "ID=debian\nVERSION_CODENAME=bookworm\n",
        _ => "ID=debian\nVERSION_CODENAME=trixie\n",
    };
    let text = system.text("etc/os-release").or_else(|| system.text("usr/lib/os-release"));
    let text = text.map(|text| String::from_utf8_lossy(&text.bytes));
    let text = text.as_deref().or_else(|| is_empty.then_some(of_nothing));
    Ok(DebianDistribution::of_os_release(text)?)
}

fn keyring(system: &BaseSystem, distribution: &DebianDistribution) -> ArchiveKeyring {
    let files = ["etc/apt/trusted.gpg.d", "usr/share/keyrings"].map(|directory| system.texts_below(directory));
    distribution.keyring(files.into_iter().flatten().map(|(path, text)| (path, text.bytes.as_slice())))
}

/// Returns how the lock names a base: files by their digest only, since their paths mean nothing on other machines.
fn reference(
    name: &Option<String>,
    digest: Option<Sha256>,
    is_empty: bool,
    choice: &crate::settings::BaseChoice,
) -> Option<String> {
    match (name, digest) {
        _ if is_empty => None,
        (Some(name), Some(digest)) => Some(format!("{}@{digest}", name.split('@').next().unwrap_or(name))),
        (None, Some(digest)) => Some(digest.to_string()),
        (_, None) => Some(choice.to_string()),
    }
}
