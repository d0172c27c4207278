//! Hints for a missing module, from its name and the files of the artifact.

use super::finding::{MissingModule, SourceLine};
use super::known_modules::{self, StandardModule};
use super::{ImportAudit, top};
use crate::audit::handler::ImportRoot;
use crate::audit::search::{self, SearchDirectory, UnfoundModule};
use crate::hints::{self, Hints};

/// The Jaro–Winkler similarity from which on a name counts as a misspelling of another.
const SIMILARITY: f64 = 0.88;

/// How many similar names are suggested.
pub(super) const SUGGESTIONS: usize = 3;

/// Describes a missing module. `own` are the names of the application's modules.
pub(super) fn missing<'n>(
    imports: &ImportAudit,
    own: impl Iterator<Item = &'n str>,
    module: String,
    locations: Vec<SourceLine>,
    is_certain: bool,
) -> MissingModule {
    let python = imports.python;
    let mut remedies = Vec::new();
    let mut providers = known_modules::distributions(&module);
    if let Some(standard) = StandardModule::get(top(&module)) {
        let name = top(&module);
        let provider = providers.names().first().filter(|provider| **provider != name.replace('_', "-"));
        match (standard.until, standard.since, provider) {
            (Some(until), _, Some(provider)) if until < python.minor => {
                // Where `.pth` files are not read, importing setuptools is what puts its distutils into place.
                let is_put_by_import = name == "distutils" && imports.after_standard_library.is_none();
                let addition = if is_put_by_import {
                    format!("add the distribution {provider}, and write `import {provider}` before this import")
                } else {
                    format!("add the distribution {provider}, which provides it")
                };
                remedies.push(format!("`{name}` was removed in Python 3.{}: {addition}", until + 1));
            }
            (Some(until), _, None) if until < python.minor => {
                remedies.push(format!("`{name}` was removed in Python 3.{}", until + 1));
            }
            (_, Some(since), _) if name == "tomllib" => remedies.push(format!(
                "`tomllib` was added in Python 3.{since}: for older versions, use the distribution tomli and import `tomli`"
            )),
            (_, Some(since), _) => remedies.push(format!("`{name}` was added in Python 3.{since}")),
            _ => {}
        }
        providers.names_mut().retain(|distribution| *distribution != name);
    }
    if let Some(other) = in_another_case(imports.roots, &module) {
        remedies.push(format!("did you mean `{other}`? Names of modules are case-sensitive"));
        providers.names_mut().clear();
    } else {
        let similar = similar(&module, own);
        remedies.extend(similar.first().map(|similar| hints::did_you_mean(similar)));
    }
    MissingModule { module, locations, importer: None, python, is_certain, providers, hidden: None, remedies }
}

/// Finds modules that are missing although there is a file or directory with their name, and replaces their hints.
pub(super) fn add_hidden<'f>(imports: &ImportAudit, missing: impl Iterator<Item = &'f mut MissingModule>) {
    for missing in missing {
        if let Some(hidden) = unfound(imports, &missing.module) {
            missing.remedies = hidden.hints();
            missing.hidden = Some(Box::new(hidden));
        }
    }
}

/// Returns the file or the directory of a module that is not found.
pub(super) fn unfound(imports: &ImportAudit, module: &str) -> Option<UnfoundModule> {
    let directories: Vec<SearchDirectory> = imports.roots.iter().map(SearchDirectory::of).collect();
    search::unfound(&directories, module)
}

/// Returns the names that are similar to one that was not found, the likeliest first.
pub(super) fn similar<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Vec<String> {
    let scored = names.map(|name| (name, similarity(name, wanted)));
    let mut similar: Vec<(&str, f64)> = scored.filter(|(_, similarity)| *similarity >= SIMILARITY).collect();
    similar.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(other.0)));
    similar.dedup();
    similar.into_iter().take(SUGGESTIONS).map(|(name, _)| name.to_owned()).collect()
}

/// Returns how similar two names are, from 0 to 1. `package.module` is the same as `module`: the import may have been
/// written for another directory on the search path.
fn similarity(name: &str, wanted: &str) -> f64 {
    match name.strip_suffix(wanted) {
        Some(parent) if parent.ends_with('.') => 1.0,
        _ => hints::similarity(name, wanted),
    }
}

/// Returns a module whose name differs only in case.
fn in_another_case(roots: &[ImportRoot], module: &str) -> Option<String> {
    let wanted = module.to_lowercase().replace('.', "/");
    for root in roots {
        for (path, _) in root.tree.iter() {
            let Some(path) = path.as_str().strip_prefix(root.site_packages) else { continue };
            let path = path.trim_start_matches('/');
            let is_near = path.get(..wanted.len()).is_some_and(|start| start.eq_ignore_ascii_case(&wanted));
            let rest = path.get(wanted.len()..).unwrap_or_default();
            if is_near && (rest == ".py" || rest.starts_with("/__init__.")) {
                return Some(path[..wanted.len()].replace('/', "."));
            }
        }
    }
    None
}
