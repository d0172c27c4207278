//! `pybundle push`: pushes a layout or an archive to a registry.

use clap::{Args, ValueHint};

use super::arguments::GlobalArguments;
use super::error::CliError;
use super::printer::Printer;
use super::progress::ProgressReporter;
use super::text_page::{TextPage, count};
use crate::artifact;
use crate::options::RegistryAccessOptions;
use crate::registry::ImageReference;
use crate::report::PushedReport;
use crate::settings::binary_size;

/// Arguments of `pybundle push`.
#[derive(Debug, Args)]
pub(crate) struct PushArguments {
    /// OCI layout or archive: a path, oci:DIR, oci-archive:FILE or docker-archive:FILE
    #[arg(value_name = "ARTIFACT", value_hint = ValueHint::AnyPath)]
    artifact: String,
    /// Names to push it under: HOST/REPOSITORY:TAG
    #[arg(value_name = "REF", required = true)]
    references: Vec<ImageReference>,
    #[command(flatten)]
    registry: RegistryAccessOptions,
}

/// Pushes the artifact, and prints the reference to deploy.
///
/// # Errors
/// See [`build::push`].
pub(crate) fn run(arguments: PushArguments, global: &GlobalArguments, printer: &Printer) -> Result<(), CliError> {
    let artifact = artifact::pushable(&arguments.artifact)?;
    let environment = global.environment();
    let settings = arguments.registry.settings(&environment);
    let (keychain, progress) = (&environment.registry_credentials, ProgressReporter::new(printer));
    let report = artifact::push(&artifact, &arguments.references, &settings, keychain, &progress)?;
    printer.result(&report, |page| {
        page.headline(&report.digest, &format!("pushed from {artifact}"));
        fields(&report, page);
    })
}

/// Adds the results of a push, and the references to deploy.
pub(crate) fn fields(report: &PushedReport, page: &mut TextPage) {
    for tag in &report.tags {
        let parts = [
            (tag.uploaded, format!("uploaded ({})", binary_size(tag.uploaded_bytes))),
            (tag.mounted, "mounted".to_owned()),
            (tag.existing, "existing".to_owned()),
        ];
        let total: usize = parts.iter().map(|(blobs, _)| blobs).sum();
        let parts = parts.iter().filter(|(blobs, _)| *blobs > 0).map(|(blobs, what)| format!("{blobs} {what}"));
        let parts = parts.collect::<Vec<_>>().join(", ");
        page.field("pushed", &format!("{}: of {}, {parts}", tag.tag, count(total as u64, "blob")));
        if !tag.attached.is_empty() {
            page.field("attached", &count(tag.attached.len() as u64, "document"));
        }
        page.field("deploy", &tag.reference);
    }
}
