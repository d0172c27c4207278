//! `pybundle profile`: lists and shows the built-in profiles.

use clap::{Args, Subcommand};

use super::error::CliError;
use super::printer::Printer;
use crate::platform::Profile;
use crate::report::{
    FORMAT_VERSION, ImageProfileReport, LambdaProfileReport, ProfileDescription, ProfileLimits, ProfileListReport,
    ProfileReport,
};

/// Arguments of `pybundle profile`.
#[derive(Debug, Args)]
pub(crate) struct ProfileArguments {
    #[command(subcommand)]
    command: ProfileCommand,
}

#[derive(Debug, Subcommand)]
enum ProfileCommand {
    /// List the built-in profiles
    List,
    /// Print a built-in profile as TOML
    Show {
        /// Name of the profile, such as python3.13
        name: String,
    },
}

/// Lists or shows profiles.
///
/// # Errors
/// There is no profile of this name.
pub(crate) fn run(arguments: ProfileArguments, printer: &Printer) -> Result<(), CliError> {
    match arguments.command {
        ProfileCommand::List => {
            let profiles = Profile::all().iter().map(description).collect();
            printer.result(&ProfileListReport { format: FORMAT_VERSION, profiles }, |page| {
                let rows: Vec<[String; 4]> = Profile::all().iter().map(row).collect();
                page.table(&rows, &[]);
            })
        }
        ProfileCommand::Show { name } => {
            let profile = Profile::built_in(&name, None)?;
            let text = Profile::built_in_text(&name)?;
            let report = ProfileReport { format: FORMAT_VERSION, profile: description(&profile) };
            printer.result(&report, |page| page.line(text.trim_end()))
        }
    }
}

fn names<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn row(profile: &Profile) -> [String; 4] {
    let (what, architectures, remark) = match profile {
        Profile::Lambda(runtime) => {
            let remark = if runtime.available { "" } else { "not generally available" };
            (format!("glibc {}", runtime.glibc), names(&runtime.architectures), remark.to_owned())
        }
        Profile::Image(image) => {
            let python = names(&image.pythons).join(", ");
            ("image".to_owned(), names(&image.architectures), format!("Python {python}"))
        }
    };
    [profile.name().to_owned(), what, architectures.join(", "), remark]
}

fn description(profile: &Profile) -> ProfileDescription {
    match profile {
        Profile::Lambda(runtime) => ProfileDescription::Lambda(LambdaProfileReport {
            name: runtime.name.clone(),
            python: runtime.python.to_string(),
            available: runtime.available,
            glibc: runtime.glibc.to_string(),
            architectures: names(&runtime.architectures),
            interpreter: runtime.interpreter.clone(),
            limits: ProfileLimits {
                direct_upload: runtime.limits.direct_upload,
                unzipped: runtime.limits.unzipped,
                zip: runtime.limits.zip,
            },
            runtime_distributions: names(&runtime.runtime_distributions),
        }),
        Profile::Image(image) => ProfileDescription::Image(ImageProfileReport {
            name: image.name.clone(),
            pythons: names(&image.pythons),
            architectures: names(&image.architectures),
            bases: image.pythons.iter().map(|python| image.target(*python).base).collect(),
        }),
    }
}
