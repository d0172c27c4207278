//! `pybundle inspect`: shows the contents of an artifact, largest first.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::arguments::GlobalArguments;
use super::error::CliError;
use super::printer::Printer;
use super::progress::ProgressReporter;
use super::text_page::{TextPage, column_width, count, shortened, visible};
use crate::artifact::{self, ArtifactName, ArtifactSettings};
use crate::options::RegistryAccessOptions;
use crate::report::{ContainerReport, ContentsKind, InspectReport, LayerOriginReport, OwnerKind, OwnerReport};
use crate::settings::binary_size;

/// How many owners and files are shown without --verbose: with the lines above them, they fill a screen.
const OWNERS: usize = 9;
const FILES: usize = 5;

/// The space before and between columns.
const GAP: usize = 2;

/// Arguments of `pybundle inspect`.
#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    /// Zip, OCI layout, OCI or Docker archive, or image in a registry (HOST/REPOSITORY:TAG)
    #[arg(value_name = "ARTIFACT|REF", value_hint = ValueHint::AnyPath)]
    artifact: String,
    #[command(flatten)]
    reading: ReadingArguments,
    /// List every file
    #[arg(long)]
    files: bool,
    /// Write a treemap to this file, as a self-contained HTML page
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    html: Option<PathBuf>,
}

/// How artifacts are read.
#[derive(Debug, Args)]
pub(crate) struct ReadingArguments {
    /// Read the image for this platform [default: the first of the index]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    /// Use plain HTTP for this registry host [env: PYBUNDLE_INSECURE_REGISTRY]
    ///
    /// Logins are sent unencrypted. Registries on this machine (localhost) need no flag.
    #[arg(long, value_name = "HOST", hide_short_help = true)]
    insecure_registry: Vec<String>,
}

impl ReadingArguments {
    /// Turns the arguments into settings.
    ///
    /// # Errors
    /// The cache directory is unknown.
    pub(crate) fn settings(self, global: &GlobalArguments) -> Result<ArtifactSettings, CliError> {
        let (environment, insecure_registry) = (global.environment(), self.insecure_registry);
        let access = RegistryAccessOptions { insecure_registry, ..RegistryAccessOptions::default() };
        Ok(ArtifactSettings {
            platform: self.platform,
            registry: access.settings(&environment),
            cache: global.cache()?,
            keychain: environment.registry_credentials,
        })
    }
}

/// Reads the artifact, and prints its contents.
///
/// # Errors
/// See [`artifact::inspect`].
pub(crate) fn run(arguments: InspectArguments, global: &GlobalArguments, printer: &Printer) -> Result<(), CliError> {
    let printer = &printer.beside(arguments.html.iter().map(PathBuf::as_path))?;
    let name = ArtifactName::find(&arguments.artifact)?;
    let settings = arguments.reading.settings(global)?;
    let inspected = artifact::inspect(name, &settings, &ProgressReporter::new(printer))?;
    if let Some(html) = &arguments.html {
        inspected.draw(html)?;
    }
    let files = if arguments.files { usize::MAX } else { FILES };
    let report = inspected.report(files);
    printer.result(&report, |page| {
        show(&report, printer, page);
        if let Some(html) = &arguments.html {
            page.line("");
            page.field("wrote", &html.display().to_string());
        }
    })
}

fn show(report: &InspectReport, printer: &Printer, page: &mut TextPage) {
    let what = match report.kind {
        ContentsKind::Function => "Lambda function",
        ContentsKind::Layer => "Lambda layer",
        ContentsKind::Image => "image",
    };
    let remark = format!(
        "{what}, {}, {} uncompressed, {}",
        binary_size(report.size),
        binary_size(report.uncompressed_size),
        count(report.files as u64, "file")
    );
    page.headline(&report.name, &remark);
    page.field("digest", &report.digest);
    if let Some(image) = &report.image {
        container(image, report, printer.is_verbose(), page);
    }
    page.line("");
    owners(report, printer, page);
    if !report.largest.is_empty() {
        page.line("");
        files(report, printer, page);
    }
}

fn container(image: &ContainerReport, report: &InspectReport, verbose: bool, page: &mut TextPage) {
    let others = if image.platforms.len() > 1 { format!(", of {}", image.platforms.join(", ")) } else { String::new() };
    page.field("platform", &format!("{}{others}", image.platform));
    let base = report.layers.iter().filter(|layer| layer.part == LayerOriginReport::Base).count();
    let base = if base > 0 { format!(", {base} from the base") } else { String::new() };
    page.field("layers", &format!("{}{base}", report.layers.len()));
    if verbose {
        for layer in &report.layers {
            let digest = layer.digest.get(..19).unwrap_or(&layer.digest);
            page.line(&format!(
                "            {digest}  {:>10}  {:<7}  {}",
                binary_size(layer.size),
                part(layer.part),
                visible(&layer.holds)
            ));
        }
    }
    if !report.packages.is_empty() {
        page.field("packages", &report.packages.len().to_string());
    }
    if verbose {
        let rows: Vec<_> = report.packages.iter().map(|found| ["           ", &found.name, &found.version]).collect();
        page.table(&rows.iter().map(|row| row.map(str::to_owned)).collect::<Vec<_>>(), &[]);
    }
    let words: Vec<&str> = image.entrypoint.iter().chain(&image.command).map(String::as_str).collect();
    let words = shlex::try_join(words.iter().copied()).unwrap_or_else(|_| words.join(" "));
    let user = if image.user.is_empty() { String::new() } else { format!(", as user {}", image.user) };
    let workdir = if image.workdir.is_empty() { String::new() } else { format!(", in {}", image.workdir) };
    let command = format!("{}{user}{workdir}", if words.is_empty() { "none" } else { &words });
    page.field("command", &visible(&command));
    if !image.ports.is_empty() {
        page.field("ports", &image.ports.join(", "));
    }
    if verbose {
        image.env.iter().for_each(|variable| page.field("env", &visible(variable)));
        image.labels.iter().for_each(|(name, value)| page.field("label", &visible(&format!("{name}={value}"))));
        image
            .annotations
            .iter()
            .for_each(|(name, value)| page.field("annotation", &visible(&format!("{name}={value}"))));
    }
}

fn part(part: LayerOriginReport) -> &'static str {
    match part {
        LayerOriginReport::Base => "base",
        LayerOriginReport::Own => "own",
        LayerOriginReport::Unknown => "unknown",
    }
}

/// Returns the name of an owner.
fn name_of(owner: &OwnerReport) -> String {
    match (owner.kind, &owner.name, &owner.version) {
        (_, Some(name), Some(version)) => format!("{name} {version}"),
        (OwnerKind::Application, ..) => "(the application)".to_owned(),
        (OwnerKind::SystemPackages, ..) => "(system packages)".to_owned(),
        (OwnerKind::Base, ..) => "(the base)".to_owned(),
        _ => "(hidden by higher layers)".to_owned(),
    }
}

fn owners(report: &InspectReport, printer: &Printer, page: &mut TextPage) {
    let shown = if printer.is_verbose() { usize::MAX } else { OWNERS };
    // One more row takes as much space as the row that would count it.
    let shown = if report.contents.len() <= shown.saturating_add(1) { report.contents.len() } else { shown };
    let head = ["contents", "files", "unpacked", "packed", "share"].map(str::to_owned);
    let mut rows = vec![head];
    let (named, others) = report.contents.split_at(shown);
    for owner in named {
        let share = share(owner.compressed_size, report.size);
        rows.push([
            name_of(owner),
            owner.files.to_string(),
            binary_size(owner.size),
            binary_size(owner.compressed_size),
            share,
        ]);
    }
    if !others.is_empty() {
        let name = format!("({} more; -v shows them)", others.len());
        let files: usize = others.iter().map(|owner| owner.files).sum();
        let uncompressed = others.iter().map(|owner| owner.size).sum();
        let compressed = others.iter().map(|owner| owner.compressed_size).sum();
        let share = share(compressed, report.size);
        rows.push([name, files.to_string(), binary_size(uncompressed), binary_size(compressed), share]);
    }
    rows.push([
        "(headers and documents)".to_owned(),
        String::new(),
        String::new(),
        binary_size(report.overhead),
        share(report.overhead, report.size),
    ]);
    fit(&mut rows, printer.width());
    page.table_with_head(&rows, &[1, 2, 3, 4]);
}

/// Returns a part of a total in per cent.
fn share(part: u64, total: u64) -> String {
    let share = if total == 0 { 0.0 } else { 100.0 * part as f64 / total as f64 };
    format!("{share:.1} %")
}

fn files(report: &InspectReport, printer: &Printer, page: &mut TextPage) {
    let head = if report.largest.len() < report.files { "largest files" } else { "files" };
    let mut rows = vec![[head, "of", "unpacked", "packed"].map(str::to_owned)];
    rows.extend(report.largest.iter().map(|file| {
        let link = file.link.as_ref().map(|link| format!(" -> {}", visible(link))).unwrap_or_default();
        let name = format!("{}{link}", visible(&file.path));
        let owner = file.owner.split(' ').next().unwrap_or_default().to_owned();
        [name, owner, binary_size(file.size), binary_size(file.compressed_size)]
    }));
    fit(&mut rows, printer.width());
    page.table_with_head(&rows, &[2, 3]);
}

/// Shortens the first column until the rows fit a width; numbers are never shortened.
fn fit<const N: usize>(rows: &mut [[String; N]], width: usize) {
    let others: usize = (1..N).map(|column| column_width(rows, column) + GAP).sum();
    let room = width.saturating_sub(others + GAP).max(12);
    rows.iter_mut().for_each(|row| row[0] = shortened(&row[0], room));
}
