//! The project that a command is about: the argument PROJECT, which is a directory, a script or the name of a target.

use std::path::{Path, PathBuf};

use super::annotation;
use super::arguments::ProjectArguments;
use super::error::CliError;
use crate::hints::{self, Hints, did_you_mean, nearest};
use crate::lock::LockFormat;
use crate::name::DistributionName;
use crate::options::{ConfigurationError, ProjectConfiguration, TargetOptions};
use crate::pipeline::ProjectCache;
use crate::project::script;
use crate::trim::SlimRule;

/// The working directory.
const HERE: &str = ".";

/// Why the argument PROJECT is not usable.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidProject {
    /// As a name that is neither.
    #[error("`{name}` is neither a directory nor a target of this project")]
    Unknown { name: String, targets: Vec<String> },
    #[error("{} is neither the directory of a project nor a script", .0.display())]
    File(PathBuf),
    #[error("cannot configure {}: a script needs no more than its metadata", .0.display())]
    NotConfigured(PathBuf),
    /// Where a project could follow an artifact.
    #[error("{other} is another artifact, not a project")]
    Artifact { artifact: String, other: String },
    /// A directory inside a project.
    #[error("{} is not a project: it contains no pyproject.toml and no lock", directory.display())]
    InsideProject {
        directory: PathBuf,
        /// The project that contains it.
        project: PathBuf,
        /// Its path in the project.
        path: PathBuf,
    },
}

impl Hints for InvalidProject {
    fn hints(&self) -> Vec<String> {
        let (name, hint) = match self {
            Self::Unknown { name, targets } => {
                let hint = match nearest(name, targets.iter().map(String::as_str)) {
                    Some(nearest) => did_you_mean(nearest),
                    None if targets.is_empty() => "name a directory that exists: the project has no targets".to_owned(),
                    None => format!("the targets are {}", targets.join(", ")),
                };
                (name.as_str(), hint)
            }
            Self::File(_) => return vec!["name the directory, or nothing for the working directory".to_owned()],
            Self::Artifact { artifact, other } => {
                let [one, two] = [artifact, other].map(|name| hints::quoted_path(Path::new(name)));
                return vec![format!("compare the two with `pybundle diff {one} {two}`")];
            }
            Self::NotConfigured(script) => {
                let script = hints::quoted_path(script);
                return vec![format!("run `pybundle lambda {script}` or `pybundle image {script}`")];
            }
            Self::InsideProject { directory, project, path } => (
                directory.to_str().unwrap_or_default(),
                format!(
                    "pass {} to bundle the project that contains it; add --include {}:. to bundle only these files, with the \
                     dependencies of that project",
                    project.display(),
                    path.display()
                ),
            ),
        };
        // A value of --slim is optional, so it needs the equals sign.
        let slim = name.parse::<SlimRule>().ok().map(|rule| format!("if it is meant for --slim, write --slim={rule}"));
        slim.into_iter().chain([hint]).collect()
    }
}

impl ProjectArguments {
    /// Finds the project, and the target if PROJECT is the name of one. The working directory may be anywhere in a project;
    /// a directory that is named must be one, and a file a script.
    ///
    /// # Errors
    /// The directory is not a project or the file no script, or it cannot be read.
    pub(super) fn locate(self, package: Option<&DistributionName>, projects: &ProjectCache) -> Result<Self, CliError> {
        let named = self.project.to_str().filter(|text| !text.contains('/') && !matches!(*text, "." | ".."));
        if let Some(name) = named
            && self.target.is_none()
        {
            let targets = match ProjectConfiguration::read(Path::new(HERE), package, projects.workspaces()) {
                Ok(configuration) => configuration.targets().map(|(name, _)| name.to_owned()).collect(),
                // Whether the working directory is a project does not matter to a directory that is named.
                Err(_) if self.project.exists() => Vec::new(),
                Err(error) => return Err(error.into()),
            };
            if targets.iter().any(|target: &String| target == name) {
                return Self { project: HERE.into(), target: Some(name.to_owned()) }.locate(package, projects);
            }
            if !self.project.exists() {
                return Err(InvalidProject::Unknown { name: name.to_owned(), targets }.into());
            }
        }
        Ok(Self { project: locate(&self.project, projects)?, ..self })
    }
}

impl ProjectArguments {
    /// Names the project's only target of a kind, unless a target is named or flags say what is started. Of several, returns
    /// that they are not used, and how `command` is told one.
    ///
    /// # Errors
    /// The configuration of the project is invalid.
    pub(super) fn with_only_target<O: TargetOptions>(
        self,
        flags: &O,
        projects: &ProjectCache,
        command: &str,
    ) -> Result<(Self, Option<String>), CliError> {
        if self.target.is_some() || flags.starts_something() {
            return Ok((self, None));
        }
        let package = flags.common().selection.package.as_ref();
        let configuration = ProjectConfiguration::read(&self.project, package, projects.workspaces())?;
        let of_kind = configuration.targets().filter(|(_, kind)| *kind == O::KIND).map(|(name, _)| name.to_owned());
        Ok(match &of_kind.collect::<Vec<String>>()[..] {
            [] => (self, None),
            [only] => (Self { target: Some(only.clone()), ..self }, None),
            several => {
                let warning = format!(
                    "the targets {} are not used: name one, as in `pybundle {command} {}`, or build all with `pybundle build`",
                    several.join(", "),
                    several[0]
                );
                (self, Some(warning))
            }
        })
    }
}

/// Returns the directory of the project that a directory belongs to, as the user would name it, or a script itself.
///
/// # Errors
/// The directory is named, but not a project itself, or it or the script cannot be read.
pub(super) fn locate(directory: &Path, projects: &ProjectCache) -> Result<PathBuf, CliError> {
    if directory.is_file() && !script::is_script(directory) {
        return Err(InvalidProject::File(directory.to_owned()).into());
    }
    let workspace =
        projects.workspaces().discover(directory, &LockFormat::NAMES).map_err(ConfigurationError::Project)?;
    let project = workspace.directory(workspace.current());
    let members = workspace.members.iter().map(|member| workspace.directory(member));
    annotation::remember_projects(std::iter::once(project.clone()).chain(members));
    if workspace.script().is_some() {
        return Ok(directory.to_owned());
    }
    let Ok(canonical) = directory.canonicalize() else { return Ok(directory.to_owned()) };
    let Some(path) = canonical.strip_prefix(&project).ok().filter(|path| !path.as_os_str().is_empty()) else {
        return Ok(directory.to_owned());
    };
    if directory != Path::new(HERE) {
        let (directory, path) = (directory.to_owned(), path.to_owned());
        return Err(InvalidProject::InsideProject { directory, project, path }.into());
    }
    Ok(path.components().map(|_| "..").collect())
}
