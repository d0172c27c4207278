//! The output format of results, errors and warnings.

use clap::ValueEnum;
use clap::error::ErrorKind;

use super::arguments::GlobalArguments;
use super::environment;

/// The variable that chooses the format if no flag does.
const VARIABLE: &str = "PYBUNDLE_OUTPUT_FORMAT";

/// An output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people
    #[default]
    Text,
    /// The result as one JSON document
    Json,
    /// Errors and warnings as annotations of a GitHub workflow
    Github,
    /// Errors and warnings as a code quality report of GitLab
    Gitlab,
    /// The paths and digests of what was built as a map of strings, for Terraform
    Terraform,
}

impl OutputFormat {
    /// Returns the requested format. A flag takes precedence over the environment.
    ///
    /// # Errors
    /// Two formats are requested, or the environment names an unknown one. The error is not yet that of a command, whose usage it
    /// shows.
    pub(crate) fn of(arguments: &GlobalArguments) -> Result<Self, clap::Error> {
        match (arguments.json, arguments.output_format) {
            (true, Some(other)) if other != Self::Json => {
                let name = other.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
                let message = format!("the argument '--json' cannot be used with '--output-format {name}'");
                Err(clap::Error::raw(ErrorKind::ArgumentConflict, message))
            }
            (true, _) => Ok(Self::Json),
            (false, Some(format)) => Ok(format),
            (false, None) => Self::of_environment(),
        }
    }

    /// Returns the format for an error of the command line, which was not parsed.
    pub(crate) fn of_unparsed() -> Self {
        if environment::has_switch("--json") {
            return Self::Json;
        }
        let flag = environment::option("output-format").and_then(|text| Self::from_str(&text, false).ok());
        flag.or_else(|| Self::of_environment().ok()).unwrap_or_default()
    }

    fn of_environment() -> Result<Self, clap::Error> {
        match environment::variable(VARIABLE) {
            None => Ok(Self::default()),
            Some(text) => Self::from_str(&text, false).map_err(|_| {
                let message =
                    format!("invalid value '{text}' for {VARIABLE}: expected text, json, github, gitlab or terraform");
                clap::Error::raw(ErrorKind::InvalidValue, message)
            }),
        }
    }
}
