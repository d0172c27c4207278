//! docs/compatibility.md names tests that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A test that the page names in a link: ``[`NAME`](../FILE)``.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct NamedTest<'a> {
    name: &'a str,
    /// Relative to the repository.
    file: &'a str,
}

/// Returns the tests that a page names, in each entry of its lists.
fn entries(page: &str) -> Vec<Vec<NamedTest<'_>>> {
    let entries = page.split("\n- ").skip(1).map(|entry| entry.split("\n#").next().unwrap());
    let tests = entries.map(|entry| {
        let links = entry.split("[`").skip(1).filter_map(|link| link.split_once("`](../"));
        links.filter_map(|(name, rest)| Some(NamedTest { name, file: rest.split_once(')')?.0 })).collect()
    });
    tests.collect()
}

/// Returns whether Rust code has a test of this name.
fn has_test(code: &str, name: &str) -> bool {
    let declaration = format!("fn {name}() {{");
    code.split("#[test]").skip(1).any(|code| {
        let mut lines = code.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.find(|line| !line.starts_with("#[")) == Some(&*declaration)
    })
}

#[test]
fn the_page_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/compatibility.md")).unwrap();
    let entries = entries(&page);
    assert!(entries.len() > 50, "only {} entries were found", entries.len());
    let untested = entries.iter().zip(page.split("\n- ").skip(1)).filter(|(tests, _)| tests.is_empty());
    let untested: Vec<&str> = untested.map(|(_, entry)| entry.lines().next().unwrap()).collect();
    assert!(untested.is_empty(), "entries without a test:\n{}", untested.join("\n"));
    let tests: BTreeSet<&NamedTest> = entries.iter().flatten().collect();
    let missing = tests.into_iter().filter(|NamedTest { name, file }| {
        let is_rust = Path::new(file).extension().is_some_and(|extension| extension == "rs");
        !is_rust || !fs::read_to_string(root.join(file)).is_ok_and(|code| has_test(&code, name))
    });
    let missing: Vec<String> = missing.map(|NamedTest { name, file }| format!("{file}: {name}")).collect();
    assert!(missing.is_empty(), "these tests do not exist:\n{}", missing.join("\n"));
}

#[test]
fn tests_are_recognized() {
    let page = "- **a** `b` [`one`](../tests/a.rs),\n  [`two`](../src/b.rs)\n- c [d](../e)\n\n## f\n[`g`](../h.rs)\n";
    let [one, two] = [("one", "tests/a.rs"), ("two", "src/b.rs")].map(|(name, file)| NamedTest { name, file });
    assert_eq!(entries(&format!("\n{page}")), [vec![one, two], vec![]]);
    let code = "fn helper() {\n}\n#[test]\n#[cfg(unix)]\nfn one() {\n    fn two() {\n    }\n}\n";
    assert_eq!(["one", "two", "helper", "on", ""].map(|name| has_test(code, name)), [true, false, false, false, false]);
}
