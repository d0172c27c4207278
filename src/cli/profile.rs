//! `pybundle profile`: the built-in targets.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::error::CliError;
use super::printer::Printer;
use crate::target::Profile;

/// Arguments of `pybundle profile`.
#[derive(Debug, Args)]
pub struct ProfileArguments {
    #[command(subcommand)]
    command: ProfileCommand,
}

#[derive(Debug, Subcommand)]
enum ProfileCommand {
    /// List the built-in profiles
    List,
    /// Print a built-in profile, to start one of your own from
    Show {
        /// The profile, for instance python3.13
        name: String,
    },
}

/// Lists or shows profiles.
///
/// # Errors
/// There is no profile of the name.
pub fn run(arguments: ProfileArguments, printer: &Printer) -> Result<(), CliError> {
    match arguments.command {
        ProfileCommand::List => {
            let documents: Vec<Value> = Profile::all().iter().map(document).collect();
            printer.result(&documents, |page| {
                let rows: Vec<[String; 4]> = Profile::all().iter().map(row).collect();
                page.table(&rows, &[]);
            })
        }
        ProfileCommand::Show { name } => {
            let profile = Profile::built_in(&name)?;
            let text = Profile::built_in_text(&name)?;
            printer.result(&document(&profile), |page| page.line(text.trim_end()))
        }
    }
}

fn architectures(profile: &Profile) -> Vec<String> {
    profile.architectures.iter().map(ToString::to_string).collect()
}

fn row(profile: &Profile) -> [String; 4] {
    let available = if profile.available { "" } else { "not generally available" };
    let glibc = format!("glibc {}", profile.glibc);
    [profile.name.clone(), glibc, architectures(profile).join(", "), available.to_owned()]
}

fn document(profile: &Profile) -> Value {
    json!({
        "name": profile.name,
        "python": profile.python.to_string(),
        "available": profile.available,
        "glibc": profile.glibc.to_string(),
        "architectures": architectures(profile),
        "interpreter": profile.interpreter,
        "limits": { "direct_upload": profile.limits.direct_upload, "unzipped": profile.limits.unzipped },
        "runtime_distributions": profile.runtime_distributions,
    })
}
