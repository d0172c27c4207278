//! Finds the modules that a source imports, with enough precision to know whether it imports tests.
//!
//! Sources are scanned line by line rather than parsed, since they may be for any Python version. A false positive only
//! keeps a file that could have been omitted.

/// Returns the modules that a source may import, as dotted names; `package` is the dotted name of its directory.
pub(super) fn imported(text: &str, package: &str) -> Vec<String> {
    let mut modules = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        // Statements may follow `try:`, `if …:` or a semicolon.
        for statement in line.split([':', ';']).map(str::trim_start) {
            if let Some(names) = statement.strip_prefix("import ") {
                modules.extend(listed(names).map(str::to_owned));
            } else if let Some(rest) = statement.strip_prefix("from ") {
                let Some((base, names)) = rest.split_once(" import") else { continue };
                let Some(base) = absolute(base.trim(), package) else { continue };
                let names = continued(names, &mut lines);
                modules.extend(listed(&names).map(|name| join(&base, name)));
                modules.push(base);
            }
        }
    }
    modules
}

/// Returns the names of an import statement, which continues until its bracket is closed or while lines end with `\`.
fn continued(names: &str, lines: &mut std::str::Lines) -> String {
    let mut names = without_comment(names).to_owned();
    while names.contains('(') && !names.contains(')') || names.trim_end().ends_with('\\') {
        let Some(line) = lines.next() else { break };
        names = format!("{} {}", names.trim_end().trim_end_matches('\\'), without_comment(line));
    }
    names
}

fn without_comment(line: &str) -> &str {
    line.split('#').next().unwrap_or_default()
}

/// Returns the names in a list, without `as …`.
fn listed(names: &str) -> impl Iterator<Item = &str> {
    without_comment(names)
        .split([',', '(', ')'])
        .filter_map(|name| name.split_whitespace().next())
        .filter(|name| *name != "\\")
}

/// Resolves the module of `from … import`; `None` if it is above the root.
fn absolute(base: &str, package: &str) -> Option<String> {
    let rest = base.trim_start_matches('.');
    let levels = base.len() - rest.len();
    if levels == 0 {
        return Some(rest.to_owned());
    }
    let mut package = package;
    for _ in 1..levels {
        package = package.rsplit_once('.').map_or((!package.is_empty()).then_some(""), |(above, _)| Some(above))?;
    }
    Some(join(package, rest))
}

fn join(package: &str, name: &str) -> String {
    match (package, name) {
        ("", name) => name.to_owned(),
        (package, "") => package.to_owned(),
        (package, name) => format!("{package}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_import_statement_is_found() {
        for (text, expected) in [
            ("import a.tests.b", "a.tests.b"),
            ("import os, a.tests as t  # why", "a.tests os"),
            ("    from a.tests import b, c as d", "a.tests a.tests.b a.tests.c"),
            ("from .tests import b", "p.q.tests p.q.tests.b"),
            ("from . import tests", "p.q p.q.tests"),
            ("from ..tests.b import (c,", "p.tests.b p.tests.b.c"),
            ("from ...tests import b", "tests tests.b"),
            ("from .... import b", ""),
            ("from .x import (  # all\n    a,  # one\n    tests,\n)", "p.q.x p.q.x.a p.q.x.tests"),
            ("from .x import a, \\\n    tests", "p.q.x p.q.x.a p.q.x.tests"),
            ("try: from a import tests", "a a.tests"),
            ("x = 1; import a", "a"),
            ("from a import *", "a a.*"),
            ("important = from_tests", ""),
        ] {
            let mut found = imported(text, "p.q");
            found.sort();
            assert_eq!(found.join(" "), expected, "{text}");
        }
    }
}
