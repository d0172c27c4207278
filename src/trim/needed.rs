//! Finds the files that rules would omit but that the remaining sources need.

use std::collections::{BTreeSet, HashMap};

use super::imports::imported;
use super::rules::{self, DOC_DIRECTORIES, SlimRule, TEST_DIRECTORIES};
use crate::wheel::{SchemePart, WheelFile, WheelInventory};

/// The function of lazy_loader that reads a package's stub at run time, to learn what it exports (Scientific Python,
/// SPEC 1).
const READS_STUB: &str = "attach_stub";

/// Returns the positions of the files that some rule omits but the remaining files need: modules that they import, and
/// stubs that they read. `read` returns the text of a source by its position; it is not called if nothing could be needed.
///
/// # Errors
/// `read` fails.
pub fn needed_files<E>(
    inventory: &WheelInventory,
    mut read: impl FnMut(usize) -> Result<String, E>,
) -> Result<BTreeSet<usize>, E> {
    let omitted = rules::omitted_files(inventory, &SlimRule::DEFAULT.into());
    let modules: HashMap<String, usize> =
        omitted.keys().filter_map(|&position| Some((module_name(&inventory.files[position])?, position))).collect();
    let stubs: HashMap<&str, usize> = omitted
        .keys()
        .filter_map(|&position| Some((inventory.files[position].path.strip_suffix(".pyi")?, position)))
        .collect();
    let words = telling_words(modules.keys());

    let mut needed: BTreeSet<usize> =
        inventory.entry_points.iter().flat_map(|script| with_packages(&script.module, &modules)).collect();
    let mut unread: Vec<usize> =
        (0..inventory.files.len()).filter(|position| !omitted.contains_key(position)).collect();
    unread.extend(&needed);
    while let Some(position) = unread.pop() {
        let file = &inventory.files[position];
        let Some(path) = file.path.strip_suffix(".py").filter(|_| file.part == SchemePart::Library) else { continue };
        let stub = stubs.get(path);
        if words.is_empty() && stub.is_none() {
            continue;
        }
        let text = read(position)?;
        needed.extend(stub.filter(|_| text.contains(READS_STUB)));
        // A needed test module may import its siblings without naming their directory.
        if omitted.contains_key(&position) || words.iter().any(|word| text.contains(word)) {
            let package = path.rsplit_once('/').map_or("", |(directory, _)| directory).replace('/', ".");
            let imported = imported(&text, &package);
            let found = imported.iter().flat_map(|name| with_packages(name, &modules));
            unread.extend(found.filter(|&position| needed.insert(position)));
        }
    }
    Ok(needed)
}

/// Returns the dotted name of a module, or `None` if the file is not a module.
fn module_name(file: &WheelFile) -> Option<String> {
    let (directory, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    if file.part != SchemePart::Library || !(name.ends_with(".py") || rules::is_shared_object(name)) {
        return None;
    }
    let stem = name.split('.').next().unwrap_or_default();
    let path = if stem == "__init__" { directory.to_owned() } else { format!("{directory}/{stem}") };
    Some(path.trim_start_matches('/').replace('/', "."))
}

/// Returns words of which a source contains at least one if it imports any of the modules from outside of their package.
fn telling_words<'a>(modules: impl Iterator<Item = &'a String>) -> BTreeSet<&'a str> {
    modules.filter_map(|module| module.split('.').find(|part| is_telling(part))).collect()
}

fn is_telling(part: &str) -> bool {
    TEST_DIRECTORIES.contains(&part) || DOC_DIRECTORIES.contains(&part) || part == "conftest"
}

/// Returns the positions of a module and of the packages that contain it, where known.
fn with_packages(name: &str, modules: &HashMap<String, usize>) -> Vec<usize> {
    let ends = name.match_indices('.').map(|(at, _)| at).chain([name.len()]);
    ends.filter_map(|end| modules.get(&name[..end]).copied()).collect()
}
