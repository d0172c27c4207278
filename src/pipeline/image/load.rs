//! Loads an image into Docker or podman.

use std::collections::BTreeSet;
use std::path::Path;

use crate::archive::destination::FileFormat;
use crate::archive::output::OutputFile;
use crate::engine::{ContainerEngine, EngineError};
use crate::image::{OciArtifact, oci_archive};
use crate::pipeline::BuildError;
use crate::pipeline::image::base::Bases;
use crate::pipeline::image::outputs;
use crate::pipeline::image::platform::PlatformBuild;
use crate::platform::Architecture;
use crate::report::{LoadReport, Phase};
use crate::settings::{ImageSettings, LayerCompression};

/// An engine that an image is going to be loaded into, and the platform of the image that is.
pub(super) struct LoadDestination {
    engine: ContainerEngine,
    architecture: Architecture,
}

impl LoadDestination {
    /// Finds the engine of the settings, if there is one, and asks it for its architecture: of several images, it gets the
    /// one that it can run.
    ///
    /// # Errors
    /// There is no engine, its daemon cannot be reached, or none of several images is for its architecture.
    pub(super) fn find(settings: &ImageSettings) -> Result<Option<Self>, BuildError> {
        let Some(wanted) = settings.load else { return Ok(None) };
        let engine = ContainerEngine::find(wanted.kind(), settings.common.environment.search_path())?;
        let own = engine.architecture()?;
        match of_engine(&settings.platforms, &own) {
            Some(architecture) => Ok(Some(Self { engine, architecture })),
            None => Err(EngineError::NoPlatform { kind: engine.kind, architecture: own }.into()),
        }
    }

    /// Loads the image.
    ///
    /// # Errors
    /// The engine fails, or a blob cannot be read.
    pub(super) fn load(
        &self,
        settings: &ImageSettings,
        builds: &[PlatformBuild],
        bases: &Bases,
    ) -> Result<LoadReport, BuildError> {
        let build = builds.iter().find(|build| build.platform.architecture == self.architecture);
        let mut artifact = build.map(|build| OciArtifact::from(&build.image)).ok_or(BuildError::Empty)?;
        outputs::download(&mut artifact, bases)?;
        let command = format!("{} load", self.engine.kind.command());
        let total = artifact.leaves().values().map(|blob| blob.size).sum();
        bases.reporter.start(Phase::Write, total);
        let images = self.engine.load(|input| {
            let name = Path::new(&command);
            let output = OutputFile::stream(input, name, FileFormat::Tar);
            oci_archive::write(&artifact, &outputs::names(settings), output, name, bases.reporter)?.persist()?;
            Ok::<_, BuildError>(())
        });
        bases.reporter.finish(Phase::Write);
        match images {
            Ok(images) => Ok(LoadReport { engine: self.engine.kind.command().to_owned(), images }),
            Err(BuildError::Engine(error)) if settings.compression == LayerCompression::Zstd => {
                Err(BuildError::LoadZstd(error))
            }
            Err(error) => Err(error),
        }
    }
}

/// Returns the platform that an engine runs, or the only one.
fn of_engine(platforms: &BTreeSet<Architecture>, own: &str) -> Option<Architecture> {
    let mut platforms = platforms.iter().copied();
    match (platforms.len(), platforms.next()) {
        (1, only) => only,
        (_, first) => first.into_iter().chain(platforms).find(|architecture| architecture.oci_name() == own),
    }
}
