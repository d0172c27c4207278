//! Where a project without a lock declares its requirements, and the command that locks them.

use std::path::{Path, PathBuf};

use crate::lock::{ForeignTool, LockFormat};
use crate::project::pyproject::FILENAME;
use crate::project::workspace::Workspace;

/// The files besides pyproject.toml that say that a project without a lock requires something: of uv, pipenv, conda and pixi.
pub(super) const DECLARING_FILES: [&str; 5] =
    ["requirements.in", "Pipfile", "environment.yml", "environment.yaml", "pixi.toml"];

/// Returns the files in a project's directory that decide whether a project without a lock requires something: those that
/// declare it, and the locks of other tools.
pub(crate) fn declaring_files() -> impl Iterator<Item = &'static str> {
    DECLARING_FILES.into_iter().chain(ForeignTool::file_names())
}

/// Where a project without a lock declares its requirements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RequirementsSource {
    RequirementsIn,
    Pipfile,
    /// `[tool.poetry]` in pyproject.toml.
    Poetry,
    /// `[tool.pdm]` beside `[project]` in pyproject.toml.
    Pdm,
    Pyproject,
    SetupPy,
    SetupCfg,
    /// conda's environment.yml, which no tool locks for pip.
    Conda,
    /// pixi.toml, or `[tool.pixi]` in pyproject.toml.
    Pixi,
    PixiTable,
}

impl RequirementsSource {
    /// Returns where the project declares its requirements; `None` if it has none of these files.
    pub(crate) fn of(workspace: &Workspace) -> Option<Self> {
        let project = workspace.current();
        let directory = workspace.directory(project);
        let table = project.pyproject.table();
        let is_poetry = table.get("tool").is_some_and(|tool| tool.get("poetry").is_some());
        let is_pdm = table.get("tool").is_some_and(|tool| tool.get("pdm").is_some());
        // A pyproject.toml without `[project]` may only choose the build backend of a setup.py.
        let is_standard = table.contains_key("project");
        // pixi also takes distributions from `[project]`, which uv locks.
        let has_dependencies = table.get("project").is_some_and(|project| project.get("dependencies").is_some());
        let is_pixi = !has_dependencies && table.get("tool").is_some_and(|tool| tool.get("pixi").is_some());
        let order = [
            (Self::RequirementsIn, true),
            (Self::Pipfile, true),
            (Self::Poetry, is_poetry),
            (Self::PixiTable, is_pixi),
            (Self::Pdm, is_pdm && is_standard),
            (Self::Pyproject, is_standard),
            (Self::SetupPy, true),
            (Self::SetupCfg, true),
            (Self::Pixi, true),
            (Self::Pyproject, true),
            (Self::Conda, true),
        ];
        let found =
            order.into_iter().find(|(source, applies)| *applies && directory.join(source.file_name()).is_file());
        found.map(|(source, _)| source)
    }

    pub(crate) fn file_name(&self) -> &'static str {
        match self {
            Self::RequirementsIn => "requirements.in",
            Self::Pipfile => "Pipfile",
            Self::Poetry | Self::Pdm | Self::Pyproject | Self::PixiTable => FILENAME,
            Self::SetupPy => "setup.py",
            Self::SetupCfg => "setup.cfg",
            Self::Conda => "environment.yml",
            Self::Pixi => "pixi.toml",
        }
    }

    /// Returns the format of the lock that [`lock_command`](Self::lock_command) creates.
    fn lock_format(&self) -> LockFormat {
        match self {
            Self::Pyproject => LockFormat::Uv,
            Self::Poetry => LockFormat::Poetry,
            Self::Pdm => LockFormat::Pdm,
            Self::Pipfile => LockFormat::Pipfile,
            Self::RequirementsIn | Self::SetupPy | Self::SetupCfg | Self::Conda | Self::Pixi | Self::PixiTable => {
                LockFormat::Requirements
            }
        }
    }

    /// Returns the name of that lock.
    pub(crate) fn lock_name(&self) -> &'static str {
        self.lock_format().file_name()
    }

    /// Returns the command that locks the requirements, to be run in the project's directory.
    pub(crate) fn lock_command(&self) -> String {
        self.lock_format().lock_command().map_or_else(
            || {
                let file = if self.is_of_conda() { "requirements.in" } else { self.file_name() };
                format!("uv pip compile --universal --generate-hashes -o {} {file}", self.lock_name())
            },
            str::to_owned,
        )
    }

    /// Tells whether it names packages of conda, which are not bundled.
    pub(crate) fn is_of_conda(&self) -> bool {
        matches!(self, Self::Conda | Self::Pixi | Self::PixiTable)
    }

    /// Returns the file if `uv pip compile` can read it.
    pub(crate) fn resolvable(&self, directory: &Path) -> Option<PathBuf> {
        match self {
            Self::Pipfile | Self::Conda | Self::Pixi | Self::PixiTable => None,
            Self::RequirementsIn | Self::Poetry | Self::Pdm | Self::Pyproject | Self::SetupPy | Self::SetupCfg => {
                Some(directory.join(self.file_name()))
            }
        }
    }
}
