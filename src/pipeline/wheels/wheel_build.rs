//! Builds one wheel from its source, or takes it from the cache.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::builder::WheelBuilder;
use crate::cache::{Cache, CachedSdist, Claim, RecordKey, RecordKind};
use crate::digest::{Digest, HashingWriter, Sha256};
use crate::lock::{GitSource, SelectedDistribution, SelectedSource};
use crate::name::DistributionName;
use crate::pipeline::BuildError;
use crate::pipeline::error::incompatible::allow_wheels;
use crate::pipeline::wheels::from_source::{BuildJob, SourceBuilder};
use crate::pipeline::wheels::{directory_state, normalized};
use crate::redact;
use crate::report::{Reporter, RunningTask, Task, TaskKind};
use crate::repository::Git;
use crate::sdist::unpack::{self, UnpackError, UnpackLimits};
use crate::settings::Variables;
use crate::temporary::{FixedDirectory, create_below};
use crate::wheel::filename::WheelFilename;
use crate::wheel::{self, Wheel};

/// A part of the cache key of built wheels: raised when they are built differently.
const FORMAT: u32 = 3;

/// The build of one wheel.
pub(super) struct WheelBuild<'a> {
    pub(super) source_builder: &'a SourceBuilder<'a>,
    pub(super) job: &'a BuildJob<'a>,
    pub(super) builder: WheelBuilder,
    /// A temporary directory for the wheel.
    pub(super) directory: PathBuf,
    pub(super) reporter: &'a dyn Reporter,
}

impl WheelBuild<'_> {
    /// Returns the cached wheel of an archive or a commit, which need not be here.
    pub(super) fn known(&self) -> Result<Option<Wheel>, BuildError> {
        let archive = match &self.job.selected.source {
            SelectedSource::Sdist(sdist) => sdist.file.digests.iter().find_map(Digest::sha256),
            SelectedSource::Git(_) => None,
            _ => return Ok(None),
        };
        self.key(archive).map_or(Ok(None), |key| self.cached(key))
    }

    /// Returns the cache: what is built from directories of the project is of no use to other machines.
    fn cache(&self) -> Cache {
        let cache = self.source_builder.cache;
        match &self.job.selected.source {
            SelectedSource::Directory(_) => cache.unshared(),
            _ => cache.clone(),
        }
    }

    /// Returns the cached wheel, or builds it. What another target or process builds meanwhile is waited for, not on a thread of
    /// rayon: the one that is waited for needs them.
    pub(super) fn wheel(&self, archive: Option<&CachedSdist>) -> Result<Wheel, BuildError> {
        let cache = self.cache();
        let key = self.key(archive.map(|archive| archive.sha256));
        if let Some(wheel) = key.map_or(Ok(None), |key| self.cached(key))? {
            return Ok(wheel);
        }
        let _claim = key.map(|key| self.claim(key)).transpose()?;
        if let Some(wheel) = key.map_or(Ok(None), |key| self.cached(key))? {
            return Ok(wheel);
        }
        let building = RunningTask::start(self.reporter, Task::new(TaskKind::Build, &self.job.selected.name));
        let (built, filename) = self.build(archive)?;
        building.finish();
        // The author of a directory changed a file meanwhile, or the build itself did: it writes the version, for instance.
        let Some(key) = key.filter(|key| Some(*key) == self.key(archive.map(|archive| archive.sha256))) else {
            return open(built, filename);
        };
        let wheel = cache.take_in(&built, &filename)?;
        cache.store_record(RecordKind::Built, key, &(filename.to_string(), wheel.sha256))?;
        let _ = fs::remove_dir_all(&self.directory);
        Ok(wheel)
    }

    /// Waits for the exclusive right to build the wheel with a key.
    fn claim(&self, key: RecordKey) -> Result<Claim, BuildError> {
        let (cache, source) = (self.source_builder.cache, format!("built wheel {key}"));
        let waiting = Task::new(TaskKind::Wait, format!("{}, which is being built", self.job.selected.name));
        Ok(cache.claim(&source, || RunningTask::start(self.reporter, waiting), RunningTask::finish)?)
    }

    /// Returns the cached wheel, if there is one.
    fn cached(&self, key: RecordKey) -> Result<Option<Wheel>, BuildError> {
        let cache = self.cache();
        let Some((filename, sha256)) = cache.record::<(String, Sha256)>(RecordKind::Built, key) else {
            return Ok(None);
        };
        match filename.parse::<WheelFilename>() {
            Ok(filename) => Ok(cache.wheel(&sha256.into(), &filename)?),
            Err(_) => Ok(None),
        }
    }

    /// Builds the wheel in a directory whose path follows from the source, since compilers record it; in one with a random
    /// name, if another process is building the same source. Returns the path of the wheel and its name, which is the one
    /// that the lock says.
    fn build(&self, archive: Option<&CachedSdist>) -> Result<(PathBuf, WheelFilename), BuildError> {
        let name = Sha256::of(format!("{}\n{}", self.source(archive), self.builder.environment()).as_bytes()).hex();
        let fixed = FixedDirectory::new(self.source_builder.directory, &name[..16]).ok();
        let directory = fixed.as_ref().map_or(self.directory.as_path(), FixedDirectory::path);
        if fixed.is_none() {
            self.create_directory()?;
        }
        let output = directory.join("wheel");
        create_below(directory, Path::new("wheel")).map_err(BuildError::temporary(&output))?;
        let project = self.project(archive, &directory.join("source"))?;
        let SelectedDistribution { name, wheels_excluded_by, .. } = self.job.selected;
        let instead = wheels_excluded_by.as_ref().map(|excluded_by| allow_wheels(name, excluded_by));
        let built = self.builder.build_wheel_of(&self.job.origin(), &project, &output);
        let built = built.map_err(|error| error.with_hint(instead))?;
        let name = built.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let filename = name.parse().map_err(|error| BuildError::WheelName { path: built.clone(), source: error })?;
        self.require_locked(&filename)?;
        self.create_directory()?;
        let normalized = self.directory.join(name);
        let project = project.canonicalize().unwrap_or(project);
        let recording = normalized::write(&built, &filename, &normalized, &[&project, directory])?;
        if let [first, others @ ..] = &recording[..] {
            let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
            let origin = self.job.origin();
            self.reporter
                .warn(&format!("the build of {origin} records where it ran in {first}{more}: it is not reproducible"));
        }
        Ok((normalized, filename))
    }

    /// Returns a text that names the source, whatever it contains.
    fn source(&self, archive: Option<&CachedSdist>) -> String {
        match archive {
            Some(archive) => archive.sha256.hex(),
            None => self.job.origin(),
        }
    }

    /// Returns the cache key of the wheel; `None` for a directory whose inputs are not known.
    fn key(&self, archive: Option<Sha256>) -> Option<RecordKey> {
        let source = match (&self.job.selected.source, archive) {
            (SelectedSource::Sdist(sdist), Some(archive)) => {
                format!("sdist {}\n{:?}", archive.hex(), sdist.subdirectory)
            }
            (SelectedSource::Git(GitSource { url, commit, subdirectory, lfs }), _) => {
                // Credentials in the URL make no difference.
                format!("commit {commit} of {}\n{subdirectory:?}\nlfs {lfs}", redact::text(url))
            }
            (SelectedSource::Directory(directory), _) => {
                let SourceBuilder { settings, outputs, .. } = self.source_builder;
                let (variables, cache) = (&settings.environment.references, self.source_builder.cache);
                return directory_key(
                    &self.job.selected.name,
                    directory,
                    outputs,
                    variables,
                    &self.builder.environment(),
                    cache,
                );
            }
            _ => return None,
        };
        Some(RecordKey::new(format!("built wheel {FORMAT}"), &[&source, &self.builder.environment()]))
    }

    /// Creates the temporary directory of the wheel, unless it exists.
    fn create_directory(&self) -> Result<(), BuildError> {
        create_below(&self.directory, Path::new("")).map_err(BuildError::temporary(&self.directory))
    }

    /// Returns the directory to build: the project itself, or the source that is unpacked or checked out at `source`.
    fn project(&self, archive: Option<&CachedSdist>, source: &Path) -> Result<PathBuf, BuildError> {
        match (&self.job.selected.source, archive) {
            (SelectedSource::Sdist(sdist), Some(archive)) => {
                create_below(source, Path::new("")).map_err(BuildError::temporary(source))?;
                let format = sdist.file.filename.format();
                unpack::unpack(&archive.path, format, source, UnpackLimits::default())
                    .and_then(|top| unpack::project_directory(&top, sdist.subdirectory.as_deref()))
                    .map_err(|error| self.unpack_error(error))
            }
            (SelectedSource::Git(repository), _) => {
                let environment = &self.source_builder.settings.environment;
                let search_path = environment.search_path();
                let git = Git::find(search_path, environment.has_git_ssh, self.source_builder.settings.fetch.offline)?;
                let fetching = RunningTask::start(self.reporter, Task::new(TaskKind::Fetch, &repository.url));
                git.check_out(repository, source, self.source_builder.cache, self.reporter)?;
                fetching.finish();
                unpack::project_directory(source, repository.subdirectory.as_deref())
                    .map_err(|error| self.unpack_error(error))
            }
            (SelectedSource::Directory(directory), _) => Ok(directory.clone()),
            // No job is created for these.
            (SelectedSource::Wheel(..) | SelectedSource::Virtual(_) | SelectedSource::Sdist(_), _) => {
                Err(BuildError::Empty)
            }
        }
    }

    fn unpack_error(&self, source: UnpackError) -> BuildError {
        BuildError::Unpack { origin: self.job.origin(), source }
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

/// Returns the cache key of the wheel of a directory; `None` if its inputs are not known.
pub(super) fn directory_key(
    name: &DistributionName,
    directory: &Path,
    outputs: &[PathBuf],
    variables: &Variables,
    environment: &str,
    cache: &Cache,
) -> Option<RecordKey> {
    let state = directory_state::state(directory, outputs, variables, cache)?;
    let source = format!("directory {name}\n{state}");
    Some(RecordKey::new(format!("built wheel {FORMAT}"), &[&source, &environment]))
}

/// Reads a built wheel that is not cached, as strictly as any other.
fn open(archive: PathBuf, filename: WheelFilename) -> Result<Wheel, BuildError> {
    let failed = BuildError::reading(&archive);
    let mut file = File::open(&archive).map_err(&failed)?;
    let mut hash = HashingWriter::new(std::io::sink());
    std::io::copy(&mut file, &mut hash).map_err(&failed)?;
    let (_, sha256, size) = hash.finish();
    let reading = wheel::survey(&file, &filename)?;
    Ok(Wheel::here(archive, &filename, (sha256, size), reading))
}
