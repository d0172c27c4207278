//! What a project has locked, and how it locks what it has not.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::ScaffoldError;
use crate::lock::requirements::RequirementsError;
use crate::lock::{Lock, LockError, LockFormat, SelectionRequest};
use crate::marker::Requirement;
use crate::name::DistributionName;
use crate::pipeline::plan::lock;
use crate::platform::TargetPlatform;
use crate::project::workspace::Workspace;
use crate::settings::Environment;

/// Files of requirements that are for production by their names, the likeliest first.
const REQUIREMENTS: [&str; 9] = [
    "requirements/production.txt",
    "requirements/prod.txt",
    "requirements/main.txt",
    "requirements/base.txt",
    "requirements/requirements.txt",
    "requirements/common.txt",
    "requirements-production.txt",
    "requirements-prod.txt",
    "requirements-base.txt",
];

/// What a project has locked.
#[derive(Debug, Clone)]
pub struct Locked {
    /// The lock; none if there is no lock.
    pub path: Option<PathBuf>,
    /// Whether it has to be named, because it is not looked for under its name.
    pub is_named: bool,
    /// Whether it leaves versions open.
    pub is_open: bool,
    /// The distributions that are bundled, or else those that the project declares.
    pub names: BTreeSet<DistributionName>,
    /// Why they are not selected from the lock, although there is one.
    pub trouble: Option<String>,
    /// The command that makes the lock, if one is needed.
    pub command: Option<String>,
    tool: Tool,
}

/// What people add dependencies with.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Tool {
    Uv,
    Poetry,
    /// A file of requirements.
    File(PathBuf),
}

impl Locked {
    /// Looks at the lock of a project.
    ///
    /// # Errors
    /// There is one, and it cannot be read.
    pub fn read(
        workspace: &Workspace,
        environment: &Environment,
        target: &TargetPlatform,
    ) -> Result<Self, ScaffoldError> {
        let folder = workspace.folder(workspace.current());
        let found = lock::find(workspace);
        let is_named = found.is_none();
        let path = found.or_else(|| REQUIREMENTS.map(|name| folder.join(name)).into_iter().find(|path| path.is_file()));
        let Some(path) = path else { return Ok(Self::missing(workspace, &folder)) };
        let lock = lock::read(&path, environment, workspace)?;
        let tool = match LockFormat::of(&path) {
            Some(LockFormat::Poetry) => Tool::Poetry,
            Some(LockFormat::Requirements) => Tool::File(path.strip_prefix(&folder).unwrap_or(&path).to_owned()),
            Some(LockFormat::Uv | LockFormat::Pylock) | None => Tool::Uv,
        };
        let selected = lock.select(&SelectionRequest::default(), &workspace.current().path, target);
        let mut locked = Self {
            path: Some(path),
            is_named,
            is_open: false,
            names: BTreeSet::new(),
            trouble: None,
            command: None,
            tool,
        };
        match (selected, &lock) {
            (Ok(selection), _) => {
                locked.names = selection.distributions.into_iter().map(|pinned| pinned.name).collect();
            }
            (Err(LockError::Requirements(error)), Lock::Requirements(requirements))
                if matches!(*error, RequirementsError::Unpinned { .. }) =>
            {
                locked.is_open = true;
                locked.names = requirements.extras(target).into_keys().collect();
            }
            (Err(error), _) => {
                locked.trouble = Some(error.to_string());
                locked.names = declared(workspace);
            }
        }
        Ok(locked)
    }

    fn missing(workspace: &Workspace, folder: &Path) -> Self {
        let has = |name: &str| folder.join(name).is_file();
        let is_poetry =
            workspace.current().pyproject.table.get("tool").is_some_and(|tool| tool.get("poetry").is_some());
        let compile = "uv pip compile --universal --generate-hashes -o requirements.txt";
        let (tool, command) = if has("requirements.in") {
            (Tool::File("requirements.in".into()), format!("{compile} requirements.in"))
        } else if has("Pipfile") {
            (Tool::Uv, "pipenv requirements --hash > requirements.txt".to_owned())
        } else if is_poetry {
            (Tool::Poetry, "poetry lock".to_owned())
        } else if has("pyproject.toml") {
            (Tool::Uv, "uv lock".to_owned())
        } else if has("setup.py") || has("setup.cfg") {
            let name = if has("setup.py") { "setup.py" } else { "setup.cfg" };
            (Tool::File(name.into()), format!("{compile} {name}"))
        } else {
            (Tool::File("requirements.txt".into()), "uv init --bare && uv lock".to_owned())
        };
        let is_needed = !lock::requires_nothing(workspace) || has("setup.py") || has("setup.cfg");
        Self {
            path: None,
            is_named: false,
            is_open: false,
            names: declared(workspace),
            trouble: None,
            command: is_needed.then_some(command),
            tool,
        }
    }

    /// Returns whether a distribution is bundled.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known.as_str() == name)
    }

    /// Says how a distribution is added.
    pub fn addition(&self, name: &str) -> String {
        match &self.tool {
            Tool::Uv => format!("`uv add {name}`"),
            Tool::Poetry => format!("`poetry add {name}`"),
            Tool::File(path) => format!("add {name} to {}", path.display()),
        }
    }

    /// Says how a distribution is added to a group, where there are groups.
    pub fn group_addition(&self, name: &str, group: &str) -> Option<String> {
        match &self.tool {
            Tool::Uv => Some(format!("`uv add --group {group} {name}`")),
            Tool::Poetry => Some(format!("`poetry add --group {group} {name}`")),
            Tool::File(_) => None,
        }
    }
}

/// Returns the distributions that a project declares as its dependencies.
fn declared(workspace: &Workspace) -> BTreeSet<DistributionName> {
    let table = &workspace.current().pyproject.table;
    let dependencies = |table: Option<&toml::Value>| table.and_then(|table| table.get("dependencies")).cloned();
    let standard = dependencies(table.get("project"));
    let poetry = dependencies(table.get("tool").and_then(|tool| tool.get("poetry")));
    let listed = standard.iter().filter_map(toml::Value::as_array).flatten().filter_map(toml::Value::as_str);
    let keys = poetry.iter().filter_map(toml::Value::as_table).flat_map(|table| table.keys());
    listed.filter_map(required_name).chain(keys.filter_map(|name| name.parse().ok())).collect()
}

/// Returns the distribution that a requirement is for.
pub(super) fn required_name(requirement: &str) -> Option<DistributionName> {
    Some(requirement.parse::<Requirement>().ok()?.name)
}
