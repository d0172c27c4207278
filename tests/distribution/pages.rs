//! `pybundle man`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::artifact::leaves_of_folder;
use crate::support::command::{fail, pybundle, succeed};

/// Writes the pages into a directory.
fn man(folder: &Path) -> Command {
    pybundle(&["man", folder.to_str().unwrap()])
}

/// Returns a page as it is read on a terminal, without the backspaces that make it bold.
fn read(folder: &Path, name: &str) -> String {
    let page = folder.join(format!("{name}.1"));
    let output = Command::new("groff").args(["-man", "-ww", "-Kutf8", "-Tutf8", "-P-c"]).arg(&page).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut shown = String::new();
    for character in text.chars() {
        match character {
            '\u{8}' => drop(shown.pop()),
            other => shown.push(other),
        }
    }
    shown
}

#[test]
fn each_command_has_a_page_that_groff_reads() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("made/man1");
    assert_eq!(succeed(&mut man(&pages)), "");
    let leaves = leaves_of_folder(&pages);
    assert!(leaves.values().all(|leaf| !leaf.executable));
    let names: BTreeSet<_> = leaves.keys().map(|file| file.strip_suffix(".1").unwrap().to_owned()).collect();
    let mut named = BTreeSet::from(["pybundle".to_owned()]);
    for name in &names {
        let text = read(&pages, name);
        let title = format!("{}(1)", name.to_uppercase());
        let last = text.trim_end().lines().last().unwrap();
        assert!(text.starts_with(&title), "{name}: {text}");
        assert!(last.starts_with(concat!("pybundle ", env!("CARGO_PKG_VERSION"))) && last.ends_with(&title), "{last}");
        assert!(text.contains("SYNOPSIS") && text.contains("--cache-dir"), "{name}: {text}");
        let headings = ["\nEXIT STATUS\n", "\nENVIRONMENT\n", "\nEXAMPLES\n"];
        assert!(headings.iter().all(|heading| text.contains(heading)), "{name}: {text}");
        let lines = text.lines().filter_map(|line| line.trim().strip_suffix("(1)"));
        named.extend(lines.filter(|word| word.starts_with("pybundle-")).map(str::to_owned));
    }
    // Every page is named by another one, and every named page exists.
    assert_eq!(named, names);
    let usage = read(&pages, "pybundle-lambda");
    assert!(usage.contains("--runtime <NAME>"), "{usage}");
    assert!(usage.contains("\n           pybundle lambda --handler app.handler\n"), "{usage}");
    assert!(usage.contains("SOURCE_DATE_EPOCH") && usage.contains("UV_INDEX_<NAME>_USERNAME"), "{usage}");

    let again = folder.path().join("again");
    succeed(man(&again).env("TZ", "Asia/Tokyo").env("LC_ALL", "tr_TR.UTF-8").env("COLUMNS", "40"));
    assert_eq!(leaves_of_folder(&again), leaves);
}

#[test]
fn a_failure_leaves_no_page() {
    let folder = tempfile::tempdir().unwrap();
    let in_the_way = folder.path().join("pybundle-verify.1");
    fs::create_dir(&in_the_way).unwrap();
    let message = fail(&mut man(folder.path()));
    assert!(message.contains(&format!("cannot write {}", in_the_way.display())), "{message}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let message = fail(&mut man(&file.join("below")));
    assert!(message.contains("cannot write"), "{message}");
}
