//! Messages, help and documents use the terms that other tools and the specifications use.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Source;

/// Phrases that users would have to translate, and what to write. A phrase matches whole words in any case.
const PHRASES: &[(&str, &str)] = &[
    ("folder", "directory"),
    ("folders", "directories"),
    ("file of requirements", "requirements file"),
    ("files of requirements", "requirements files"),
    ("runtime brings", "provided by the runtime"),
    ("brings", "provides, contains"),
    ("as asked", "as requested, by default"),
    ("made before", "cached"),
    ("left out", "excluded, omitted"),
    ("leave out", "exclude, omit"),
    ("leaves out", "excludes, omits"),
    ("holds", "contains, includes"),
    ("has in it", "contains"),
    ("at hand", "installed, available"),
    ("is here", "is installed, is available"),
    ("are here", "are installed, are available"),
    ("to be had", "available"),
    ("fault", "error, problem"),
    ("faults", "errors, problems"),
    ("misfit", "is incompatible"),
    ("unfit", "is incompatible"),
    ("defect", "error, problem"),
    ("defects", "errors, problems"),
    ("refusal", "error"),
    ("bill of materials", "SBOM"),
    ("bills of materials", "SBOMs"),
    ("parted by", "separated by"),
    ("in the place of", "the default index, instead of"),
    ("who logs in", "registry authentication"),
    ("look after", "manage"),
    ("looks after", "manages"),
    ("as it should be", "OK, FAILED"),
    ("goes wrong with", "a failing … does not stop the others"),
    ("stops no other", "does not stop the others"),
    ("stated", "the value, the source of a setting"),
    ("none if", "`None` if"),
    ("none that", "no … that"),
    ("which is none", "is not a valid …"),
    ("there is none", "… is missing, no … exists"),
    ("whoever", "the one who"),
    ("what lies", "the contents, the files"),
    ("lies beside", "is next to"),
    ("lie beside", "are next to"),
];

/// Matches "`x` is no reference", but not "there is no reference" or "is no longer": the former should be "is not a valid …".
const IS_NO: &str = "is no";

/// Returns the phrases in a text with what to write instead.
fn found(text: &str) -> Vec<String> {
    let text = text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let mut found = Vec::new();
    for (phrase, better) in PHRASES {
        if !positions(&text, phrase).is_empty() {
            found.push(format!("`{phrase}`: write {better}"));
        }
    }
    let riddle = |at: &usize| {
        let (before, after) = (text[..*at].trim_end(), text[at + IS_NO.len()..].trim_start());
        !before.ends_with("there") && !before.is_empty() && !after.starts_with("longer")
    };
    if positions(&text, IS_NO).iter().any(riddle) {
        found.push(format!("`{IS_NO}`: write is not a valid …"));
    }
    found
}

/// Returns where a phrase stands in a text as whole words.
fn positions(text: &str, phrase: &str) -> Vec<usize> {
    // Placeholders, paths and code are no prose.
    let is_word = |c: char| c.is_alphanumeric() || "_-`/.{}".contains(c);
    let whole = |at: &usize| {
        let before = text[..*at].chars().next_back().is_some_and(is_word);
        let mut after = text[at + phrase.len()..].chars();
        let next = after.next();
        // A full stop ends a sentence, unless a file's extension follows.
        let extended = next == Some('.') && after.next().is_some_and(char::is_alphanumeric);
        !before && !extended && !next.is_some_and(|c| c != '.' && is_word(c))
    };
    text.match_indices(phrase).map(|(at, _)| at).filter(whole).collect()
}

/// Returns the string literals of Rust code with their lines, without those that give a lint's reason.
pub(crate) fn strings(code: &str) -> Vec<(usize, String)> {
    let mut strings = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(['"', '\'', '/']) {
        let line = 1 + code[..code.len() - rest.len() + at].matches('\n').count();
        let before = &rest[..at];
        let start = &rest[at..];
        if let Some(comment) = start.strip_prefix("//") {
            rest = &comment[comment.find('\n').unwrap_or(comment.len())..];
        } else if start.starts_with('"') {
            let hashes = before.len() - before.trim_end_matches('#').len();
            let is_raw = before.trim_end_matches('#').ends_with('r');
            let (text, end) = if is_raw { raw_string(start, hashes) } else { string(start) };
            if !before.ends_with("reason = ") {
                strings.push((line, text));
            }
            rest = &start[end..];
        } else if let Some(character) = start.strip_prefix('\'') {
            let mut letters = character.chars();
            let is_escape = letters.next() == Some('\\');
            let length = match letters.next() {
                // The quote of '\'' is not its end.
                _ if is_escape => character[2..].find('\'').map_or(0, |end| end + 3),
                Some('\'') => character.find('\'').map_or(0, |end| end + 1),
                // A lifetime.
                _ => 0,
            };
            rest = &character[length..];
        } else {
            rest = &start[1..];
        }
    }
    strings
}

/// Returns the text of a string literal, in which a line's end after `\` is skipped with the indentation, and where it ends.
fn string(literal: &str) -> (String, usize) {
    let mut text = String::new();
    let mut letters = literal.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (text, at + 1),
            '\\' => match letters.next() {
                Some((_, '\n')) => while letters.next_if(|(_, letter)| letter.is_whitespace()).is_some() {},
                Some((_, 'n' | 't')) => text.push(' '),
                Some((_, escaped)) => text.push(escaped),
                None => {}
            },
            other => text.push(other),
        }
    }
    panic!("the string has no end: {literal:.40}")
}

/// Returns the text of a raw string literal with so many hashes, and where it ends.
fn raw_string(literal: &str, hashes: usize) -> (String, usize) {
    let end = format!("\"{}", "#".repeat(hashes));
    let length = literal[1..].find(&end).unwrap_or_else(|| panic!("the string has no end: {literal:.40}"));
    (literal[1..=length].to_owned(), 1 + length + end.len())
}

/// Returns the paragraphs of doc comments, which clap and schemars show to users, with the lines on which they begin.
fn doc_comments(text: &str) -> Vec<(usize, String)> {
    let mut paragraphs: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        match line.trim_start().strip_prefix("///") {
            Some(words) if !words.trim().is_empty() => {
                if !open {
                    paragraphs.push((index + 1, String::new()));
                }
                let paragraph = paragraphs.last_mut().expect("one is open");
                paragraph.1 += words;
                open = true;
            }
            _ => open = false,
        }
    }
    paragraphs
}

/// Returns the paragraphs of a Markdown document outside of code blocks, with the lines on which they begin.
fn prose(text: &str) -> Vec<(usize, String)> {
    let (mut paragraphs, mut open, mut in_code) = (Vec::<(usize, String)>::new(), false, false);
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code || line.trim().is_empty() || line.trim_start().starts_with("```") {
            open = false;
            continue;
        }
        // Each row of a table, and each point of a list, is a paragraph.
        if !open || line.trim_start().starts_with(['|', '-']) {
            paragraphs.push((index + 1, String::new()));
        }
        let paragraph = paragraphs.last_mut().expect("one is open");
        paragraph.1 += line;
        paragraph.1.push(' ');
        open = true;
    }
    paragraphs
}

/// Returns the Markdown documents for users and contributors.
fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut directories = vec![root.join("docs")];
    let names = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "benches/README.md"];
    let mut documents: Vec<_> = names.iter().map(|name| root.join(name)).collect();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                documents.push(path);
            }
        }
    }
    documents
}

#[test]
fn phrases_are_whole_words() {
    assert!(found("a Folder.").len() == 1 && found("(folders)").len() == 1);
    assert_eq!(found("a `folder` key, folder.py, folder-name, the default").len(), 0);
    assert_eq!(found("default, misfits, {stated} bytes").len(), 0);
    assert_eq!(found("there is no lock in it, which is no longer used").len(), 0);
    assert_eq!(found("`x` is no reference"), ["`is no`: write is not a valid …"]);
    assert_eq!(found("left\n    out").len(), 1);
}

#[test]
fn strings_are_read_as_rust_reads_them() {
    let code =
        "f('\"', '\\'', \"a \\\n    b\"); // \"no\"\nlet x: &'a str = r#\"c\"d\"#; allow(reason = \"e\"); \"f\\\"\"";
    assert_eq!(strings(code), [(1, "a b".to_owned()), (3, "c\"d".to_owned()), (3, "f\"".to_owned())]);
}

#[test]
fn users_need_no_translation() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    for source in Source::below("src").iter().filter(|source| !source.is_test()) {
        let end = source.text.find("#[cfg(test)]\nmod tests {").unwrap_or(source.text.len());
        let code = &source.text[..end];
        let shown = matches!(source.room().as_str(), "cli" | "options" | "report");
        let help = if shown { doc_comments(code) } else { Vec::new() };
        // A single word is a key or a name.
        let messages = strings(code).into_iter().filter(|(_, text)| text.contains(' '));
        texts.extend(messages.chain(help).map(|(line, text)| (source.path.clone(), line, text)));
    }
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        let path = path.strip_prefix(root).unwrap().to_owned();
        texts.extend(prose(&text).into_iter().map(|(line, text)| (path.clone(), line, text)));
    }
    let wrong = texts.iter().flat_map(|(path, line, text)| {
        found(text).into_iter().map(move |found| format!("{}:{line}: {found}\n    {text}", path.display()))
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{} phrases\n{}", wrong.len(), wrong.join("\n"));
}
