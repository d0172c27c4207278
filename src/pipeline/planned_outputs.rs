//! Outputs before anything is built: what they would destroy.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use crate::archive::destination::{self, Destination, FileFormat};
use crate::image::file::{ImageFile, ImageFormat};
use crate::lambda::PackageOutput;
use crate::lock::{FileLocation, SelectedSource};
use crate::pipeline::plan::{LockedProject, Plan};
use crate::pipeline::{BuildError, documents};
use crate::project::pyproject::FILENAME;
use crate::project::python_pin::python_pin_files;
use crate::settings::{BaseChoice, DocumentSettings, ProfileChoice, Settings};
use crate::tree::{FileContent, TreeEntry};

/// A file or a directory that is going to be written.
pub(crate) struct PlannedOutput {
    path: PathBuf,
    /// `None` for a directory, which is checked when it is written.
    format: Option<FileFormat>,
    /// The paths of the documents that are written beside it.
    documents: Vec<PathBuf>,
}

impl PlannedOutput {
    /// Returns a function or a layer, with the documents about it if it is a function.
    pub(crate) fn package(output: &PackageOutput, documents: Option<&DocumentSettings>) -> Self {
        let path = output.path();
        let documents = documents.map(|settings| documents::planned(settings, path)).unwrap_or_default();
        Self { path: path.to_owned(), format: output.zip().map(|_| FileFormat::Zip), documents }
    }

    /// Returns an image. A Docker archive has no room for documents.
    pub(crate) fn image(file: &ImageFile, settings: &DocumentSettings) -> Self {
        let (format, documents) = match file.format {
            ImageFormat::Layout => (None, Vec::new()),
            ImageFormat::OciArchive => (Some(FileFormat::Tar), Vec::new()),
            ImageFormat::DockerArchive => (Some(FileFormat::Tar), documents::planned(settings, &file.path)),
        };
        Self { path: file.path.clone(), format, documents }
    }

    /// Returns the files that are replaced by this output, each with its new format.
    fn files(&self) -> impl Iterator<Item = (&Path, FileFormat)> {
        let documents = self.documents.iter().map(|path| (path.as_path(), FileFormat::Json));
        self.format.map(|format| (self.path.as_path(), format)).into_iter().chain(documents)
    }
}

/// Refuses outputs that would destroy something: an input of the build, a file of the application, or an existing file in
/// another format.
///
/// # Errors
/// An output is one of those, its path has a control character, or there is no place for the documents about it.
pub(crate) fn check(
    outputs: &[PlannedOutput],
    plans: &[Plan],
    settings: &Settings,
    base: Option<&BaseChoice>,
) -> Result<(), BuildError> {
    check_inputs(outputs, || BuildInputs::new(plans, settings, base))
}

/// Refuses the outputs of which the project tells that they would destroy something, before a registry or an index is asked.
///
/// # Errors
/// As for [`check`].
pub(crate) fn check_early(
    outputs: &[PlannedOutput],
    project: &LockedProject,
    settings: &Settings,
    base: Option<&BaseChoice>,
) -> Result<(), BuildError> {
    check_inputs(outputs, || {
        let mut inputs = BuildInputs::new(&[], settings, base);
        inputs.note_project(project);
        inputs
    })
}

fn check_inputs(outputs: &[PlannedOutput], find: impl Fn() -> BuildInputs) -> Result<(), BuildError> {
    let mut inputs = None;
    for output in outputs {
        // A line break in a path would forge outputs of a workflow's step.
        if output.path.to_string_lossy().chars().any(char::is_control) {
            return Err(BuildError::OutputName(output.path.clone()));
        }
        if output.format.is_none() && !output.documents.is_empty() {
            return Err(BuildError::DocumentsBeside(output.path.clone()));
        }
        let destination = output.format.map(|_| Destination::of(&in_resolved_directory(&output.path)));
        if destination.is_some_and(|destination| destination != Destination::File) {
            if !output.documents.is_empty() {
                return Err(BuildError::DocumentsBeside(output.path.clone()));
            }
            continue;
        }
        let inputs = inputs.get_or_insert_with(&find);
        if let Some(input) = inputs.input(output) {
            return Err(BuildError::OutputIsInput { path: output.path.clone(), input });
        }
        for (path, format) in output.files() {
            let replaced = in_resolved_directory(path);
            if inputs.has_application_file(&replaced) && !destination::is_own(&replaced, format) {
                return Err(BuildError::OutputIsInput { path: path.to_owned(), input: APPLICATION });
            }
            destination::check_replaceable(&replaced, format)?;
        }
    }
    Ok(())
}

const APPLICATION: &str = "a file of the application";

/// The files that declare a project.
const PROJECT_FILES: [&str; 4] = [FILENAME, "setup.py", "setup.cfg", "uv.toml"];

/// What identifies a file, whatever the path by which it is named: its device and its number on it.
type FileIdentity = (u64, u64);

/// The files that a build reads.
struct BuildInputs {
    /// What each is, for messages.
    files: HashMap<FileIdentity, &'static str>,
    application: HashMap<FileIdentity, &'static str>,
    /// The OCI layout of the base image.
    base: Option<PathBuf>,
}

impl BuildInputs {
    fn new(plans: &[Plan], settings: &Settings, base: Option<&BaseChoice>) -> Self {
        let base = match base {
            Some(BaseChoice::File(file)) => Some(file.path.as_path()),
            _ => None,
        };
        let base_directory = base.and_then(|base| base.canonicalize().ok()).filter(|base| base.is_dir());
        let mut inputs = Self { files: HashMap::new(), application: HashMap::new(), base: base_directory };
        note(base, "the base image", &mut inputs.files);
        if let ProfileChoice::File(path) = &settings.profile {
            note([path.as_path()], "the profile", &mut inputs.files);
        }
        for plan in plans {
            inputs.note_project(plan.project);
            for stage in plan.stages() {
                let locked = distributions(stage);
                note(locked.iter().map(PathBuf::as_path), "a locked distribution", &mut inputs.files);
                note(stage.application.all_files().filter_map(file), APPLICATION, &mut inputs.application);
            }
        }
        inputs
    }

    /// Records the files that declare a project, and its lock.
    fn note_project(&mut self, project: &LockedProject) {
        note(project.paths.iter().map(PathBuf::as_path), "the lock file", &mut self.files);
        let workspace = &project.workspace;
        for member in workspace.members.iter() {
            let directory = workspace.directory(member);
            let python: Vec<PathBuf> = python_pin_files(&directory).collect();
            let declared = PROJECT_FILES.map(|name| directory.join(name));
            note(python.iter().chain(&declared).map(PathBuf::as_path), "a file of the project", &mut self.files);
        }
    }

    /// Returns what an output is, if it is an input. A file or a link to one is replaced itself, a directory where a link
    /// leads to.
    fn input(&self, output: &PlannedOutput) -> Option<&'static str> {
        let (path, is_directory) = (&output.path, output.format.is_none());
        let metadata =
            if is_directory { resolved(path).metadata() } else { in_resolved_directory(path).symlink_metadata() };
        let found = metadata.ok().and_then(|metadata| self.files.get(&(metadata.dev(), metadata.ino())));
        let is_in_base = || self.base.as_ref().is_some_and(|base| resolved(path).starts_with(base));
        found.copied().or_else(|| is_in_base().then_some("a part of the base image"))
    }

    /// Returns whether an output would replace a file of the application. An empty one, as from `mktemp`, is no loss.
    fn has_application_file(&self, path: &Path) -> bool {
        path.symlink_metadata().is_ok_and(|metadata| {
            metadata.len() > 0 && self.application.contains_key(&(metadata.dev(), metadata.ino()))
        })
    }
}

/// Records files, each also as the link by which it is named.
fn note<'a>(
    paths: impl IntoIterator<Item = &'a Path>,
    what: &'static str,
    files: &mut HashMap<FileIdentity, &'static str>,
) {
    for path in paths {
        for metadata in [path.symlink_metadata(), path.metadata()].into_iter().flatten() {
            files.entry((metadata.dev(), metadata.ino())).or_insert(what);
        }
    }
}

/// Returns the wheels and source distributions that are on this machine.
pub(crate) fn distributions(plan: &Plan) -> Vec<PathBuf> {
    let locations = plan.selected.iter().filter_map(|selected| match &selected.source {
        SelectedSource::Wheel(wheel, _) => Some(&wheel.location),
        SelectedSource::Sdist(sdist) => Some(&sdist.file.location),
        SelectedSource::Git(_) | SelectedSource::Directory(_) | SelectedSource::Virtual(_) => None,
    });
    let paths = locations.filter_map(|location| match location {
        FileLocation::Path(path) => Some(path.clone()),
        FileLocation::Url { url, .. } if url.scheme() == "file" => url.to_file_path().ok(),
        FileLocation::Url { .. } => None,
    });
    paths.collect()
}

fn file(entry: &TreeEntry) -> Option<&Path> {
    match &entry.content {
        FileContent::File { path, .. } => Some(path),
        FileContent::Archived { .. } | FileContent::Bytes(_) | FileContent::Deferred(_) => None,
    }
}

/// Checks that no output is written over another one; each comes with the name of its target, if that is one of several.
///
/// # Errors
/// Two are the same, or one is in another, which is a directory that is replaced as a whole.
pub(crate) fn check_distinct<'a>(
    outputs: impl IntoIterator<Item = (&'a Path, Option<&'a str>)>,
) -> Result<(), BuildError> {
    let mut earlier: BTreeMap<PathBuf, (&Path, Option<&str>)> = BTreeMap::new();
    for (output, target) in outputs {
        if let Some((_, other)) = earlier.insert(resolved(output), (output, target)) {
            return Err(BuildError::SameOutput { path: output.to_owned(), targets: of_targets(other, target) });
        }
    }
    for (path, (inner, target)) in &earlier {
        if let Some((outer, other)) = path.ancestors().skip(1).find_map(|above| earlier.get(above)) {
            let (inner, outer) = ((*inner).to_owned(), (*outer).to_owned());
            return Err(BuildError::NestedOutput { inner, outer, targets: of_targets(*other, *target) });
        }
    }
    Ok(())
}

/// Names the targets of two outputs, as the end of a message.
fn of_targets(one: Option<&str>, other: Option<&str>) -> String {
    match (one, other) {
        (Some(one), Some(other)) if one == other => format!(": see the target `{one}`"),
        (Some(one), Some(other)) => format!(": see the targets `{one}` and `{other}`"),
        _ => String::new(),
    }
}

/// Canonicalizes a path that may not exist yet, as far as its directories exist: `new/../function.zip` is `function.zip`, since
/// the missing directory is created first. All names of standard output are one.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    if destination::is_standard_output(path) {
        return "-".into();
    }
    let Ok(absolute) = std::path::absolute(path) else { return path.to_owned() };
    let mut resolved = PathBuf::new();
    for component in absolute.components() {
        // A link has been replaced by its target, so the directory above is the path without its last component.
        if component == Component::ParentDir {
            resolved.pop();
        } else {
            resolved.push(component);
        }
        resolved = resolved.canonicalize().unwrap_or(resolved);
    }
    resolved
}

/// Returns a path with its directory canonicalized: a link at the path itself is replaced, not followed.
fn in_resolved_directory(path: &Path) -> PathBuf {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => resolved(parent).join(name),
        _ => resolved(path),
    }
}
