//! What may be done about a module that is missing, as far as the artifact's files tell.

use super::finding::{Missing, SourceLine};
use super::known::{self, Standard};
use super::{Imports, top};
use crate::audit::handler::Root;
use crate::hints::similarity;

/// The fewest letters in common (Jaro–Winkler) at which a name is taken for a misspelling of another.
const SIMILARITY: f64 = 0.88;

/// How many similar names are named.
const SHOWN: usize = 3;

/// Describes a module that is missing. `own` are the application's modules.
pub(super) fn missing<'n>(
    imports: &Imports,
    own: impl Iterator<Item = &'n str>,
    module: String,
    places: Vec<SourceLine>,
    is_certain: bool,
) -> Missing {
    let python = imports.python;
    let mut remedies = Vec::new();
    let mut distributions = known::distributions(&module);
    if let Some(standard) = Standard::get(top(&module)) {
        let name = top(&module);
        let provider = distributions.first().filter(|provider| **provider != name.replace('_', "-"));
        remedies.extend(match (standard.until, standard.since) {
            (Some(until), _) if until < python.minor => Some(match provider {
                Some(provider) => {
                    format!("`{name}` was removed in Python 3.{}; the distribution {provider} provides it", until + 1)
                }
                None => format!("`{name}` was removed in Python 3.{}", until + 1),
            }),
            (_, Some(since)) => Some(match name {
                "tomllib" => {
                    format!("`tomllib` is new in Python 3.{since}; before, the distribution tomli has it as `tomli`")
                }
                _ => format!("`{name}` is new in Python 3.{since}"),
            }),
            _ => None,
        });
        distributions.retain(|distribution| *distribution != name);
    }
    if let Some(other) = in_another_case(imports.roots, &module) {
        remedies.push(format!("the artifact has `{other}`, in another case"));
        distributions.clear();
    } else {
        let similar = similar(&module, own);
        remedies.extend(similar.first().map(|similar| format!("the artifact has `{similar}`")));
    }
    Missing { module, places, python, is_certain, distributions, remedies }
}

/// Returns the names that one may be meant to be, the likeliest first.
pub(super) fn similar<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Vec<String> {
    // A module that is imported by its name alone may lie deeper.
    let is_end = |name: &str| name.strip_suffix(wanted).is_some_and(|above| above.ends_with('.'));
    let scored = names.map(|name| (name, if is_end(name) { 1.0 } else { similarity(name, wanted) }));
    let mut similar: Vec<(&str, f64)> = scored.filter(|(_, likeness)| *likeness >= SIMILARITY).collect();
    similar.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(other.0)));
    similar.dedup();
    similar.into_iter().take(SHOWN).map(|(name, _)| name.to_owned()).collect()
}

/// Returns a module whose name differs in its case only.
fn in_another_case(roots: &[Root], module: &str) -> Option<String> {
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
