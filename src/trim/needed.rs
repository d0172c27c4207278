//! What the sources of a distribution need of what rules would leave out.

use std::collections::{BTreeSet, HashMap};

use super::imports::imported;
use super::rules::{self, DOC_DIRECTORIES, SlimRule, TEST_DIRECTORIES};
use crate::wheel::{SchemePart, WheelFile, WheelInventory};

/// How lazy_loader names the function that reads a stub at run time, to learn what a package exports (SPEC 1 of
/// Scientific Python).
const READS_STUB: &str = "attach_stub";

/// Returns the positions of the files that the rules are for, all rules together, and that what stays needs: modules that
/// it imports, and stubs that it reads. Sources are read only where there are any such files; `read` returns the text of
/// one.
///
/// # Errors
/// `read` fails.
pub fn needed<E>(
    inventory: &WheelInventory,
    mut read: impl FnMut(&WheelFile) -> Result<String, E>,
) -> Result<BTreeSet<usize>, E> {
    let left_out = rules::left_out(inventory, &SlimRule::ALL.into());
    let modules: HashMap<String, usize> =
        left_out.keys().filter_map(|&position| Some((module(&inventory.files[position])?, position))).collect();
    let stubs: HashMap<&str, usize> = left_out
        .keys()
        .filter_map(|&position| Some((inventory.files[position].path.strip_suffix(".pyi")?, position)))
        .collect();
    let words = words(modules.keys());

    let mut needed = BTreeSet::new();
    let mut scripts = inventory.entry_points.iter().flat_map(|script| found(&script.module, &modules)).collect();
    let stays = |position: &usize| !left_out.contains_key(position);
    let mut unread: Vec<usize> = (0..inventory.files.len()).filter(stays).collect();
    unread.append(&mut scripts);
    needed.extend(unread.iter().copied().filter(|position| !stays(position)));
    while let Some(position) = unread.pop() {
        let file = &inventory.files[position];
        let Some(path) = file.path.strip_suffix(".py").filter(|_| file.part == SchemePart::Library) else { continue };
        let stub = stubs.get(path);
        if words.is_empty() && stub.is_none() {
            continue;
        }
        let text = read(file)?;
        needed.extend(stub.filter(|_| text.contains(READS_STUB)));
        // One that is needed among the others imports these without naming their directory.
        if !stays(&position) || words.iter().any(|word| text.contains(word)) {
            let package = path.rsplit_once('/').map_or("", |(directory, _)| directory).replace('/', ".");
            let imported = imported(&text, &package);
            let found = imported.iter().flat_map(|name| found(name, &modules));
            unread.extend(found.filter(|&position| needed.insert(position)));
        }
    }
    Ok(needed)
}

/// Returns the dotted name of a module; none if the file is not one.
fn module(file: &WheelFile) -> Option<String> {
    let (directory, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    if file.part != SchemePart::Library || !(name.ends_with(".py") || rules::is_shared_object(name)) {
        return None;
    }
    let stem = name.split('.').next().unwrap_or_default();
    let path = if stem == "__init__" { directory.to_owned() } else { format!("{directory}/{stem}") };
    Some(path.trim_start_matches('/').replace('/', "."))
}

/// Returns the words that a source has somewhere if it imports one of the modules.
fn words<'a>(modules: impl Iterator<Item = &'a String>) -> BTreeSet<&'a str> {
    let is_telling =
        |part: &&str| TEST_DIRECTORIES.contains(part) || DOC_DIRECTORIES.contains(part) || *part == "conftest";
    modules.filter_map(|module| module.split('.').find(is_telling)).collect()
}

/// Returns where a module and the packages that it is in are, as far as they are among the modules.
fn found(name: &str, modules: &HashMap<String, usize>) -> Vec<usize> {
    let ends = name.match_indices('.').map(|(at, _)| at).chain([name.len()]);
    ends.filter_map(|end| modules.get(&name[..end]).copied()).collect()
}
