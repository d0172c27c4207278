//! The key of a closure: everything that decides what an artifact makes of its dependencies.

use crate::closure::{ClosureKey, ClosureParts};
use crate::lock::SelectedSource;
use crate::pipeline::install::bytecode::Bytecode;
use crate::pipeline::install::{NEEDED_FORMAT, derived, named_data};
use crate::pipeline::plan::Plan;
use crate::pipeline::wheels::elf_cache;
use crate::platform::Scheme;
use crate::settings::{ContentSettings, Settings};
use crate::trim::data::DataLibrary;
use crate::trim::strip;

/// The versions of what records contain besides wheels and what artifacts are made of.
const FORMATS: [u32; 5] = [derived::FORMAT, elf_cache::FORMAT, strip::FORMAT, NEEDED_FORMAT, crate::trim::data::FORMAT];

/// What an artifact makes of its dependencies.
pub(crate) struct ArtifactForm<'a> {
    /// The version of what writes it.
    pub format: u32,
    pub scheme: &'a Scheme,
    /// The path of the target's interpreter.
    pub interpreter: &'a str,
    /// Everything else that decides it, as a line of text.
    pub form: String,
}

/// Returns the key of the closure of a plan. Images state it, so that their digests depend on its text.
pub(crate) fn key(artifact: ArtifactForm, settings: &Settings, plan: &Plan, bytecode: &Bytecode) -> ClosureKey {
    let ContentSettings { slim, listed, strip, prefer, excluded_files, .. } = &settings.contents;
    let ArtifactForm { format, scheme, interpreter, form } = artifact;
    let Scheme { site_packages, scripts, headers, data } = scheme;
    let mut lines = vec![
        format!("platform {} {} {}", plan.target.architecture, plan.target.python, plan.target.libc),
        format!("paths {site_packages} {scripts} {headers} {data} {interpreter}"),
        format!("bytecode {:?}", bytecode.key()),
        format!("omitted {slim:?} {strip} {prefer:?} {excluded_files:?}"),
        form,
        format!("audited {}", !settings.audit.skip),
    ];
    if slim.iter().any(|rule| DataLibrary::of(*rule).is_some()) {
        // The names in local projects are not known before these are built: what has other data has another key.
        lines.push(format!("data {listed:?} {:?}", named_data::application_names(plan)));
    }
    let distributions = plan.dependencies().map(|selected| format!("{} {}", selected.name, source(&selected.source)));
    let formats: Vec<u32> = [format].into_iter().chain(FORMATS).collect();
    ClosureKey::new(&ClosureParts { formats: &formats, settings: lines, distributions: distributions.collect() })
}

/// Returns what identifies the file of a distribution.
fn source(source: &SelectedSource) -> String {
    match source {
        SelectedSource::Wheel(wheel, _) => format!("{} {:?}", wheel.filename, wheel.digests),
        SelectedSource::Sdist(sdist) => {
            format!("{} {:?} {:?}", sdist.file.filename, sdist.file.digests, sdist.subdirectory)
        }
        SelectedSource::Git(git) => format!("commit {} {:?}", git.commit, git.subdirectory),
        SelectedSource::Directory(_) | SelectedSource::Virtual(_) => "here".to_owned(),
    }
}
