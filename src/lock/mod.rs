//! Lock files, and the selection of distributions for a target.
//!
//! [`Lock::select`] returns the [`Selection`] of the [`PinnedDistribution`]s of a lock. Then [`FileChooser`] chooses a file of each
//! by the target's compatibility tags, for all formats alike. Some formats do not list files; these are looked up on an index in
//! between.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::name::{DistributionName, ExtraName, GroupName};
use crate::platform::TargetPlatform;

mod error;
mod file_chooser;
mod foreign;
mod format_control;
mod hints;
#[cfg(test)]
mod linear_time;
mod locked_requirement;
mod path;
mod pdm;
mod pipfile;
mod poetry;
mod pylock;
mod python_json;
mod reference_context;
pub mod requirements;
mod requires_python;
mod selection;
mod sources;
mod toml_syntax;
mod uv;
mod wanted_wheel;

pub use error::{Inconsistency, LockError};
pub use file_chooser::FileChooser;
pub use foreign::ForeignTool;
pub(crate) use format_control::ExclusionStatement;
pub use format_control::{DistributionSet, ExclusionOrigin, FormatControl};
pub(crate) use locked_requirement::LockedRequirement;
pub use pipfile::PipfileEnvironment;
pub use selection::{
    AcceptedFiles, Dependent, DistributionFiles, DistributionSource, FileLocation, GitSource, IndexQuery, LockedFile,
    LockedSdist, LockedWheel, PYPI, PinnedDistribution, QueriedIndexes, SelectedDistribution, SelectedSource,
    Selection,
};
use sources::LockSource;
pub use wanted_wheel::WantedWheel;

/// A parsed lock file.
#[derive(Debug)]
pub enum Lock {
    /// uv.lock
    Uv(uv::UvLock),
    /// pylock.toml
    Pylock(pylock::Pylock),
    /// poetry.lock
    Poetry(poetry::PoetryLock),
    /// pdm.lock
    Pdm(pdm::PdmLock),
    /// Pipfile.lock
    Pipfile(pipfile::PipfileLock),
    /// requirements.txt
    Requirements(requirements::RequirementsTxt),
}

/// The format of a lock file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LockFormat {
    /// uv.lock, or the lock of a script, which ends in `.py.lock`.
    Uv,
    /// pylock.toml, or `pylock.NAME.toml`.
    Pylock,
    Poetry,
    Pdm,
    Pipfile,
    /// requirements.txt, any other `.txt` or `.in` file, or `requirements*.lock`, which Rye writes.
    Requirements,
}

impl LockFormat {
    /// The names of locks in a project's directory. The first that exists is used.
    pub(crate) const NAMES: [&str; 6] = [
        Self::Uv.file_name(),
        Self::Pylock.file_name(),
        Self::Poetry.file_name(),
        Self::Pdm.file_name(),
        Self::Pipfile.file_name(),
        Self::Requirements.file_name(),
    ];

    /// Returns the name of the lock in a project's directory.
    pub(crate) const fn file_name(self) -> &'static str {
        match self {
            Self::Uv => "uv.lock",
            Self::Pylock => "pylock.toml",
            Self::Poetry => "poetry.lock",
            Self::Pdm => "pdm.lock",
            Self::Pipfile => "Pipfile.lock",
            Self::Requirements => "requirements.txt",
        }
    }

    /// Returns the command that locks a project in this format; `None` if several tools write it.
    pub(crate) fn lock_command(self) -> Option<&'static str> {
        match self {
            Self::Uv => Some("uv lock"),
            Self::Poetry => Some("poetry lock"),
            Self::Pdm => Some("pdm lock"),
            Self::Pipfile => Some("pipenv lock"),
            Self::Pylock | Self::Requirements => None,
        }
    }

    /// Returns whether what a lock of this format contains depends on the project that reads it: the paths of requirements are
    /// relative to the project, a Pipfile.lock is compared with its Pipfile, and a poetry.lock or pdm.lock lacks what its
    /// pyproject.toml declares.
    pub(crate) fn depends_on_project(self) -> bool {
        match self {
            Self::Uv | Self::Pylock => false,
            Self::Poetry | Self::Pdm | Self::Pipfile | Self::Requirements => true,
        }
    }

    /// Returns the format that a file name implies.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let is_named_pylock = name.strip_prefix("pylock.").and_then(|rest| rest.strip_suffix(".toml"));
        match name {
            _ if ForeignTool::of_name(path).is_some() => None,
            "poetry.lock" => Some(Self::Poetry),
            "pdm.lock" => Some(Self::Pdm),
            "Pipfile.lock" => Some(Self::Pipfile),
            "pylock.toml" => Some(Self::Pylock),
            _ if is_named_pylock.is_some_and(|name| !name.is_empty() && !name.contains('.')) => Some(Self::Pylock),
            _ if name.ends_with(".txt") || name.ends_with(".in") => Some(Self::Requirements),
            _ if name.starts_with("requirements") && name.ends_with(".lock") => Some(Self::Requirements),
            _ if name.ends_with(".lock") => Some(Self::Uv),
            _ => None,
        }
    }
}

impl Lock {
    /// Parses a pylock.toml. Its paths are relative to the directory of `path`.
    ///
    /// # Errors
    ///
    /// Returns [`LockError`] if it is invalid, inconsistent, or of an unsupported version.
    pub fn parse_pylock(text: &str, path: &Path) -> Result<Self, LockError> {
        pylock::Pylock::parse(text, path).map(Self::Pylock)
    }

    /// Parses a poetry.lock. Its paths are relative to the directory of `path`. `project` is the lock's project, whose
    /// pyproject.toml has the requirements that older locks do not contain.
    ///
    /// # Errors
    ///
    /// Returns [`LockError`] if the lock is invalid, inconsistent, or of an unsupported version, or if the project is invalid.
    pub fn parse_poetry(text: &str, path: &Path, project: &LocalProject) -> Result<Self, LockError> {
        poetry::PoetryLock::parse(text, path, project).map(Self::Poetry)
    }

    /// Parses a pdm.lock. Its paths are relative to the directory of `path`. `project` is the lock's project, whose pyproject.toml
    /// has the requirements, groups and indexes that the lock does not contain. `variable` returns the value of an environment
    /// variable, which `${NAME}` stands for in the URL of an index.
    ///
    /// # Errors
    ///
    /// Returns [`LockError`] if the lock is invalid, inconsistent, or of an unsupported version, or if the project is invalid.
    pub fn parse_pdm(
        text: &str,
        path: &Path,
        project: &LocalProject,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, LockError> {
        pdm::PdmLock::parse(text, path, project, variable).map(Self::Pdm)
    }

    /// Parses a Pipfile.lock. Its paths are relative to the directory of `path`.
    ///
    /// # Errors
    ///
    /// Returns [`LockError`] if the lock is invalid, inconsistent, or of an unsupported version, or if the Pipfile is invalid.
    pub fn parse_pipfile(text: &str, path: &Path, environment: &PipfileEnvironment) -> Result<Self, LockError> {
        pipfile::PipfileLock::parse(text, path, environment).map(Self::Pipfile)
    }

    /// Parses a uv.lock. Its paths are relative to the directory of `path`.
    ///
    /// # Errors
    ///
    /// Returns [`LockError`] if it is invalid, inconsistent, or of an unsupported version.
    pub fn parse_uv(text: &str, path: &Path) -> Result<Self, LockError> {
        // The names of uv's locks are not the only ones that end in `.lock`.
        uv::UvLock::parse(text, path).map(Self::Uv).map_err(|error| match ForeignTool::of_text(text) {
            Some(tool) => LockError::ForeignLock { path: path.to_owned(), tool },
            None => error,
        })
    }

    /// Returns the error for a lock whose name implies no supported format; `None` if that is not another tool's either. `text` is
    /// its content.
    pub(crate) fn foreign(path: &Path, text: impl FnOnce() -> Option<String>) -> Option<LockError> {
        let tool = ForeignTool::of_name(path).or_else(|| ForeignTool::of_text(&text()?));
        tool.map(|tool| LockError::ForeignLock { path: path.to_owned(), tool })
    }

    /// Returns how to lock for other targets, if the lock is for one machine alone.
    pub(crate) fn hint_for_other_targets(&self) -> Option<&'static str> {
        match self {
            Self::Pylock(lock) => hints::of_one_machine(lock.created_by()),
            Self::Uv(_) | Self::Poetry(_) | Self::Pdm(_) | Self::Pipfile(_) | Self::Requirements(_) => None,
        }
    }

    /// Returns whether the lock says what each distribution requires. A pylock.toml need not.
    pub(crate) fn has_graph(&self) -> bool {
        match self {
            Self::Uv(_) | Self::Poetry(_) | Self::Pdm(_) => true,
            Self::Pylock(_) | Self::Pipfile(_) | Self::Requirements(_) => false,
        }
    }

    /// Returns whether the lock lists the project itself.
    pub(crate) fn lists_project(&self) -> bool {
        match self {
            Self::Uv(_) | Self::Poetry(_) => true,
            Self::Pylock(_) | Self::Pdm(_) | Self::Pipfile(_) | Self::Requirements(_) => false,
        }
    }

    /// Returns the requirements files that the lock consists of, if it does.
    pub(crate) fn requirements(&self) -> Option<&requirements::RequirementsTxt> {
        match self {
            Self::Requirements(requirements) => Some(requirements),
            Self::Uv(_) | Self::Pylock(_) | Self::Poetry(_) | Self::Pdm(_) | Self::Pipfile(_) => None,
        }
    }

    /// Returns the requested extras of each distribution on a target, if the lock has no graph of dependencies, so that only the
    /// distributions themselves tell whether it is complete.
    pub(crate) fn extras_without_graph(
        &self,
        target: &TargetPlatform,
    ) -> Option<BTreeMap<DistributionName, BTreeSet<ExtraName>>> {
        match self {
            Self::Pipfile(lock) => Some(lock.extras(target)),
            Self::Requirements(lock) => Some(lock.extras(target)),
            Self::Uv(_) | Self::Pylock(_) | Self::Poetry(_) | Self::Pdm(_) => None,
        }
    }

    /// Returns the indexes that the lock or its project lists, which are asked only for distributions of the lock.
    pub(crate) fn sources(&self) -> &[LockSource] {
        match self {
            Self::Pdm(lock) => lock.sources(),
            Self::Pipfile(lock) => lock.sources(),
            Self::Uv(_) | Self::Pylock(_) | Self::Poetry(_) | Self::Requirements(_) => &[],
        }
    }

    /// Compares the lock with all projects of its workspace, including the root's pyproject.toml even if that declares no project.
    ///
    /// # Errors
    ///
    /// Returns [`LockError::Outdated`] if the projects have changed since the lock was written.
    pub fn check_locked(&self, workspace: &[LocalProject]) -> Result<Freshness, LockError> {
        match self {
            Self::Uv(lock) => lock.check_locked(workspace),
            Self::Poetry(lock) => lock.check_locked(workspace),
            Self::Pdm(lock) => lock.check_locked(workspace),
            Self::Pipfile(lock) => lock.check_locked(),
            // These formats do not record their input.
            Self::Pylock(_) | Self::Requirements(_) => Ok(Freshness::Current),
        }
    }

    /// Returns the extras and groups of the requested projects. `project` is as for [`Lock::select`].
    pub(crate) fn extras_and_groups(&self, request: &SelectionRequest, project: &Path) -> ExtrasAndGroups {
        match self {
            Self::Uv(lock) => lock.extras_and_groups(request, project),
            Self::Pylock(lock) => lock.extras_and_groups(),
            Self::Poetry(lock) => lock.extras_and_groups(),
            Self::Pdm(lock) => lock.extras_and_groups(),
            Self::Pipfile(lock) => lock.extras_and_groups(),
            Self::Requirements(_) => ExtrasAndGroups::default(),
        }
    }

    /// Returns whether the lock lists a distribution, for any target and selection.
    pub(crate) fn lists(&self, name: &DistributionName) -> bool {
        match self {
            Self::Uv(lock) => lock.lists(name),
            Self::Pylock(lock) => lock.lists(name),
            Self::Poetry(lock) => lock.lists(name),
            Self::Pdm(lock) => lock.lists(name),
            Self::Pipfile(lock) => lock.lists(name),
            Self::Requirements(lock) => lock.lists(name),
        }
    }

    /// Selects the requested distributions for a target. `project` is the project's directory relative to the lock's, and empty
    /// for the lock's own directory.
    ///
    /// # Errors
    ///
    /// Returns [`LockError`] if the lock does not support the target, or does not contain what is requested.
    pub fn select(
        &self,
        request: &SelectionRequest,
        project: &Path,
        target: &TargetPlatform,
    ) -> Result<Selection, LockError> {
        match self {
            Self::Uv(lock) => lock.select(request, project, target),
            Self::Pylock(lock) => lock.select(request, target),
            Self::Poetry(lock) => lock.select(request, target),
            Self::Pdm(lock) => lock.select(request, target),
            Self::Pipfile(lock) => lock.select(request, target),
            Self::Requirements(lock) => lock.select(request, target),
        }
    }
}

/// A project of a lock's workspace.
#[derive(Debug, Clone)]
pub struct LocalProject {
    /// The directory, relative to the lock's; empty for the lock's own.
    pub path: PathBuf,
    /// Whether it is a script, whose requirements are at the top level of its metadata.
    pub script: bool,
    /// The parsed pyproject.toml, or the metadata of a script.
    pub table: toml::Table,
    /// Whether it is built and installed as a distribution.
    pub is_package: bool,
}

/// Whether a lock is up to date with its projects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Freshness {
    /// The lock is up to date.
    Current,
    /// No differences were found, but the files alone do not suffice, for these reasons. `uv lock --check` decides.
    Unknown(Vec<String>),
}

/// Extras and dependency groups of projects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ExtrasAndGroups {
    pub(crate) extras: BTreeSet<ExtraName>,
    pub(crate) groups: BTreeSet<GroupName>,
}

/// What to select from a lock. The fields correspond to the flags of `uv export`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SelectionRequest {
    /// The workspace member to bundle, instead of the project in the given directory.
    pub package: Option<DistributionName>,
    /// The extras.
    pub extras: BTreeSet<ExtraName>,
    /// Whether to include every extra of the root.
    pub all_extras: bool,
    /// Groups in addition to the project's dependencies.
    pub groups: BTreeSet<GroupName>,
    /// Groups that are not included although they are named; they are not among `groups`.
    pub excluded_groups: BTreeSet<GroupName>,
    /// Groups instead of the project and its dependencies.
    pub only_groups: BTreeSet<GroupName>,
    /// Whether to exclude the default groups of a pylock.toml. With other formats, no groups are selected by default.
    pub no_default_groups: bool,
    /// Whether to exclude the root project itself, but not its dependencies.
    pub no_install_project: bool,
    /// Whether to exclude every workspace member, but not their dependencies.
    pub no_install_workspace: bool,
    /// Distributions to exclude, but not their dependencies.
    pub no_install_packages: BTreeSet<DistributionName>,
    /// Only these distributions and what they require; empty for all.
    pub distributions: BTreeSet<DistributionName>,
}

impl SelectionRequest {
    /// Returns whether an extra of the root is requested.
    pub(crate) fn selects(&self, extra: &ExtraName) -> bool {
        self.all_extras || self.extras.contains(extra)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_imply_formats() {
        for (name, expected) in [
            ("uv.lock", Some(LockFormat::Uv)),
            ("script.py.lock", Some(LockFormat::Uv)),
            ("poetry.lock", Some(LockFormat::Poetry)),
            ("pylock.toml", Some(LockFormat::Pylock)),
            ("pylock.prod.toml", Some(LockFormat::Pylock)),
            ("requirements.txt", Some(LockFormat::Requirements)),
            ("requirements/prod.txt", Some(LockFormat::Requirements)),
            ("requirements.lock", Some(LockFormat::Requirements)),
            ("requirements-dev.lock", Some(LockFormat::Requirements)),
            ("Pipfile", None),
            ("Pipfile.lock", Some(LockFormat::Pipfile)),
            ("pdm.lock", Some(LockFormat::Pdm)),
            ("pixi.lock", None),
        ] {
            assert_eq!(LockFormat::of(Path::new(name)), expected, "{name}");
        }
    }
}
