//! The documents for users and contributors: their links resolve, and pybundle accepts the commands that they show.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::support::command::{pybundle, repository};

/// Returns the Markdown files of the repository.
fn documents() -> Vec<PathBuf> {
    let mut directories: Vec<_> =
        [".github", "benches", "docs", "findings", "testdata"].map(|name| repository().join(name)).into();
    let top = fs::read_dir(repository()).unwrap().map(|entry| entry.unwrap().path());
    let is_markdown = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
    let mut documents: Vec<_> = top.filter(is_markdown).collect();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if is_markdown(&path) {
                documents.push(path);
            }
        }
    }
    assert!(documents.len() > 5, "{documents:?}");
    documents
}

/// A line of a document.
struct Line {
    number: usize,
    text: String,
    is_code: bool,
}

/// Returns the lines of a document without the fences of its code blocks.
fn lines(document: &str) -> Vec<Line> {
    let mut is_fenced = false;
    let mut lines = Vec::new();
    for (index, text) in document.lines().enumerate() {
        if text.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
            continue;
        }
        let is_code = is_fenced || text.starts_with("    ");
        lines.push(Line { number: index + 1, text: text.to_owned(), is_code });
    }
    lines
}

/// Returns a line without its inline code, which may contain brackets.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// Returns the targets of the links in a line.
fn links(line: &str) -> Vec<String> {
    let line = without_code(line);
    let rest = line.match_indices("](").map(|(at, opening)| &line[at + opening.len()..]);
    rest.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned()).collect()
}

/// Returns the anchors of a document's headings, as GitHub names them.
fn anchors(document: &str) -> BTreeSet<String> {
    let headings = lines(document).into_iter().filter(|line| !line.is_code && line.text.starts_with('#'));
    let anchor = |heading: &str| {
        let letters = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = letters.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().replace(' ', "-")
    };
    headings.map(|line| anchor(&line.text)).collect()
}

#[test]
fn links_resolve() {
    let mut broken = Vec::new();
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        for line in lines(&text).iter().filter(|line| !line.is_code) {
            for link in links(&line.text) {
                if link.contains("://") || link.starts_with("mailto:") {
                    continue;
                }
                let (file, anchor) = link.split_once('#').map_or((&*link, None), |(file, anchor)| (file, Some(anchor)));
                let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
                let resolves = match anchor {
                    None => target.exists(),
                    Some(anchor) => fs::read_to_string(&target).is_ok_and(|text| anchors(&text).contains(anchor)),
                };
                if !resolves {
                    broken.push(format!("{}:{}: {link}", path.display(), line.number));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Returns the pybundle commands in the code blocks of a document, as arguments, with the number of their line.
fn commands(document: &str) -> Vec<(usize, Vec<String>)> {
    let mut commands = Vec::new();
    let mut lines = lines(document).into_iter().filter(|line| line.is_code);
    while let Some(Line { number, mut text, .. }) = lines.next() {
        while let Some(start) = text.strip_suffix('\\') {
            let next = lines.next().unwrap_or_else(|| panic!("line {number} has no continuation"));
            text = format!("{start} {}", next.text);
        }
        let command = text.trim_start().trim_start_matches("$ ");
        for command in command.split(" && ") {
            let words = shlex::split(command).unwrap_or_default();
            let end =
                words.iter().position(|word| matches!(word.chars().next(), Some('|' | '>'))).unwrap_or(words.len());
            let words = &words[..end];
            match words {
                [program, arguments @ ..] if program == "pybundle" => commands.push((number, arguments.to_vec())),
                [cargo, run, rest @ ..] if cargo == "cargo" && run == "run" => {
                    let start = rest.iter().position(|word| word == "--").expect("arguments follow `--`");
                    commands.push((number, rest[start + 1..].to_vec()));
                }
                _ => {}
            }
        }
    }
    commands
}

#[test]
fn commands_are_accepted() {
    let mut checked = 0;
    for path in documents() {
        // The reference is generated: its usage lines are not commands.
        if path.components().any(|part| part.as_os_str() == "reference") {
            continue;
        }
        for (number, arguments) in commands(&fs::read_to_string(&path).unwrap()) {
            let mut words: Vec<_> = arguments.iter().map(String::as_str).collect();
            // What follows the artifact are the arguments of the command that built it, which `verify` parses later.
            if let ["verify", _, rest @ ..] = &words[..] {
                let is_image = !rest.contains(&"--handler");
                words = [&[if is_image { "image" } else { "lambda" }], rest].concat();
            }
            // clap parses the arguments in their order, and only then prints the help.
            words.push("--help");
            let output = pybundle(&words).output().unwrap();
            let message = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}:{number}: pybundle {arguments:?}\n{message}", path.display());
            checked += 1;
        }
    }
    assert!(checked > 20, "only {checked} commands were found");
}

#[test]
fn what_is_not_accepted_is_found() {
    let document =
        "```sh\npybundle lambda --handler a.b \\\n    --handle x > out # comment\n```\n\n    pybundle build && ls\n";
    let found = commands(document);
    let expected: [(usize, &[&str]); 2] = [(2, &["lambda", "--handler", "a.b", "--handle", "x"]), (6, &["build"])];
    assert_eq!(found, expected.map(|(line, words)| (line, words.iter().map(|word| (*word).to_owned()).collect())));
    assert_eq!(pybundle(&["lambda", "--handle", "x", "--help"]).output().unwrap().status.code(), Some(2));
    assert_eq!(links("[a](b.md), `[c](d)` and [e](f.md#g)"), ["b.md", "f.md#g"]);
    assert!(anchors("# Files & users\n").contains("files--users"));
}
