//! `pybundle schema`: prints the JSON schemas of what pybundle prints and reads.

use clap::Args;
use clap::builder::PossibleValuesParser;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

use super::error::CliError;
use super::printer::Printer;
use crate::options;
use crate::report::{
    AptFileReport, AptListReport, AptLockReport, AptWhyReport, BuildReport, CacheFolderReport, CacheSizeReport,
    CompletionsReport, ConfigurationReport, DeployReport, DiffReport, FORMAT_VERSION, FailureReport, ImagePlanReport,
    ImageReport, ImportProfileReport, InitReport, InspectReport, PinReport, PlanReport, ProfileListReport,
    ProfileReport, PushedReport, ResolvedReport, RunReport, SchemaDescription, SchemaListReport, TargetListReport,
    TargetsReport, VerifyReport, WhyReport,
};

/// A document that has a schema, of which `schemas/NAME.json` is a copy.
struct DocumentSchema {
    name: &'static str,
    /// The commands that print the document, or the file that contains it.
    describes: &'static str,
    print: fn(&DocumentSchema, &Printer) -> Result<(), CliError>,
}

/// The documents, in the order of the commands.
const DOCUMENTS: &[DocumentSchema] = &[
    DocumentSchema::printed::<BuildReport>("lambda", "pybundle lambda --json"),
    DocumentSchema::printed::<ImageReport>("image", "pybundle image --json"),
    DocumentSchema::printed::<ImagePlanReport>("image-plan", "pybundle image --dry-run --json"),
    DocumentSchema::printed::<PinReport>("image-pin", "pybundle image --pin --json"),
    DocumentSchema::printed::<TargetsReport>("build", "pybundle build --json"),
    DocumentSchema::printed::<TargetListReport>("build-list", "pybundle build --list --json"),
    DocumentSchema::printed::<DeployReport>("deploy", "pybundle deploy --json"),
    DocumentSchema::printed::<ResolvedReport>("resolve", "pybundle resolve --json"),
    DocumentSchema::printed::<RunReport>("run", "pybundle run --json"),
    DocumentSchema::printed::<ImportProfileReport>("run-profile", "pybundle run --profile-imports --json"),
    DocumentSchema::printed::<PushedReport>("push", "pybundle push --json"),
    DocumentSchema::printed::<PlanReport>("plan", "pybundle plan --json, pybundle lambda --dry-run --json"),
    DocumentSchema::printed::<WhyReport>("why", "pybundle why --json"),
    DocumentSchema::printed::<AptLockReport>("apt-lock", "pybundle apt lock|outdated --json"),
    DocumentSchema::printed::<AptListReport>("apt-list", "pybundle apt list --json"),
    DocumentSchema::printed::<AptWhyReport>("apt-why", "pybundle apt why --json"),
    DocumentSchema::printed::<AptFileReport>("apt-search-file", "pybundle apt search-file --json"),
    DocumentSchema::printed::<InspectReport>("inspect", "pybundle inspect --json"),
    DocumentSchema::printed::<DiffReport>("diff", "pybundle diff --json"),
    DocumentSchema::printed::<VerifyReport>("verify", "pybundle verify --json"),
    DocumentSchema::printed::<ConfigurationReport>("config-show", "pybundle config show --json"),
    DocumentSchema { name: "config", describes: "[tool.pybundle] in pyproject.toml", print: configuration },
    DocumentSchema::printed::<InitReport>("init", "pybundle init --json"),
    DocumentSchema::printed::<ProfileListReport>("profile-list", "pybundle profile list --json"),
    DocumentSchema::printed::<ProfileReport>("profile-show", "pybundle profile show --json"),
    DocumentSchema::printed::<CacheFolderReport>("cache-dir", "pybundle cache dir --json"),
    DocumentSchema::printed::<CacheSizeReport>("cache-size", "pybundle cache size|prune|clean --json"),
    DocumentSchema::printed::<SchemaListReport>("schema-list", "pybundle schema --json"),
    DocumentSchema::printed::<CompletionsReport>("completions", "pybundle completions --json"),
    DocumentSchema::printed::<FailureReport>("failure", "any command with --json that fails"),
];

impl DocumentSchema {
    const fn printed<T: JsonSchema>(name: &'static str, by: &'static str) -> Self {
        Self { name, describes: by, print: printed::<T> }
    }
}

/// Prints the schema of a document that commands print, with its name and version.
fn printed<T: JsonSchema>(
    DocumentSchema { name, describes, .. }: &DocumentSchema,
    printer: &Printer,
) -> Result<(), CliError> {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    schema.insert("$id".to_owned(), format!("urn:pybundle:schema:{name}:{FORMAT_VERSION}").into());
    schema.insert("title".to_owned(), format!("{describes}, format {FORMAT_VERSION}").into());
    printer.document(&schema)
}

/// Prints the schema of `[tool.pybundle]`.
fn configuration(_: &DocumentSchema, printer: &Printer) -> Result<(), CliError> {
    printer.document(&options::schema())
}

/// Arguments of `pybundle schema`.
#[derive(Debug, Args)]
pub(crate) struct SchemaArguments {
    /// Name of the document [default: list all]
    #[arg(value_name = "NAME", value_parser = PossibleValuesParser::new(DOCUMENTS.iter().map(|document| document.name)))]
    name: Option<String>,
}

/// Prints a schema, or lists them.
///
/// # Errors
/// Standard output cannot be written.
pub(crate) fn run(arguments: SchemaArguments, printer: &Printer) -> Result<(), CliError> {
    if let Some(document) = DOCUMENTS.iter().find(|document| arguments.name.as_deref() == Some(document.name)) {
        return (document.print)(document, printer);
    }
    let schemas = DOCUMENTS.iter().map(|&DocumentSchema { name, describes, .. }| SchemaDescription {
        name: name.to_owned(),
        describes: describes.to_owned(),
    });
    let report = SchemaListReport { format: FORMAT_VERSION, schemas: schemas.collect() };
    printer.result(&report, |page| {
        let rows: Vec<_> =
            report.schemas.iter().map(|schema| [schema.name.clone(), schema.describes.clone()]).collect();
        page.table(&rows, &[]);
    })
}
