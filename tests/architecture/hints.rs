//! Every hint that pybundle can print is shown by a test, or is listed here with the reason why it is not.

use std::collections::HashSet;

use super::Source;
use super::words::strings;

/// How many equal bytes show that a string of a test is about a hint.
const SHOWN: usize = 16;

/// Hints that no test shows, by how they begin, and why.
const NOT_SHOWN: &[(&str, &str)] = &[
    ("run pybundle again", "the sources have to change while they are compiled"),
    (
        "include the file once, or give it another destination",
        "two files with equal bytes and other modes have to collide",
    ),
    (", or compile it on a system as old", "it leaves open what to choose, and the tests of libraries show the error"),
    (" on a system with ", "it leaves open what to choose, and the tests of libraries show the error"),
    (", or build it on such a machine", "it leaves open what to choose, and the tests of libraries show the error"),
    (" again: it may have been truncated", "its cause is damage: there is nothing to do but to get the file again"),
    (" to the path from `$ORIGIN` to `", "it leaves open what to choose, and the tests of libraries show the error"),
    ("install uv: https://docs.astral.sh", "installing uv is not pybundle's"),
    ("run pybundle again", "an interpreter has to crash"),
    ("if a proxy signs the certificates", "following it needs an account, a key or a server that tests do not have"),
    ("if you trust the file that is there now", "a file of an index has to change"),
    ("_PASSWORD, or add the host to .netrc", "tests of indexes show the variables, whose names it has as values"),
    ("if the file was removed from the index", "a file of an index has to disappear"),
    ("choose a base whose layers are tar archives", "it leaves open which base, and unit tests show the error"),
    ("use --user UID:GID, which needs no entry", "the base's passwd has to be malformed"),
    ("lock again if you trust the index", "a file of an index has to change"),
    (
        "select one of the members with --package",
        "the project's directory has to be missing from the lock of its workspace",
    ),
    ("lock a release or an archive of ", "it leaves open which"),
    ("delete it, and find out who wrote it", "an attacker has to write to the registry"),
    ("it is compiled against this machine's C library", "a machine with an older C library is needed"),
    ("choose a base image with that version", "it leaves open which base"),
    ("choose a base image with a compatible Python", "it leaves open which base"),
    ("`, a Lambda runtime that is not generally available", "it names a release that does not exist in tests"),
    ("list the profiles with `aws configure list-profiles`", "aws is not pybundle's"),
    ("log in again with `docker login ", "following it needs an account, a key or a server that tests do not have"),
    (", or remove it from `credsStore`", "following it needs an account, a key or a server that tests do not have"),
    (" get` and enter the name", "following it needs an account, a key or a server that tests do not have"),
    ("unlock the keychain", "following it needs an account, a key or a server that tests do not have"),
    ("create it with --create-repo", "tests of ECR show it by its flag"),
    ("push to another tag", "tests of immutable tags show the error"),
    ("delete the tag if nothing uses it", "following it needs an account, a key or a server that tests do not have"),
    ("restart the registry at ", "following it needs an account, a key or a server that tests do not have"),
    ("lock again: the branch may have been rewritten", "a repository has to be rewritten"),
    (
        "download the file again, since it is damaged",
        "its cause is damage: there is nothing to do but to get the file again",
    ),
];

/// A string in a function that returns hints.
struct HintText {
    place: String,
    /// The longest part between values.
    part: String,
}

/// Returns the parts of the functions of a file whose names contain a word: from their signature to the brace that ends them.
fn functions<'t>(text: &'t str, words: &[&str]) -> Vec<&'t str> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let at = start;
        start += line.len();
        let trimmed = line.trim_start();
        let Some((before, signature)) = trimmed.split_once("fn ") else { continue };
        let is_function = before.split_whitespace().all(|word| word == "async" || word.starts_with("pub"));
        let name = signature.split(['(', '<']).next().unwrap_or_default();
        if is_function && words.iter().any(|word| name.contains(word)) {
            let end = format!("\n{}}}", &line[..line.len() - trimmed.len()]);
            let length = text[at..].find(&end).unwrap_or(text.len() - at);
            found.push(&text[at..at + length]);
        }
    }
    found
}

/// Returns the longest part of a format string that is no value.
fn longest_part(text: &str) -> String {
    let text = text.replace("{{", "").replace("}}", "");
    let mut parts = vec![String::new()];
    let mut is_value = false;
    for character in text.chars() {
        match character {
            '{' => {
                is_value = true;
                parts.push(String::new());
            }
            '}' => is_value = false,
            _ if is_value => {}
            _ => parts.last_mut().expect("there is one").push(character),
        }
    }
    parts.into_iter().max_by_key(String::len).unwrap_or_default()
}

/// Splits a file into its code and its unit tests.
fn split_tests(source: &Source) -> (&str, &str) {
    if source.path.ends_with("tests.rs") {
        return ("", &source.text);
    }
    source.text.split_at(source.text.find("#[cfg(test)]\nmod tests {").unwrap_or(source.text.len()))
}

#[test]
fn every_hint_is_shown_by_a_test() {
    let (mut shown, mut hints) = (HashSet::new(), Vec::new());
    let mut add_shown = |text: &str| {
        for (_, text) in strings(text) {
            shown.extend(text.as_bytes().windows(SHOWN).map(<[u8]>::to_vec));
        }
    };
    let sources = Source::below("src");
    for source in &sources {
        let (code, tests) = split_tests(source);
        add_shown(tests);
        for function in functions(code, &["hint", "remed", "suggestion"]) {
            for (_, text) in strings(function) {
                let part = longest_part(&text);
                // Names of options and values are no hints.
                if part.len() >= SHOWN && part.contains(' ') {
                    hints.push(HintText { place: source.path.display().to_string(), part });
                }
            }
        }
    }
    for source in Source::below("tests").iter().filter(|source| !source.path.ends_with("architecture/hints.rs")) {
        add_shown(&source.text);
    }
    assert!(hints.len() > 200, "only {} hints were found", hints.len());
    let is_shown = |hint: &HintText| hint.part.as_bytes().windows(SHOWN).any(|part| shown.contains(part));
    let (new, old): (Vec<&HintText>, Vec<&HintText>) = hints
        .iter()
        .filter(|hint| !is_shown(hint))
        .partition(|hint| !NOT_SHOWN.iter().any(|(start, _)| hint.part.starts_with(start)));
    let new: Vec<String> = new.iter().map(|hint| format!("{}: {}", hint.place, hint.part)).collect();
    assert!(new.is_empty(), "no test shows these hints:\n{}", new.join("\n"));
    for (start, reason) in NOT_SHOWN {
        assert!(!reason.is_empty(), "{start}");
        assert!(old.iter().any(|hint| hint.part.starts_with(start)), "`{start}` is shown, or no longer a hint");
    }
}
