//! Local projects, built into wheels.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::BuildError;
use super::plan::Plan;
use crate::digest::HashingWriter;
use crate::name::DistributionName;
use crate::project::builder::{Builder, SOURCE_DATE_EPOCH};
use crate::report::{Phase, Reporter};
use crate::settings::Settings;
use crate::target::Target;
use crate::wheel::filename::WheelFilename;
use crate::wheel::{self, Wheel};

/// Builds local projects into wheels below `folder`; they are in the order of the projects.
///
/// # Errors
/// A project cannot be built.
fn build(
    projects: &[(&DistributionName, &Path)],
    settings: &Settings,
    folder: &Path,
    reporter: &dyn Reporter,
) -> Result<Vec<Wheel>, BuildError> {
    if projects.is_empty() {
        return Ok(Vec::new());
    }
    let environment = &settings.environment;
    let mut builder = Builder::find(environment.get("PATH").map(AsRef::as_ref), settings.fetch.offline)?;
    builder.source_date_epoch =
        environment.get("SOURCE_DATE_EPOCH").and_then(|value| value.parse().ok()).unwrap_or(SOURCE_DATE_EPOCH);
    reporter.start(Phase::Build, projects.len() as u64);
    let build = |(index, (name, project)): (usize, &(&DistributionName, &Path))| {
        let output = folder.join(index.to_string());
        let failed = |source| BuildError::Read { path: output.clone(), source };
        fs::create_dir_all(&output).map_err(failed)?;
        let archive = builder.build_wheel(project, &output)?;
        let wheel = open(archive)?;
        if wheel.filename.name != **name {
            let (folder, expected) = (project.to_path_buf(), (*name).clone());
            return Err(BuildError::BuiltAnother { folder, expected, wheel: wheel.filename.to_string() });
        }
        reporter.advance(Phase::Build, 1);
        Ok(wheel)
    };
    let wheels = projects.par_iter().enumerate().map(build).collect::<Result<_, _>>();
    reporter.finish(Phase::Build);
    wheels
}

/// Builds the local projects of several plans, each once; returns those of each plan in its order.
///
/// # Errors
/// A project cannot be built, or not for the target.
pub fn build_all(
    settings: &Settings,
    plans: &[Plan],
    folder: &Path,
    reporter: &dyn Reporter,
) -> Result<Vec<Vec<Wheel>>, BuildError> {
    let mut local: Vec<_> = Vec::new();
    for (selected, folder) in plans.iter().flat_map(Plan::projects) {
        if !local.contains(&(&selected.name, folder)) {
            local.push((&selected.name, folder));
        }
    }
    let built = build(&local, settings, folder, reporter)?;
    let of_plan = |plan: &Plan| -> Result<Vec<Wheel>, BuildError> {
        let mut wheels = Vec::new();
        for (selected, _) in plan.projects() {
            let wheel = built.iter().find(|wheel| wheel.filename.name == selected.name);
            let wheel = wheel.ok_or(BuildError::Empty)?;
            require_fit(wheel, &plan.target)?;
            wheels.push(wheel.clone());
        }
        Ok(wheels)
    };
    plans.iter().map(of_plan).collect()
}

/// Reads a wheel that was built here, as strictly as any other.
fn open(archive: PathBuf) -> Result<Wheel, BuildError> {
    let failed = |source| BuildError::Read { path: archive.clone(), source };
    let name = archive.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let filename: WheelFilename =
        name.parse().map_err(|error| BuildError::WheelName { path: archive.clone(), source: error })?;
    let mut file = File::open(&archive).map_err(failed)?;
    let mut hash = HashingWriter::new(std::io::sink());
    std::io::copy(&mut file, &mut hash).map_err(failed)?;
    let (_, sha256, size) = hash.finish();
    let inventory = wheel::read(&file, &filename)?;
    Ok(Wheel { filename, archive: Arc::new(archive), sha256, size, inventory })
}

/// Refuses a wheel with extension modules for the machine that built it, where that is not the target.
///
/// # Errors
/// The target cannot load it.
fn require_fit(wheel: &Wheel, target: &Target) -> Result<(), BuildError> {
    match target.tags().best_match(&wheel.filename) {
        Some(_) => Ok(()),
        None => Err(BuildError::BuiltForAnotherTarget {
            name: wheel.filename.name.clone(),
            wheel: wheel.filename.to_string(),
            target: target.to_string(),
        }),
    }
}
