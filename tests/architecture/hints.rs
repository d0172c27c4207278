//! Every hint that pybundle can print is shown by a test, or is listed here with the reason why it is not.

use std::collections::HashSet;

use super::Source;
use super::words::strings;

/// How many equal bytes show that a string of a test is about a hint.
const SHOWN: usize = 16;

/// Hints that no test shows, by how they begin, and why.
const NOT_SHOWN: &[(&str, &str)] = &[(
    "restart the registry at ",
    "docker-registry stores a lost manifest once it was sent as a blob, and the tests have no registry that does not",
)];

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
