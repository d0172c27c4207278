//! What the user can do about an error, kept apart from its message.

use std::path::Path;

/// An error that knows what the user can do about it.
pub trait Hints {
    /// Returns what the user can do, one imperative sentence without a full stop each; empty if nothing is known to help.
    fn hints(&self) -> Vec<String>;
}

/// Returns the hint that names what the user probably meant.
pub(crate) fn did_you_mean(name: &str) -> String {
    format!("did you mean `{name}`?")
}

/// Quotes a word for a POSIX shell, if it has to be.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_./:=+,@%".contains(character);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Quotes a path as [`quoted`] does.
pub(crate) fn quoted_path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// Returns the known name that `name` is probably a misspelling of.
///
/// A third of its characters may be wrong, as for rustc's own suggestions; two characters that changed places are one mistake.
/// Of several names that are equally near, the first in alphabetical order is returned.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    let tolerance = (length / 3).max(1);
    let distances = known.into_iter().map(|known| (strsim::damerau_levenshtein(name, known), known));
    let (_, nearest) = distances.filter(|(distance, _)| *distance <= tolerance && *distance < length).min()?;
    Some(nearest)
}

/// Returns how similar two names are, from 0 to 1, whatever their case: for a list of candidates, which are ranked by it.
pub(crate) fn similarity(one: &str, other: &str) -> f64 {
    strsim::jaro_winkler(&one.to_lowercase(), &other.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_name_has_a_nearest_one() {
        let known = ["handler", "runtime", "web", "a"];
        for (name, expected) in [
            ("handlr", Some("handler")),
            ("wbe", Some("web")),
            ("runtimes", Some("runtime")),
            ("nonsense", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
        assert_eq!(nearest("py", ["pz", "px"]), Some("px"));
    }
}
