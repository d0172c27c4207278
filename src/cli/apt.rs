//! `pybundle apt`: locks system packages, and shows what is locked.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};

use super::arguments::{GlobalArguments, ProjectArguments};
use super::error::CliError;
use super::printer::Printer;
use super::progress::ProgressReporter;
use super::text_page::{TextPage, count};
use crate::debian::{DebianRelease, PackageName};
use crate::options::{ImageOptions, ProjectConfiguration, TargetKind};
use crate::pipeline::{self, AptUpgrade, LockedPackages, ProjectCache};
use crate::report::{
    AptChangeReport, AptFileReport, AptListReport, AptLockReport, AptProviderReport, AptWhyReport, FORMAT_VERSION,
};
use crate::settings::{ImageSettings, binary_size};

/// Arguments of `pybundle apt`.
#[derive(Debug, Args)]
pub(crate) struct AptArguments {
    #[command(subcommand)]
    command: AptCommand,
}

#[derive(Debug, Subcommand)]
enum AptCommand {
    /// Write apt.lock: what each image requests and what that depends on
    ///
    /// For each image and platform, the packages are those that `apt-get install --no-install-recommends` would install on the
    /// base. Nothing is installed or run, and neither apt nor dpkg is needed. Versions that are locked already are kept while the
    /// archives have them, unless --upgrade is given.
    Lock(Box<LockArguments>),
    /// List the packages in apt.lock
    List(Box<LockedArguments>),
    /// Show which requested packages need a package
    Why {
        /// Package
        #[arg(value_name = "NAME")]
        name: PackageName,
        #[command(flatten)]
        project: Box<LockedArguments>,
    },
    /// Show which package of Debian contains a library or a command
    ///
    /// A library is named as files are linked to it, such as libGL.so.1, and a command as it is called. The packages are those
    /// of Debian 12 and 13.
    SearchFile {
        /// Library or command
        #[arg(value_name = "FILE")]
        file: String,
    },
    /// Show what `pybundle apt lock --upgrade` would change
    Outdated(Box<LockedArguments>),
}

/// Arguments of `pybundle apt lock`.
#[derive(Debug, Args)]
struct LockArguments {
    // Before the flags of the image, of which the last ones have a heading that would apply to it.
    /// Lock the latest version of these packages, or of all
    #[arg(long, value_name = "NAME", num_args = 0.., value_delimiter = ',')]
    upgrade: Option<Vec<PackageName>>,
    #[command(flatten)]
    locked: LockedArguments,
}

/// The project whose packages are locked, and the flags of its image.
#[derive(Debug, Args)]
struct LockedArguments {
    #[command(flatten)]
    project: ProjectArguments,
    #[command(flatten)]
    options: ImageOptions,
}

/// Runs a subcommand.
///
/// # Errors
/// See [`pipeline::lock_apt`] and [`LockedPackages`].
pub(crate) fn run(arguments: AptArguments, global: &GlobalArguments, printer: &Printer) -> Result<(), CliError> {
    let projects = ProjectCache::default();
    let reporter = ProgressReporter::new(printer);
    match arguments.command {
        AptCommand::Lock(arguments) => {
            let LockArguments { upgrade, locked } = *arguments;
            let upgrade = match upgrade {
                None => AptUpgrade::Nothing,
                Some(names) if names.is_empty() => AptUpgrade::Everything,
                Some(names) => AptUpgrade::Packages(names.into_iter().collect()),
            };
            let targets = locked.targets(global, &projects)?;
            let report = pipeline::lock_apt(&targets, &upgrade, true, &projects, &reporter)?;
            printer.result(&report, |page| locked_page(&report, page))
        }
        AptCommand::Outdated(arguments) => {
            let targets = arguments.targets(global, &projects)?;
            let report = pipeline::lock_apt(&targets, &AptUpgrade::Everything, false, &projects, &reporter)?;
            printer.result(&report, |page| outdated_page(&report, page))
        }
        AptCommand::List(arguments) => {
            let report = arguments.locked(global, &projects, &reporter)?.list();
            printer.result(&report, |page| list_page(&report, page))
        }
        AptCommand::Why { name, project } => {
            let report = project.locked(global, &projects, &reporter)?.why(&name)?;
            printer.result(&report, |page| why_page(&report, page))
        }
        AptCommand::SearchFile { file } => {
            let report = search(file)?;
            printer.result(&report, |page| {
                let rows: Vec<_> = report
                    .packages
                    .iter()
                    .map(|provider| [provider.package.clone(), provider.release.clone()])
                    .collect();
                page.table(&rows, &[]);
            })
        }
    }
}

impl LockedArguments {
    /// Returns the images of the project: the named target, all targets that are images, or what flags describe.
    fn targets(self, global: &GlobalArguments, projects: &ProjectCache) -> Result<Vec<ImageSettings>, CliError> {
        let Self { project, options } = self;
        let package = options.common.selection.package.clone();
        let located = project.clone().locate(package.as_ref(), projects)?;
        let configuration = ProjectConfiguration::read(&located.project, package.as_ref(), projects.workspaces())?;
        let images: Vec<String> = match &located.target {
            Some(name) => vec![name.clone()],
            None => {
                let images = configuration.targets().filter(|(_, kind)| *kind == TargetKind::Image);
                images.map(|(name, _)| name.to_owned()).collect()
            }
        };
        if images.is_empty() {
            return Ok(vec![located.settings(&options, global, projects)?.0]);
        }
        let mut targets = Vec::new();
        for name in images {
            let target = ProjectArguments { target: Some(name), project: located.project.clone() };
            targets.push(target.settings(&options, global, projects)?.0);
        }
        Ok(targets)
    }

    fn locked(
        self,
        global: &GlobalArguments,
        projects: &ProjectCache,
        reporter: &ProgressReporter,
    ) -> Result<LockedPackages, CliError> {
        let targets = self.targets(global, projects)?;
        Ok(LockedPackages::read(&targets, projects, reporter)?)
    }
}

/// A file that is not in the tables of Debian's files.
#[derive(Debug, thiserror::Error)]
#[error("neither Debian 12 nor Debian 13 has a package with `{}` in a directory of libraries or on PATH", .0.escape_debug())]
pub(crate) struct UnknownFile(String);

fn search(file: String) -> Result<AptFileReport, UnknownFile> {
    let name = file.rsplit('/').next().unwrap_or(&file);
    let packages = [DebianRelease::Bookworm, DebianRelease::Trixie].into_iter().filter_map(|release| {
        let package = release.package_of_library(name).or_else(|| release.package_of_program(name))?;
        Some(AptProviderReport { release: release.to_string(), package: package.to_owned() })
    });
    let packages: Vec<_> = packages.collect();
    if packages.is_empty() {
        Err(UnknownFile(file))
    } else {
        Ok(AptFileReport { format: FORMAT_VERSION, file, packages })
    }
}

fn locked_page(report: &AptLockReport, page: &mut TextPage) {
    for closure in &report.closures {
        let base = closure.base.as_deref().unwrap_or("no base");
        let size = binary_size(closure.size);
        let packages = count(closure.packages as u64, "package");
        page.headline(
            &format!("{} for {}", closure.requested.join(", "), closure.architecture),
            &format!("{packages}, {size}, over {base}"),
        );
        closure.upgraded.iter().for_each(|upgraded| page.line(&format!("upgrades the base's {upgraded}")));
    }
    report.changes.iter().for_each(|change| page.line(&change_line(change)));
    let file = report.file.display();
    page.line(&if report.written { format!("wrote {file}") } else { format!("{file} is up to date") });
}

fn outdated_page(report: &AptLockReport, page: &mut TextPage) {
    if report.changes.is_empty() {
        return page.line(&format!("{} has the latest versions", report.file.display()));
    }
    report.changes.iter().for_each(|change| page.line(&change_line(change)));
}

fn change_line(change: &AptChangeReport) -> String {
    let AptChangeReport { name, architecture, from, to, security } = change;
    let suffix = if *security { ", a security update" } else { "" };
    match (from, to) {
        (Some(from), Some(to)) => format!("updated {name} {from} to {to} on {architecture}{suffix}"),
        (None, Some(to)) => format!("added {name} {to} on {architecture}"),
        (Some(from), None) => format!("removed {name} {from} on {architecture}"),
        (None, None) => format!("unchanged {name} on {architecture}"),
    }
}

fn list_page(report: &AptListReport, page: &mut TextPage) {
    let mut rows = vec![["package", "version", "architecture", "size", "required by"].map(str::to_owned)];
    rows.extend(report.packages.iter().map(|package| {
        let mut reasons: Vec<String> = package.required_by.clone();
        if package.requested {
            reasons.insert(0, "the project".to_owned());
        }
        [
            package.name.clone(),
            package.version.clone(),
            package.architecture.clone(),
            binary_size(package.size),
            reasons.join(", "),
        ]
    }));
    page.table(&rows, &[3]);
    let size = report.packages.iter().map(|package| package.size).sum();
    page.line(&format!("{}, {}", count(report.packages.len() as u64, "package"), binary_size(size)));
}

fn why_page(report: &AptWhyReport, page: &mut TextPage) {
    let unique: BTreeSet<String> = report.paths.iter().map(|path| path.join(" → ")).collect();
    unique.iter().for_each(|path| page.line(path));
}
