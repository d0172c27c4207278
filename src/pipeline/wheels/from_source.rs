//! Builds source distributions, commits and local directories into wheels.
//!
//! A wheel whose source cannot change is cached by the source and the build environment; a directory is built each
//! time.
//!
//! What is built from a source that cannot change is kept in the cache by the source and by what built it; a folder is
//! built each time.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use crate::builder::{BuildIndexes, SOURCE_DATE_EPOCH, WheelBuilder};
use crate::cache::{Archive, Cache, Note};
use crate::digest::{HashingWriter, Sha256};
use crate::fetch::Fetcher;
use crate::image::Timestamp;
use crate::lock::{GitSource, LockedFile, LockedSdist, SelectedDistribution, SelectedSource};
use crate::pipeline::BuildError;
use crate::platform::PythonVersion;
use crate::redact;
use crate::report::{Phase, Reporter};
use crate::repository::Git;
use crate::sdist::filename::SdistFilename;
use crate::sdist::unpack::{self, UnpackError, UnpackLimits};
use crate::settings::Settings;
use crate::wheel::filename::WheelFilename;
use crate::wheel::{self, Wheel};

/// A part of the cache key of built wheels: raised when they are built differently.
const FORMAT: u32 = 1;

/// A wheel to build for a version of Python.
#[derive(Clone, Copy)]
pub struct BuildJob<'a> {
    pub selected: &'a SelectedDistribution,
    pub python: PythonVersion,
}

/// The builder for each version of Python.
pub type WheelBuilders = BTreeMap<PythonVersion, WheelBuilder>;

/// A wheel that was built on this machine.
pub struct BuiltWheel {
    pub wheel: Wheel,
    /// The Python that built it.
    pub python: PythonVersion,
    /// The source's name in messages.
    pub origin: String,
}

/// Builds the sources of a project's plans.
pub struct SourceBuilder<'a> {
    pub settings: &'a Settings,
    /// The directory of the workspace, whose `[tool.uv]` applies.
    pub root: &'a Path,
    /// Indexes for build requirements, besides those that uv reads itself.
    pub indexes: BuildIndexes,
    pub fetcher: &'a Fetcher,
    pub cache: &'a Cache,
    /// A directory for temporary files.
    pub directory: &'a Path,
}

impl<'a> BuildJob<'a> {
    /// Returns the position of the job in a list; it is appended if it is new.
    pub fn position_in(self, jobs: &mut Vec<Self>) -> usize {
        let is_same = |other: &Self| {
            other.python == self.python
                && other.selected.name == self.selected.name
                && match (&other.selected.source, &self.selected.source) {
                    (SelectedSource::Sdist(one), SelectedSource::Sdist(other)) => one == other,
                    (SelectedSource::Git(one), SelectedSource::Git(other)) => one == other,
                    (SelectedSource::Directory(one), SelectedSource::Directory(other)) => one == other,
                    _ => false,
                }
        };
        jobs.iter().position(is_same).unwrap_or_else(|| {
            jobs.push(self);
            jobs.len() - 1
        })
    }

    fn sdist(&self) -> Option<&'a LockedSdist> {
        match &self.selected.source {
            SelectedSource::Sdist(sdist) => Some(sdist),
            _ => None,
        }
    }

    /// Returns the source's name in messages.
    pub fn origin(&self) -> String {
        match &self.selected.source {
            SelectedSource::Wheel(wheel, _) => wheel.filename.to_string(),
            SelectedSource::Sdist(sdist) => sdist.file.filename.to_string(),
            SelectedSource::Git(repository) => {
                format!("{}@{}", redact::text(&repository.url), repository.commit)
            }
            SelectedSource::Directory(folder) | SelectedSource::Virtual(folder) => folder.display().to_string(),
        }
    }
}

impl SourceBuilder<'_> {
    /// Finds a builder for each version of Python.
    ///
    /// # Errors
    /// Neither uv nor pip is installed.
    pub fn wheel_builders(&self, jobs: &[BuildJob]) -> Result<WheelBuilders, BuildError> {
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
    pub fn build(
        &self,
        jobs: &[BuildJob],
        builders: &WheelBuilders,
        reporter: &dyn Reporter,
    ) -> Result<Vec<BuiltWheel>, BuildError> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let archives = self.fetch(jobs, reporter)?;
        reporter.start(Phase::Build, jobs.len() as u64);
        let build_one = |(position, (job, archive)): (usize, (&BuildJob, Option<Archive>))| {
            let mut builder = builders[&job.python].clone();
            if matches!(job.selected.source, SelectedSource::Directory(_)) {
                // As with `uv build`, the `[tool.uv]` of its own workspace applies.
                builder.settings = None;
            }
            let build = WheelBuild {
                source_builder: self,
                job,
                builder,
                folder: self.directory.join(format!("build-{position}")),
            };
            let wheel = build.wheel(archive.as_ref())?;
            self.keep(&wheel)?;
            reporter.advance(Phase::Build, 1);
            Ok(BuiltWheel { wheel, python: build.builder.python.version, origin: job.origin() })
        };
        let work: Vec<_> = jobs.iter().zip(archives).collect();
        let built = work.into_par_iter().enumerate().map(build_one).collect::<Vec<_>>();
        reporter.finish(Phase::Build);
        built.into_iter().collect()
    }

    /// Fetches the source distributions of the jobs that have one.
    fn fetch(&self, jobs: &[BuildJob], reporter: &dyn Reporter) -> Result<Vec<Option<Archive>>, BuildError> {
        let mut files: Vec<LockedFile<SdistFilename>> = Vec::new();
        for sdist in jobs.iter().filter_map(BuildJob::sdist) {
            if !files.contains(&sdist.file) {
                files.push(sdist.file.clone());
            }
        }
        let archives = self.fetcher.fetch(&files, self.cache, reporter)?;
        let archive_of = |job: &BuildJob| {
            let file = &job.sdist()?.file;
            files.iter().zip(&archives).find(|(found, _)| *found == file).map(|(_, archive)| archive.clone())
        };
        Ok(jobs.iter().map(archive_of).collect())
    }

    fn builder(&self, python: PythonVersion) -> Result<WheelBuilder, BuildError> {
        let (environment, fetch) = (&self.settings.environment, &self.settings.fetch);
        let mut builder = WheelBuilder::find(environment.search_path(), python)?;
        builder.offline = fetch.offline;
        builder.settings = self.root.canonicalize().ok();
        builder.indexes = self.indexes.clone();
        builder.source_date_epoch =
            environment.source_date_epoch.clone().and_then(Result::ok).map_or(SOURCE_DATE_EPOCH, Timestamp::seconds);
        Ok(builder)
    }

    /// Copies a wheel into `--wheel-dir`, whole or not at all.
    fn keep(&self, wheel: &Wheel) -> Result<(), BuildError> {
        let Some(folder) = &self.settings.wheel_dir else { return Ok(()) };
        let path = folder.join(wheel.filename.as_str());
        let failed = |source| BuildError::Write { path: path.clone(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        let mut copy = tempfile::Builder::new().prefix(".wheel-").tempfile_in(folder).map_err(failed)?;
        let copied = File::open(&*wheel.archive).and_then(|mut file| std::io::copy(&mut file, &mut copy));
        copied.map_err(failed)?;
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        copy.as_file().set_permissions(permissions).map_err(failed)?;
        copy.persist(&path).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

/// The build of one wheel.
struct WheelBuild<'a> {
    source_builder: &'a SourceBuilder<'a>,
    job: &'a BuildJob<'a>,
    builder: WheelBuilder,
    folder: PathBuf,
}

impl WheelBuild<'_> {
    /// Returns the cached wheel, or builds it.
    fn wheel(&self, archive: Option<&Archive>) -> Result<Wheel, BuildError> {
        let cache = self.source_builder.cache;
        let key = self.key(archive);
        if let Some(key) = key
            && let Some((filename, sha256)) = cache.note::<(String, Sha256)>(Note::Built, key)
            && let Ok(filename) = filename.parse::<WheelFilename>()
            && let Some(wheel) = cache.wheel(&sha256.into(), &filename)?
        {
            return Ok(wheel);
        }
        let output = self.folder.join("wheel");
        fs::create_dir_all(&output).map_err(BuildError::Temporary)?;
        let project = self.project(archive)?;
        let built = self.builder.build_wheel_of(&self.job.origin(), &project, &output)?;
        let name = built.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let filename = name.parse().map_err(|error| BuildError::WheelName { path: built.clone(), source: error })?;
        self.require_locked(&filename)?;
        let Some(key) = key else { return open(built, filename) };
        let wheel = cache.take_in(&built, &filename)?;
        cache.keep_note(Note::Built, key, &(filename.as_str(), wheel.sha256))?;
        // Unpacked sources may be large, and there may be many.
        let _ = fs::remove_dir_all(&self.folder);
        Ok(wheel)
    }

    /// Returns the cache key of the wheel; `None` for a directory, which may change.
    fn key(&self, archive: Option<&Archive>) -> Option<Sha256> {
        let source = match (&self.job.selected.source, archive) {
            (SelectedSource::Sdist(sdist), Some(archive)) => {
                format!("sdist {}\n{:?}", archive.sha256.hex(), sdist.subdirectory)
            }
            (SelectedSource::Git(GitSource { url, commit, subdirectory, lfs }), _) => {
                // Credentials in the URL make no difference.
                format!("commit {commit} of {}\n{subdirectory:?}\nlfs {lfs}", redact::text(url))
            }
            _ => return None,
        };
        let environment = self.builder.environment();
        Some(Sha256::of(format!("built wheel {FORMAT}\n{source}\n{environment}").as_bytes()))
    }

    /// Returns the directory to build: the unpacked source, the checkout or the project itself.
    fn project(&self, archive: Option<&Archive>) -> Result<PathBuf, BuildError> {
        let folder = self.folder.join("source");
        let failed = |source: UnpackError| BuildError::Unpack { origin: self.job.origin(), source };
        match (&self.job.selected.source, archive) {
            (SelectedSource::Sdist(sdist), Some(archive)) => {
                fs::create_dir_all(&folder).map_err(BuildError::Temporary)?;
                let format = sdist.file.filename.format();
                let top = unpack::unpack(&archive.path, format, &folder, UnpackLimits::default()).map_err(failed)?;
                unpack::project_directory(&top, sdist.subdirectory.as_deref()).map_err(failed)
            }
            (SelectedSource::Git(repository), _) => {
                let environment = &self.source_builder.settings.environment;
                let search_path = environment.search_path();
                let git = Git::find(search_path, environment.has_git_ssh, self.source_builder.settings.fetch.offline)?;
                git.check_out(repository, &folder, self.source_builder.cache)?;
                unpack::project_directory(&folder, repository.subdirectory.as_deref()).map_err(failed)
            }
            (SelectedSource::Directory(folder), _) => Ok(folder.clone()),
            // No job is created for these.
            (SelectedSource::Wheel(..) | SelectedSource::Virtual(_) | SelectedSource::Sdist(_), _) => {
                Err(BuildError::Empty)
            }
        }
    }

    /// Refuses a wheel that is not the distribution in the lock.
    fn require_locked(&self, filename: &WheelFilename) -> Result<(), BuildError> {
        let SelectedDistribution { name, version, source, .. } = self.job.selected;
        // The version of a directory may have changed since it was locked; whether the lock is current has been
        // checked by now.
        let version = version.as_ref().filter(|_| !matches!(source, SelectedSource::Directory(_)));
        if filename.name == *name && version.is_none_or(|version| filename.version == *version) {
            return Ok(());
        }
        let expected = match version {
            Some(version) => format!("{name} {version}"),
            None => name.to_string(),
        };
        Err(BuildError::BuiltAnother { origin: self.job.origin(), expected, wheel: filename.to_string() })
    }
}

/// Reads a built wheel that is not cached, as strictly as any other.
fn open(archive: PathBuf, filename: WheelFilename) -> Result<Wheel, BuildError> {
    let failed = |source| BuildError::Read { path: archive.clone(), source };
    let mut file = File::open(&archive).map_err(failed)?;
    let mut hash = HashingWriter::new(std::io::sink());
    std::io::copy(&mut file, &mut hash).map_err(failed)?;
    let (_, sha256, size) = hash.finish();
    let inventory = wheel::read(&file, &filename)?;
    Ok(Wheel { filename, archive: Arc::new(archive), sha256, size, inventory })
}
