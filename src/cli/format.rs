//! In which form is printed what a command has to say.

use clap::error::ErrorKind;
use clap::{CommandFactory, ValueEnum};

use super::arguments::GlobalArguments;
use super::{Cli, environment};

/// The variable that chooses the form where no flag does.
const VARIABLE: &str = "PYBUNDLE_OUTPUT_FORMAT";

/// In which form results, errors and warnings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people
    #[default]
    Text,
    /// The result as one JSON document
    Json,
    /// Errors and warnings as annotations of a GitHub workflow
    Github,
}

impl OutputFormat {
    /// Returns the form that is asked for: a flag comes before the environment.
    ///
    /// # Errors
    /// Two forms are asked for, or the environment names none that there is.
    pub(crate) fn of(arguments: &GlobalArguments) -> Result<Self, clap::Error> {
        match (arguments.json, arguments.output_format) {
            (true, Some(other)) if other != Self::Json => {
                let name = other.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
                let message = format!("the argument '--json' cannot be used with '--output-format {name}'");
                Err(Cli::command().error(ErrorKind::ArgumentConflict, message))
            }
            (true, _) => Ok(Self::Json),
            (false, Some(format)) => Ok(format),
            (false, None) => Self::of_environment(),
        }
    }

    /// Returns the form for what the arguments' parser refuses, which never came to know the arguments.
    pub(crate) fn of_refused() -> Self {
        let stated = environment::option("output-format").and_then(|text| Self::from_str(&text, false).ok());
        stated.or_else(|| Self::of_environment().ok()).unwrap_or_default()
    }

    fn of_environment() -> Result<Self, clap::Error> {
        match environment::variable(VARIABLE) {
            None => Ok(Self::default()),
            Some(text) => Self::from_str(&text, false).map_err(|_| {
                let message = format!("the variable {VARIABLE} is text, json or github, and not '{text}'");
                Cli::command().error(ErrorKind::InvalidValue, message)
            }),
        }
    }
}
