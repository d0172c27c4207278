//! `pybundle image`: layered OCI images.

use std::num::NonZeroUsize;
use std::str::FromStr;

use clap::{Args, ValueEnum, ValueHint};

use super::arguments::{self, CommonArguments, GlobalArguments, RegistryArguments};
use super::documents::{self, DocumentArguments};
use super::error::CliError;
use super::printer::{Page, Printer, count, size};
use super::progress::Progress;
use super::{contents, plan, push};
use crate::build;
use crate::image::Port;
use crate::image::file::{ArtifactFile, InvalidArtifactFile};
use crate::registry::Reference;
use crate::report::{BaseReport, ImageReport, PlatformReport, StartReport};
use crate::settings::{BaseChoice, Compression, ImageSettings, ProfileChoice, StartSettings};
use crate::target::{Architecture, PythonVersion};

/// Arguments of `pybundle image`.
#[derive(Debug, Args)]
pub struct ImageArguments {
    #[command(flatten)]
    common: CommonArguments,
    #[command(flatten)]
    target: TargetArguments,
    #[command(flatten)]
    start: StartArguments,
    #[command(flatten)]
    output: OutputArguments,
    #[command(flatten)]
    registry: RegistryArguments,
    /// Say what would be built and why; fetch no wheel and write nothing
    #[arg(long, help_heading = "Output")]
    dry_run: bool,
    /// Write the digest of the base to where the base is configured, and build nothing
    #[arg(long, help_heading = "Target", conflicts_with_all = ["dry_run", "push", "output", "base"])]
    pin: bool,
}

/// What the image is for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Target")]
struct TargetArguments {
    /// A built-in profile (service, distroless, lambda-image), or a TOML file of the same form [default: service]
    #[arg(long, value_name = "NAME|FILE")]
    profile: Option<String>,
    /// The platforms: linux/amd64, linux/arm64, or both with a comma between them
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',', default_value = "linux/amd64")]
    platform: Vec<Platform>,
    /// The version of Python [default: by .python-version, or the newest that requires-python and the base allow]
    #[arg(long, value_name = "VERSION")]
    python: Option<PythonVersion>,
    /// The base: a reference, oci:DIR, oci-archive:FILE, docker-archive:FILE or scratch [default: the profile's]
    #[arg(long, value_name = "BASE")]
    base: Option<BaseChoice>,
}

/// How a container of the image starts.
#[derive(Debug, Args)]
#[command(next_help_heading = "Container")]
struct StartArguments {
    /// The entrypoint: words, or a JSON array; empty for none [default: the project's only console script]
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true)]
    entrypoint: Option<Words>,
    /// The command, or the entrypoint's arguments: words, or a JSON array; for lambda-image the handler
    #[arg(long, value_name = "WORDS", alias = "handler", allow_hyphen_values = true)]
    cmd: Option<Words>,
    /// Set an environment variable
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<Pair>,
    /// The user: UID or UID:GID
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// The folder that the process starts in
    #[arg(long, value_name = "DIR")]
    workdir: Option<String>,
    /// A port that the image exposes: 8000 or 53/udp
    #[arg(long, value_name = "PORT")]
    expose: Vec<Port>,
    /// Set a label
    #[arg(long, value_name = "NAME=VALUE")]
    label: Vec<Pair>,
    /// Set an annotation of the manifests
    #[arg(long, value_name = "NAME=VALUE")]
    annotation: Vec<Pair>,
}

/// Where the image goes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
struct OutputArguments {
    /// A name of the image: HOST/REPOSITORY:TAG
    #[arg(short, long, value_name = "REF")]
    tag: Vec<Reference>,
    /// Push the image to where its names say
    #[arg(long, requires = "tag")]
    push: bool,
    /// Write the image: oci:DIR, oci-archive:FILE or docker-archive:FILE [default: oci-archive:dist/NAME.tar, unless
    /// it is pushed]
    #[arg(short, long, value_name = "OUTPUT", value_parser = output, value_hint = ValueHint::AnyPath)]
    output: Vec<ArtifactFile>,
    /// How layers are compressed
    #[arg(long, value_enum, default_value = "gzip", value_name = "METHOD")]
    compression: CompressionMethod,
    /// How many layers there may be besides the base's
    #[arg(long, value_name = "COUNT", default_value = "24")]
    max_layers: NonZeroUsize,
    /// Write the image even if it is larger than its target takes
    #[arg(long)]
    allow_oversize: bool,
    #[command(flatten)]
    documents: DocumentArguments,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum CompressionMethod {
    /// Read everywhere; put together from what wheels have compressed
    Gzip,
    /// Smaller; takes longer, and Lambda and old engines do not read it
    Zstd,
}

/// A platform of OCI's form, `OS/ARCHITECTURE`.
#[derive(Debug, Clone, Copy)]
struct Platform(Architecture);

impl FromStr for Platform {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.strip_prefix("linux/").unwrap_or_default();
        let name = name.strip_suffix("/v8").filter(|name| *name == "arm64").unwrap_or(name);
        let found = Architecture::from_oci_name(name).map(Self);
        found.ok_or_else(|| "linux/amd64 and linux/arm64 are the platforms that there are".to_owned())
    }
}

/// Parses an output, in which the image goes by the names of its tags alone.
fn output(text: &str) -> Result<ArtifactFile, String> {
    let file: ArtifactFile = text.parse().map_err(|error: InvalidArtifactFile| error.to_string())?;
    match file.choice {
        None => Ok(file),
        Some(_) => Err("a path without a colon is expected; --tag names the image".to_owned()),
    }
}

/// Words as a shell parts them, or a JSON array.
#[derive(Debug, Clone)]
struct Words(Vec<String>);

impl FromStr for Words {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim_start().starts_with('[') {
            return serde_json::from_str(text).map(Self).map_err(|error| format!("not a JSON array of texts: {error}"));
        }
        shlex::split(text).map(Self).ok_or_else(|| "a quotation mark is not closed".to_owned())
    }
}

/// A name and a value.
#[derive(Debug, Clone)]
struct Pair(String, String);

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Self(name.to_owned(), value.to_owned())),
            _ => Err("it has the form NAME=VALUE".to_owned()),
        }
    }
}

impl From<Pair> for (String, String) {
    fn from(Pair(name, value): Pair) -> Self {
        (name, value)
    }
}

impl ImageArguments {
    /// Turns the arguments into settings.
    ///
    /// # Errors
    /// No cache folder is known, or `SOURCE_DATE_EPOCH` is no time.
    pub fn settings(self, global: &GlobalArguments) -> Result<ImageSettings, CliError> {
        let Self { common, target, start, output, registry, .. } = self;
        let profile = target.profile.as_deref().map_or(ProfileChoice::Default, arguments::profile);
        let common = common.settings(profile, global)?;
        let created = common.environment.get("SOURCE_DATE_EPOCH").map(str::parse).transpose()?.unwrap_or_default();
        Ok(ImageSettings {
            documents: output.documents.settings(&common.environment)?,
            common,
            platforms: target.platform.into_iter().map(|Platform(architecture)| architecture).collect(),
            python: target.python,
            base: target.base,
            tags: output.tag,
            push: output.push,
            outputs: output.output,
            start: StartSettings {
                entrypoint: start.entrypoint.map(|Words(words)| words),
                command: start.cmd.map(|Words(words)| words),
                env: start.env.into_iter().map(Into::into).collect(),
                user: start.user,
                workdir: start.workdir,
                ports: start.expose.into_iter().collect(),
            },
            labels: start.label.into_iter().map(Into::into).collect(),
            annotations: start.annotation.into_iter().map(Into::into).collect(),
            compression: match output.compression {
                CompressionMethod::Gzip => Compression::Gzip,
                CompressionMethod::Zstd => Compression::Zstd,
            },
            layers: output.max_layers,
            created,
            registry: registry.settings(),
            allow_oversize: output.allow_oversize,
        })
    }
}

/// Builds the image, writes and pushes it, and prints a summary.
///
/// # Errors
/// See [`build::image`].
pub fn run(arguments: ImageArguments, global: &GlobalArguments, printer: &Printer) -> Result<(), CliError> {
    let (dry_run, pin) = (arguments.dry_run, arguments.pin);
    let settings = arguments.settings(global)?;
    let progress = Progress::new(printer);
    if pin {
        let report = build::pin(&settings, &progress)?;
        return printer.result(&report, |page| {
            page.line(&format!("{} is pinned as {} in {}", report.name, report.pinned, report.file.display()));
        });
    }
    if dry_run {
        let report = build::plan_image(&settings, &progress)?;
        return printer.result(&report, |page| {
            let runtime = format!("{} with Python {}", report.profile, report.python);
            report.platforms.iter().for_each(|platform| plan::table(platform, &runtime, page));
            page.line(&format!("base: {}", base(&report.base)));
            report.outputs.iter().for_each(|output| page.line(&format!("would write {output}")));
        });
    }
    let mut report = build::image(&settings, &progress)?;
    report.warnings = progress.warnings();
    printer.result(&report, |page| summary(&report, printer.is_verbose(), page))
}

fn summary(report: &ImageReport, verbose: bool, page: &mut Page) {
    let what = if report.platforms.len() > 1 { "index" } else { "image" };
    page.headline(&report.digest, &format!("{what} of {} for Python {}", report.project, report.python));
    page.field("base", &base(&report.base));
    page.field("target", &format!("{}, Python {} ({})", report.profile, report.python, report.reason));
    for platform in &report.platforms {
        of_platform(platform, verbose, page);
    }
    if !report.application.taken.is_empty() {
        let taken = report.application.taken.join(", ");
        page.field("code", &format!("{taken} ({})", count(report.application.files as u64, "file")));
    }
    if let Some(report) = report.platforms.first().and_then(|platform| platform.bytecode.as_ref()) {
        contents::bytecode(report, page);
    }
    page.field("starts", &starts(&report.start));
    for output in &report.outputs {
        page.field("wrote", output);
    }
    documents::fields(&report.documents, page);
    if let Some(pushed) = &report.pushed {
        push::fields(pushed, page);
    }
    page.field("time", &format!("{:.2} s", report.elapsed_seconds));
}

/// Returns the name of the base; unless it says by a digest which image it is, with that.
fn base(report: &BaseReport) -> String {
    match &report.digest {
        Some(digest) if !report.pinned => format!("{}, which is {digest} now; --pin keeps it", report.name),
        _ => report.name.clone(),
    }
}

fn of_platform(platform: &PlatformReport, verbose: bool, page: &mut Page) {
    let own: u64 = platform.layers.iter().map(|layer| layer.size).sum();
    let layers = count(platform.layers.len() as u64, "layer");
    let known = match platform.layers.iter().filter(|layer| layer.known).count() {
        0 => String::new(),
        known => format!(" ({known} made before)"),
    };
    page.field(
        &platform.platform.replace("linux/", ""),
        &format!("{} in {layers}{known}; {} with the base", size(own), size(platform.size)),
    );
    contents::audit(&platform.audit, page);
    contents::trim(&platform.trim, page);
    if verbose {
        for layer in &platform.layers {
            page.line(&format!("            {}  {:>10}  {}", &layer.digest[..19], size(layer.size), layer.holds));
        }
    }
}

fn starts(start: &StartReport) -> String {
    let line = |words: &Option<Vec<String>>| {
        let words = words.as_deref().unwrap_or_default();
        shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
    };
    let own = format!("{} {}", line(&start.entrypoint), line(&start.command));
    let text = match (&start.entrypoint, own.trim()) {
        (None, "") => "as its base does".to_owned(),
        (None, command) => format!("{command}, by the base's entrypoint"),
        (Some(_), "") => return "nothing: name an --entrypoint or a --cmd".to_owned(),
        (Some(_), own) => own.to_owned(),
    };
    let user = start.user.as_ref().map(|user| format!(", as user {user}")).unwrap_or_default();
    format!("{text}{user}")
}
