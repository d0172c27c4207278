//! Builds source distributions, commits and local directories into wheels.
//!
//! A wheel is cached by its source and the build environment: by the digest of an archive, a commit, or everything that
//! the wheel of a directory depends on.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::builder::{BuildIndexes, SOURCE_DATE_EPOCH, WheelBuilder};
use crate::cache::{Cache, CachedSdist};
use crate::fetch::Fetcher;
use crate::image::Timestamp;
use crate::lock::{LockedFile, LockedSdist, SelectedDistribution, SelectedSource};
use crate::pipeline::BuildError;
use crate::pipeline::threads::in_threads;
use crate::pipeline::wheels::wheel_build::WheelBuild;
use crate::platform::PythonVersion;
use crate::redact;
use crate::report::{Phase, Reporter, RunningPhase};
use crate::sdist::filename::SdistFilename;
use crate::settings::Settings;
use crate::temporary::TemporaryFile;
use crate::wheel::Wheel;

/// A wheel to build for a version of Python.
#[derive(Clone, Copy)]
pub(crate) struct BuildJob<'a> {
    pub selected: &'a SelectedDistribution,
    pub python: PythonVersion,
}

/// The builder for each version of Python.
pub(crate) type WheelBuilders = BTreeMap<PythonVersion, WheelBuilder>;

/// A wheel that was built on this machine.
pub(crate) struct BuiltWheel {
    pub wheel: Wheel,
    /// The Python that built it.
    pub python: PythonVersion,
    /// The source's name in messages.
    pub origin: String,
}

/// Builds the sources of a project's plans.
pub(crate) struct SourceBuilder<'a> {
    pub settings: &'a Settings,
    /// The directory of the workspace, whose `[tool.uv]` applies.
    pub root: &'a Path,
    /// Indexes for build requirements, besides those that uv reads itself.
    pub indexes: BuildIndexes,
    /// The files and directories that this run writes, which are no sources.
    pub outputs: Vec<PathBuf>,
    pub fetcher: &'a Fetcher,
    pub cache: &'a Cache,
    /// A directory for temporary files.
    pub directory: &'a Path,
}

impl<'a> BuildJob<'a> {
    /// Returns the position of the job in a list; it is appended if it is new.
    pub(crate) fn position_in(self, jobs: &mut Vec<Self>) -> usize {
        jobs.iter().position(|job| self.is_same(job)).unwrap_or_else(|| {
            jobs.push(self);
            jobs.len() - 1
        })
    }

    /// Tells whether another job builds the same wheel.
    fn is_same(&self, other: &Self) -> bool {
        self.python == other.python
            && self.selected.name == other.selected.name
            && match (&self.selected.source, &other.selected.source) {
                (SelectedSource::Sdist(own), SelectedSource::Sdist(other)) => own == other,
                (SelectedSource::Git(own), SelectedSource::Git(other)) => own == other,
                (SelectedSource::Directory(own), SelectedSource::Directory(other)) => own == other,
                _ => false,
            }
    }

    fn sdist(&self) -> Option<&'a LockedSdist> {
        match &self.selected.source {
            SelectedSource::Sdist(sdist) => Some(sdist),
            _ => None,
        }
    }

    /// Returns the source's name in messages.
    pub(crate) fn origin(&self) -> String {
        match &self.selected.source {
            SelectedSource::Wheel(wheel, _) => wheel.filename.to_string(),
            SelectedSource::Sdist(sdist) => sdist.file.filename.to_string(),
            SelectedSource::Git(repository) => {
                format!("{}@{}", redact::text(&repository.url), repository.commit)
            }
            SelectedSource::Directory(directory) | SelectedSource::Virtual(directory) => {
                directory.display().to_string()
            }
        }
    }
}

/// The source distributions that wheels are built from.
struct FetchedSdists(Vec<(LockedFile<SdistFilename>, CachedSdist)>);

impl FetchedSdists {
    fn of(&self, job: &BuildJob) -> Option<&CachedSdist> {
        let file = &job.sdist()?.file;
        self.0.iter().find(|(found, _)| found == file).map(|(_, archive)| archive)
    }
}

impl SourceBuilder<'_> {
    /// Finds a builder for each version of Python.
    ///
    /// # Errors
    /// Neither uv nor pip is installed, or no interpreter of the version is.
    pub(crate) fn wheel_builders(&self, jobs: &[BuildJob]) -> Result<WheelBuilders, BuildError> {
        let mut builders = WheelBuilders::new();
        for job in jobs {
            if let Entry::Vacant(vacant) = builders.entry(job.python) {
                vacant.insert(self.builder(job.python)?);
            }
        }
        Ok(builders)
    }

    /// Builds wheels, in the order of the jobs.
    ///
    /// # Errors
    /// A source cannot be fetched or built, or is not the distribution in the lock.
    pub(crate) fn build(
        &self,
        jobs: &[BuildJob],
        builders: &WheelBuilders,
        reporter: &dyn Reporter,
    ) -> Result<Vec<BuiltWheel>, BuildError> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let builds = jobs.iter().enumerate().map(|(position, job)| {
            let directory = self.directory.join(format!("build-{position}"));
            WheelBuild { source_builder: self, job, builder: self.builder_of(job, builders), directory, reporter }
        });
        let builds: Vec<WheelBuild> = builds.collect();
        let known = builds.iter().map(WheelBuild::known).collect::<Result<Vec<_>, _>>()?;
        let unknown = jobs.iter().zip(&known).filter(|(_, wheel)| wheel.is_none()).map(|(job, _)| *job);
        let archives = self.fetch(&unknown.collect::<Vec<_>>(), reporter)?;
        let building = RunningPhase::start(reporter, Phase::Build, jobs.len() as u64);
        let built: Vec<Result<BuiltWheel, BuildError>> =
            in_threads(rayon::current_num_threads(), jobs.len(), |position| {
                let build = &builds[position];
                let wheel = known[position].clone().map_or_else(|| build.wheel(archives.of(build.job)), Ok)?;
                self.keep(&wheel)?;
                building.advance(1);
                Ok(BuiltWheel { wheel, python: build.builder.python.version, origin: build.job.origin() })
            });
        // Of several failures, the first in the order of the jobs is returned.
        let built = built.into_iter().collect::<Result<_, _>>()?;
        building.finish();
        Ok(built)
    }

    fn builder_of(&self, job: &BuildJob, builders: &WheelBuilders) -> WheelBuilder {
        let mut builder = builders[&job.python].clone();
        if matches!(job.selected.source, SelectedSource::Directory(_)) {
            // As with `uv build`, the `[tool.uv]` of its own workspace applies.
            builder.settings = None;
        }
        builder
    }

    /// Fetches the source distributions of the jobs that have one.
    fn fetch(&self, jobs: &[BuildJob], reporter: &dyn Reporter) -> Result<FetchedSdists, BuildError> {
        let mut files: Vec<LockedFile<SdistFilename>> = Vec::new();
        for sdist in jobs.iter().filter_map(BuildJob::sdist) {
            if !files.contains(&sdist.file) {
                files.push(sdist.file.clone());
            }
        }
        let archives = self.fetcher.fetch(&files, self.cache, reporter)?;
        Ok(FetchedSdists(files.into_iter().zip(archives).collect()))
    }

    fn builder(&self, python: PythonVersion) -> Result<WheelBuilder, BuildError> {
        let mut builder = find_builder(self.settings, python, self.cache)?;
        builder.offline = self.settings.fetch.offline;
        builder.settings = self.root.canonicalize().ok();
        builder.indexes = self.indexes.clone();
        Ok(builder)
    }

    /// Copies a wheel into `--wheel-dir`, whole or not at all.
    fn keep(&self, wheel: &Wheel) -> Result<(), BuildError> {
        let Some(directory) = &self.settings.wheel_dir else { return Ok(()) };
        let path = directory.join(wheel.filename.as_str());
        let failed = BuildError::writing(&path);
        fs::create_dir_all(directory).map_err(&failed)?;
        let mut copy = TemporaryFile::new_in(directory).map_err(&failed)?;
        let copied = wheel
            .archive()
            .and_then(|archive| File::open(&*archive))
            .and_then(|mut file| std::io::copy(&mut file, &mut copy));
        copied.map_err(&failed)?;
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        copy.as_file().set_permissions(permissions).map_err(&failed)?;
        copy.persist(&path).map_err(failed)?;
        Ok(())
    }
}

/// Finds what builds wheels for a version of Python, with everything that decides their bytes.
pub(super) fn find_builder(
    settings: &Settings,
    python: PythonVersion,
    cache: &Cache,
) -> Result<WheelBuilder, BuildError> {
    let environment = &settings.environment;
    let mut builder = WheelBuilder::find(&environment.interpreters, python, cache)?;
    builder.source_date_epoch =
        environment.source_date_epoch.clone().and_then(Result::ok).map_or(SOURCE_DATE_EPOCH, Timestamp::seconds);
    Ok(builder)
}
