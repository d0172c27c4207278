//! What a lock pins as a source, built into wheels: source distributions, repositories, and folders of this machine.
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

/// The version of what is kept of a built wheel: it is raised when wheels are built in another way.
const FORMAT: u32 = 1;

/// A wheel to be built: of a distribution, for a version of Python.
#[derive(Clone, Copy)]
pub struct BuildJob<'a> {
    /// The distribution.
    pub selected: &'a SelectedDistribution,
    /// The target's Python.
    pub python: PythonVersion,
}

/// What builds, by the version of Python that it is for.
pub type WheelBuilders = BTreeMap<PythonVersion, WheelBuilder>;

/// A wheel that was built here.
pub struct BuiltWheel {
    /// The wheel.
    pub wheel: Wheel,
    /// The Python that it was built with.
    pub python: PythonVersion,
    /// What it was built from, as messages name it.
    pub origin: String,
}

/// Where wheels are built.
pub struct SourceBuilder<'a> {
    /// What the user wants.
    pub settings: &'a Settings,
    /// The folder of the workspace, whose settings of uv apply.
    pub root: &'a Path,
    /// Where build requirements come from, besides what uv reads itself.
    pub indexes: BuildIndexes,
    /// What fetches source distributions.
    pub fetcher: &'a Fetcher,
    /// Where they and what is built from them are kept.
    pub cache: &'a Cache,
    /// A folder for what is needed meanwhile.
    pub directory: &'a Path,
}

impl<'a> BuildJob<'a> {
    /// Returns the position of the job in a list, to which it is added if it is not there.
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

    /// Returns what the wheel is built from, as messages name it.
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
    /// Finds what builds, for each version of Python that a job is for.
    ///
    /// # Errors
    /// Nothing that builds is there.
    pub fn wheel_builders(&self, jobs: &[BuildJob]) -> Result<WheelBuilders, BuildError> {
        let mut builders = WheelBuilders::new();
        for job in jobs {
            if let Entry::Vacant(vacant) = builders.entry(job.python) {
                vacant.insert(self.builder(job.python)?);
            }
        }
        Ok(builders)
    }

    /// Builds wheels; they are in the order of the jobs.
    ///
    /// # Errors
    /// A source cannot be had or built, or is not the distribution that the lock says.
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
                // The settings of its own workspace apply, as they do to `uv build` there.
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

    /// Fetches the source distributions; there is one for each job that needs one.
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

    /// Copies a wheel to where the user wants to have it, whole or not at all.
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

/// Where one wheel is built.
struct WheelBuild<'a> {
    source_builder: &'a SourceBuilder<'a>,
    job: &'a BuildJob<'a>,
    builder: WheelBuilder,
    folder: PathBuf,
}

impl WheelBuild<'_> {
    /// Returns the wheel: out of the cache, or built.
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
        // Sources may be large, and there may be many.
        let _ = fs::remove_dir_all(&self.folder);
        Ok(wheel)
    }

    /// Returns what the wheel depends on; nothing for a folder, which may change.
    fn key(&self, archive: Option<&Archive>) -> Option<Sha256> {
        let source = match (&self.job.selected.source, archive) {
            (SelectedSource::Sdist(sdist), Some(archive)) => {
                format!("sdist {}\n{:?}", archive.sha256.hex(), sdist.subdirectory)
            }
            (SelectedSource::Git(GitSource { url, commit, subdirectory, lfs }), _) => {
                // Who fetches it makes no difference.
                format!("commit {commit} of {}\n{subdirectory:?}\nlfs {lfs}", redact::text(url))
            }
            _ => return None,
        };
        let environment = self.builder.environment();
        Some(Sha256::of(format!("built wheel {FORMAT}\n{source}\n{environment}").as_bytes()))
    }

    /// Returns the folder to build in: what was unpacked or checked out, or the project itself.
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
            // No job is made of them: there is nothing to build.
            (SelectedSource::Wheel(..) | SelectedSource::Virtual(_) | SelectedSource::Sdist(_), _) => {
                Err(BuildError::Empty)
            }
        }
    }

    /// Refuses a wheel that is not the distribution that the lock says.
    fn require_locked(&self, filename: &WheelFilename) -> Result<(), BuildError> {
        let SelectedDistribution { name, version, source, .. } = self.job.selected;
        // The version of a folder may have changed since it was locked; that the lock is current is checked by then.
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

/// Reads a wheel that was built here and is not kept, as strictly as any other.
fn open(archive: PathBuf, filename: WheelFilename) -> Result<Wheel, BuildError> {
    let failed = |source| BuildError::Read { path: archive.clone(), source };
    let mut file = File::open(&archive).map_err(failed)?;
    let mut hash = HashingWriter::new(std::io::sink());
    std::io::copy(&mut file, &mut hash).map_err(failed)?;
    let (_, sha256, size) = hash.finish();
    let inventory = wheel::read(&file, &filename)?;
    Ok(Wheel { filename, archive: Arc::new(archive), sha256, size, inventory })
}
