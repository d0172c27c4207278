//! What a project can be started with.

use std::collections::BTreeMap;
use std::fmt;

use super::frameworks::{Framework, ServerInterface};
use crate::name::DistributionName;
use crate::syntax::SourceLine;

/// Why something counts as a Lambda handler, the most certain first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HandlerKind {
    /// A function named `lambda_handler` or `handler`.
    Named,
    /// The library that wraps an application in a handler.
    Adapter(&'static str),
    /// A function with a decorator of AWS Lambda Powertools.
    Powertools,
    /// Anything else named `lambda_handler`.
    Object,
    /// A function with parameters for an event and a context.
    Function,
}

impl fmt::Display for HandlerKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named => formatter.write_str("function with the name of a handler"),
            Self::Adapter(library) => write!(formatter, "created by {library}"),
            Self::Powertools => formatter.write_str("function with a Powertools decorator"),
            Self::Object => formatter.write_str("object named lambda_handler"),
            Self::Function => formatter.write_str("function of an event and a context"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DetectedHandler {
    /// `module.function`.
    pub(crate) handler: String,
    pub(crate) kind: HandlerKind,
    pub(crate) place: SourceLine,
}

/// An application that a server calls, or a function that returns one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DetectedApplication {
    pub(crate) module: String,
    /// The name of the application or the function in the module.
    pub(crate) name: String,
    /// Whether it is a function, which the server calls once.
    pub(crate) is_factory: bool,
    pub(crate) framework: Framework,
    pub(crate) place: SourceLine,
}

impl DetectedApplication {
    pub(super) fn interface(&self) -> ServerInterface {
        self.framework.interface
    }

    /// Returns the argument of servers: `module:name`.
    pub(crate) fn reference(&self) -> String {
        format!("{}:{}", self.module, self.name)
    }
}

/// Something that is started without a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DetectedCommand {
    pub(crate) command: Vec<String>,
    pub(crate) description: String,
    /// `None` for a console script, which pyproject.toml declares.
    pub(crate) place: Option<SourceLine>,
    /// The port that it listens on, if it is a server.
    pub(super) port: Option<u16>,
    /// The variables that it needs.
    pub(super) env: &'static [(&'static str, &'static str)],
}

/// Everything that a project can be started by, the likeliest of each kind first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct EntryPoints {
    pub(crate) handlers: Vec<DetectedHandler>,
    pub(crate) applications: Vec<DetectedApplication>,
    /// Console scripts, packages with a `__main__.py`, and modules with an `if __name__ == "__main__"`.
    pub(crate) commands: Vec<DetectedCommand>,
    /// The commands of workers that run beside a server.
    pub(crate) workers: Vec<DetectedCommand>,
    pub(super) django: Option<DjangoProject>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DjangoProject {
    /// The module with the settings, preferably those for production.
    pub(super) settings: Option<String>,
    /// The path of `manage.py` in the artifact.
    pub(super) manage: Option<String>,
}

impl EntryPoints {
    pub(super) fn is_empty(&self) -> bool {
        self.handlers.is_empty() && self.applications.is_empty() && self.commands.is_empty() && self.workers.is_empty()
    }

    /// Adds the console scripts of a package, beginning with the one that has the name of the package. Commands that start
    /// modules outside the package are removed, because these are not installed.
    pub(super) fn add_console_scripts(&mut self, scripts: &BTreeMap<String, String>, name: Option<&DistributionName>) {
        self.commands.retain(|found| found.place.as_ref().is_some_and(|place| place.path.ends_with("__main__.py")));
        let mut scripts: Vec<&String> = scripts.keys().collect();
        scripts.sort_by_key(|script| name.is_none_or(|name| script.parse().as_ref() != Ok(name)));
        let scripts = scripts.into_iter().map(|script| DetectedCommand {
            command: vec![script.clone()],
            description: format!("the console script {script}"),
            place: None,
            port: None,
            env: &[],
        });
        self.commands.splice(0..0, scripts);
    }
}
