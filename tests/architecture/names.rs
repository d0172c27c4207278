//! Type names are unique among the types that more than one module can name.

use std::collections::BTreeMap;

use crate::Source;

/// Returns the name of the type that a line declares, if anything outside of its module can name it.
fn declared(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("pub")?;
    let rest = match rest.strip_prefix('(') {
        Some(restricted) => restricted.split_once(')')?.1,
        None => rest,
    };
    let (keyword, rest) = rest.trim_start().split_once(' ')?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    matches!(keyword, "struct" | "enum" | "trait" | "type" | "union").then_some(&rest[..end])
}

#[test]
fn declarations_are_recognized() {
    assert_eq!(declared("pub struct Lock<'a> {"), Some("Lock"));
    assert_eq!(declared("    pub(in crate::image) enum FileSource {"), Some("FileSource"));
    assert_eq!(declared("pub(super) type Digests = Vec<Sha256>;"), Some("Digests"));
    assert_eq!(declared("struct Private;"), None);
    assert_eq!(declared("pub fn structure() {}"), None);
    // An associated type has no visibility.
    assert_eq!(declared("    type Err = InvalidVersion;"), None);
}

#[test]
fn no_two_types_share_a_name() {
    let sources = Source::below("src");
    let mut types: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        for name in source.code.iter().filter_map(|line| declared(line)) {
            types.entry(name).or_default().push(source.path.display().to_string());
        }
    }
    types.retain(|_, paths| paths.len() > 1);
    let shared: Vec<_> = types.iter().map(|(name, paths)| format!("{name}: {}", paths.join(", "))).collect();
    assert!(shared.is_empty(), "several types share a name:\n{}", shared.join("\n"));
}
