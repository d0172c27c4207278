//! `pybundle config`: shows the configuration, and where each value is set.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::environment;
use super::error::CliError;
use super::printer::Printer;
use super::text_page::TextPage;
use crate::name::DistributionName;
use crate::options::{
    self, ImageOptions, LambdaOptions, LayerOptions, OptionValues, ProjectConfiguration, ResolvedOptions, TargetKind,
    ValueSource,
};
use crate::project::WorkspaceCache;
use crate::redact;
use crate::report::{ConfigurationReport, FORMAT_VERSION, InForceReport, ValueReport};
use crate::settings::Environment;

/// Arguments of `pybundle config`.
#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Show the values of each target, and where each is set
    Show {
        /// Directory of the project
        #[arg(default_value = ".", value_name = "PROJECT", value_hint = ValueHint::DirPath)]
        project: PathBuf,
        /// Show the configuration of this workspace member
        #[arg(long, value_name = "NAME")]
        package: Option<DistributionName>,
        /// Show only this target
        #[arg(long, value_name = "NAME")]
        target: Option<String>,
        /// Show the keys that are not set, too, with their defaults
        #[arg(long)]
        defaults: bool,
    },
    /// Print the JSON schema of [tool.pybundle] for editors
    Schema,
}

/// Shows the configuration, or its schema.
///
/// # Errors
/// The project cannot be read, or its configuration is invalid.
pub(crate) fn run(arguments: ConfigArguments, printer: &Printer) -> Result<(), CliError> {
    match arguments.command {
        ConfigCommand::Schema => printer.document(&options::schema()),
        ConfigCommand::Show { project, package, target, defaults } => {
            let configuration = ProjectConfiguration::read(&project, package.as_ref(), &WorkspaceCache::default())?;
            let environment = environment::read();
            let mut requested: Vec<(Option<&str>, TargetKind)> = match &target {
                Some(name) => vec![(Some(name), configuration.kind(name)?)],
                None => configuration.targets().map(|(name, kind)| (Some(name), kind)).collect(),
            };
            if requested.is_empty() {
                requested = vec![(None, TargetKind::Lambda), (None, TargetKind::Image)];
            }
            let report = ConfigurationReport {
                format: FORMAT_VERSION,
                path: configuration.path.clone(),
                targets: requested
                    .into_iter()
                    .map(|(name, kind)| in_force(&configuration, (name, kind), defaults, &environment))
                    .collect::<Result<_, _>>()?,
            };
            printer.result(&report, |page| show(&report, page))
        }
    }
}

fn in_force(
    configuration: &ProjectConfiguration,
    (name, kind): (Option<&str>, TargetKind),
    with_defaults: bool,
    environment: &Environment,
) -> Result<InForceReport, CliError> {
    let (resolved, defaults) = match kind {
        TargetKind::Lambda => {
            (configuration.resolve(name, &LambdaOptions::default(), environment)?, options::defaults::<LambdaOptions>())
        }
        TargetKind::Layer => {
            (configuration.resolve(name, &LayerOptions::default(), environment)?, options::defaults::<LayerOptions>())
        }
        TargetKind::Image => {
            (configuration.resolve(name, &ImageOptions::default(), environment)?, options::defaults::<ImageOptions>())
        }
    };
    let mut values = values(resolved.values());
    values.extend(ResolvedOptions::variables(environment).map(|(key, variable)| ValueReport {
        key: key.to_owned(),
        value: redact::text(environment.indexes.get(variable).unwrap_or_default()).into(),
        sources: vec![ValueSource::Variable(variable).to_string()],
    }));
    let unset = defaults.into_iter().filter(|_| with_defaults);
    let unset: Vec<_> = unset.filter(|(key, _)| !values.iter().any(|value| value.key == *key)).collect();
    values.extend(unset.into_iter().map(|(key, default)| ValueReport {
        key,
        value: match default.as_deref() {
            Some("false") => false.into(),
            other => other.into(),
        },
        sources: vec![DEFAULT.to_owned()],
    }));
    values.sort_by(|left, right| left.key.cmp(&right.key));
    let extends = name.map(|name| configuration.extended_by(name)).transpose()?.unwrap_or_default();
    Ok(InForceReport { name: name.map(str::to_owned), kind: kind.name().to_owned(), extends, values })
}

fn values(values: &OptionValues) -> Vec<ValueReport> {
    let reports = values.0.iter().map(|(key, value)| ValueReport {
        key: key.clone(),
        value: without_secrets(&value.value),
        sources: value.sources.iter().map(ToString::to_string).collect(),
    });
    reports.collect()
}

/// Returns a value without the passwords in its strings.
fn without_secrets(value: &toml::Value) -> serde_json::Value {
    match value {
        toml::Value::String(text) => redact::text(text).into(),
        toml::Value::Array(values) => values.iter().map(without_secrets).collect(),
        toml::Value::Table(table) => table
            .iter()
            .map(|(key, value)| (key.clone(), without_secrets(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => serde_json::to_value(other).unwrap_or_default(),
    }
}

/// The source of a value that is not set.
const DEFAULT: &str = "default";

fn show(report: &ConfigurationReport, page: &mut TextPage) {
    for (at, target) in report.targets.iter().enumerate() {
        if at > 0 {
            page.line("");
        }
        match &target.name {
            Some(name) if target.extends.is_empty() => page.headline(name, &target.kind),
            Some(name) => {
                page.headline(name, &format!("{}, extends {}", target.kind, target.extends.join(", which extends ")))
            }
            None => page.headline(&format!("pybundle {}", target.kind), "without a target"),
        }
        if target.values.is_empty() {
            page.line("  nothing is configured");
        }
        for value in &target.values {
            if value.sources == [DEFAULT] {
                let text = value.value.as_str().map_or_else(|| value.value.to_string(), str::to_owned);
                page.sourced(
                    &value.key,
                    &if value.value.is_null() { "not set".to_owned() } else { format!("default: {text}") },
                );
                continue;
            }
            // In the syntax of the file.
            let text =
                toml::Value::try_from(&value.value).map_or_else(|_| value.value.to_string(), |text| text.to_string());
            page.sourced(&format!("{} = {text}", value.key), &value.sources.join(", and "));
        }
    }
}
