//! Where a project without a lock declares its requirements, and the command that locks them.

use std::path::{Path, PathBuf};

use crate::lock::LockFormat;
use crate::project::pyproject::FILENAME;
use crate::project::workspace::Workspace;

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

    /// Returns the name of the lock that [`lock_command`](Self::lock_command) creates.
    pub(crate) fn lock_name(&self) -> &'static str {
        match self {
            Self::Pyproject => LockFormat::Uv.file_name(),
            Self::Poetry => LockFormat::Poetry.file_name(),
            Self::Pdm => LockFormat::Pdm.file_name(),
            Self::Pipfile => LockFormat::Pipfile.file_name(),
            Self::RequirementsIn | Self::SetupPy | Self::SetupCfg | Self::Conda | Self::Pixi | Self::PixiTable => {
                "requirements.txt"
            }
        }
    }

    /// Returns the command that locks the requirements, to be run in the project's directory.
    pub(crate) fn lock_command(&self) -> String {
        match self {
            Self::Pyproject => "uv lock".to_owned(),
            Self::Poetry => "poetry lock".to_owned(),
            Self::Pdm => "pdm lock".to_owned(),
            Self::Pipfile => "pipenv lock".to_owned(),
            Self::RequirementsIn | Self::SetupPy | Self::SetupCfg | Self::Conda | Self::Pixi | Self::PixiTable => {
                let file = if self.is_of_conda() { "requirements.in" } else { self.file_name() };
                format!("uv pip compile --universal --generate-hashes -o requirements.txt {file}")
            }
        }
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
