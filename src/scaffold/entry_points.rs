//! Where a project can be started.

use std::collections::BTreeMap;
use std::fmt;

use super::frameworks::{Framework, ServerInterface};
use crate::name::DistributionName;
pub(crate) use crate::syntax::SourceLine;

/// Why something is taken for a Lambda handler, the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HandlerKind {
    /// A function with a handler's name.
    Named,
    /// What a library makes of an application.
    Adapter(&'static str),
    /// A function with a decorator of AWS Lambda Powertools.
    Powertools,
    /// Something else that is called `lambda_handler`.
    Object,
    /// A function of an event and a context.
    Function,
}

impl fmt::Display for HandlerKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named => formatter.write_str("a function with a handler's name"),
            Self::Adapter(library) => write!(formatter, "made by {library}"),
            Self::Powertools => formatter.write_str("a function that Powertools decorates"),
            Self::Object => formatter.write_str("a handler by its name"),
            Self::Function => formatter.write_str("a function of an event and a context"),
        }
    }
}

/// A Lambda handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DetectedHandler {
    /// The handler, `module.function`.
    pub(crate) handler: String,
    /// Why it is taken for one.
    pub(crate) kind: HandlerKind,
    /// Where it is.
    pub(crate) place: SourceLine,
}

/// An application that a server calls, or a function that returns one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DetectedApplication {
    /// The module.
    pub(crate) module: String,
    /// The name of the application in it, or of the function.
    pub(crate) name: String,
    /// Whether it is a function, which the server calls once.
    pub(crate) is_factory: bool,
    /// What it is made with.
    pub(crate) framework: Framework,
    /// Where it is.
    pub(crate) place: SourceLine,
}

impl DetectedApplication {
    /// Returns how a server calls it.
    pub(crate) fn interface(&self) -> ServerInterface {
        self.framework.interface
    }

    /// Returns what servers take: `module:name`.
    pub(crate) fn reference(&self) -> String {
        format!("{}:{}", self.module, self.name)
    }
}

/// Something that is started without a server: the words of its command, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DetectedCommand {
    /// The command.
    pub(crate) command: Vec<String>,
    /// What it is, as the end of a sentence.
    pub(crate) what: String,
    /// Where it is; a console script is declared, and has no place.
    pub(crate) place: Option<SourceLine>,
}

/// Everything that a project can be started by, the likeliest of each kind first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct EntryPoints {
    /// Lambda handlers.
    pub(crate) handlers: Vec<DetectedHandler>,
    /// Applications.
    pub(crate) applications: Vec<DetectedApplication>,
    /// Console scripts, packages with a `__main__.py`, and modules that do something when they are started.
    pub(crate) programs: Vec<DetectedCommand>,
    /// DjangoProject's settings.
    pub(crate) django: Option<DjangoProject>,
}

/// A project of DjangoProject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DjangoProject {
    /// The settings for production, as far as their names tell: the module.
    pub(crate) settings: Option<String>,
    /// Where its `manage.py` lies in the artifact.
    pub(crate) manage: Option<String>,
}

impl EntryPoints {
    /// Returns whether nothing was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.handlers.is_empty() && self.applications.is_empty() && self.programs.is_empty()
    }

    /// Adds the console scripts of a package, the one with its own name first. Modules beside a package are not installed
    /// with it, so they start nothing.
    pub(super) fn add_console_scripts(&mut self, scripts: &BTreeMap<String, String>, name: Option<&DistributionName>) {
        let is_module = |program: &DetectedCommand| program.command.first().is_some_and(|word| word == "python");
        let is_package =
            |program: &DetectedCommand| program.place.as_ref().is_some_and(|place| place.path.ends_with("__main__.py"));
        self.programs.retain(|program| is_module(program) && is_package(program));
        let mut scripts: Vec<&String> = scripts.keys().collect();
        scripts.sort_by_key(|script| name.is_none_or(|name| script.parse().as_ref() != Ok(name)));
        let scripts = scripts.into_iter().map(|script| DetectedCommand {
            command: vec![script.clone()],
            what: format!("the console script {script}"),
            place: None,
        });
        self.programs.splice(0..0, scripts);
    }
}
