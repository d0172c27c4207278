//! Asserts the architecture: which module imports which, who prints and reads the environment, how long files are.
//!
//! ARCHITECTURE.md explains the rules. A room is a module of the crate.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

#[path = "architecture/compatibility.rs"]
mod compatibility;
#[path = "architecture/dependencies.rs"]
mod dependencies;
#[path = "architecture/hints.rs"]
mod hints;
#[path = "architecture/imports.rs"]
mod imports;
#[path = "architecture/names.rs"]
mod names;
#[path = "architecture/words.rs"]
mod words;

use imports::{imports, members, room};

/// Each room and what it imports. It imports only rooms of earlier lines, so there is no cycle.
const ROOMS: &[(&str, &[&str])] = &[
    ("hints", &[]),
    ("http", &[]),
    ("limited_reader", &[]),
    ("deployment_file", &["hints", "limited_reader"]),
    ("mail_headers", &[]),
    ("name", &[]),
    ("redact", &[]),
    ("temporary", &[]),
    ("sdist", &["temporary", "limited_reader", "name"]),
    ("report", &["hints", "redact"]),
    ("silence", &["hints", "report"]),
    ("retry", &[]),
    ("digest", &[]),
    ("git", &["limited_reader", "digest", "hints"]),
    ("tree", &["digest", "name"]),
    ("debian", &["hints", "limited_reader", "tree"]),
    ("archive", &["hints", "digest", "report", "temporary", "tree"]),
    ("wheel::filename", &["name"]),
    ("platform", &["hints", "name", "tree", "wheel::filename"]),
    ("marker", &["hints", "name", "redact", "platform"]),
    ("syntax", &["platform"]),
    ("constraint", &["marker"]),
    ("wheel", &["hints", "digest", "mail_headers", "name", "platform", "tree", "wheel::filename"]),
    ("trim", &["hints", "platform", "syntax", "wheel"]),
    ("cache", &["hints", "digest", "temporary", "wheel", "wheel::filename"]),
    ("audit", &["debian", "hints", "name", "syntax", "platform", "tree"]),
    ("interpreter", &["cache", "platform"]),
    ("engine", &["hints", "interpreter"]),
    ("builder", &["archive", "cache", "hints", "interpreter", "redact", "platform", "temporary"]),
    ("bytecode", &["hints", "interpreter"]),
    ("closure", &["audit", "bytecode", "cache", "digest", "platform", "tree", "wheel", "wheel::filename"]),
    ("project", &["archive", "limited_reader", "hints", "constraint", "name", "platform", "redact", "syntax", "tree"]),
    ("lock", &["hints", "constraint", "digest", "marker", "name", "redact", "sdist", "platform", "wheel::filename"]),
    (
        "fetch",
        &[
            "limited_reader",
            "hints",
            "http",
            "cache",
            "digest",
            "lock",
            "redact",
            "report",
            "retry",
            "sdist",
            "silence",
            "wheel",
            "wheel::filename",
        ],
    ),
    ("apt", &["cache", "debian", "digest", "fetch", "hints", "limited_reader", "lock", "redact", "report", "retry"]),
    ("repository", &["hints", "cache", "git", "lock", "redact", "report"]),
    (
        "index",
        &[
            "limited_reader",
            "hints",
            "cache",
            "digest",
            "fetch",
            "lock",
            "name",
            "redact",
            "report",
            "retry",
            "sdist",
            "platform",
            "wheel::filename",
        ],
    ),
    ("lambda", &["hints", "name", "report", "platform", "tree"]),
    ("image", &["hints", "limited_reader", "archive", "digest", "name", "report", "platform", "tree"]),
    ("contents", &["hints", "limited_reader", "archive", "debian", "digest", "image", "name", "tree", "wheel"]),
    ("aws", &["hints", "http", "redact", "retry"]),
    ("deploy", &["aws", "hints", "http", "lambda", "redact", "retry"]),
    ("registry", &["aws", "hints", "http", "digest", "image", "redact", "report", "retry", "silence"]),
    ("sbom", &["digest", "git", "image", "mail_headers", "name"]),
    (
        "settings",
        &[
            "apt",
            "audit",
            "aws",
            "debian",
            "deploy",
            "engine",
            "hints",
            "image",
            "lambda",
            "index",
            "interpreter",
            "lock",
            "name",
            "project",
            "registry",
            "sbom",
            "silence",
            "platform",
            "trim",
        ],
    ),
    (
        "options",
        &[
            "apt", "debian", "deploy", "hints", "audit", "image", "lambda", "index", "lock", "name", "project",
            "redact", "registry", "sbom", "settings", "platform", "trim",
        ],
    ),
    (
        "pipeline",
        &[
            "apt",
            "debian",
            "limited_reader",
            "hints",
            "archive",
            "audit",
            "aws",
            "builder",
            "bytecode",
            "cache",
            "closure",
            "contents",
            "digest",
            "engine",
            "fetch",
            "git",
            "image",
            "index",
            "interpreter",
            "lambda",
            "lock",
            "mail_headers",
            "marker",
            "name",
            "project",
            "redact",
            "registry",
            "report",
            "repository",
            "sbom",
            "sdist",
            "settings",
            "silence",
            "platform",
            "temporary",
            "tree",
            "trim",
            "wheel",
            "wheel::filename",
        ],
    ),
    (
        "artifact",
        &[
            "archive",
            "audit",
            "contents",
            "digest",
            "image",
            "lambda",
            "pipeline",
            "platform",
            "registry",
            "report",
            "settings",
            "temporary",
        ],
    ),
    (
        "invoke",
        &[
            "archive",
            "audit",
            "digest",
            "engine",
            "hints",
            "interpreter",
            "lambda",
            "pipeline",
            "platform",
            "report",
            "settings",
            "syntax",
            "temporary",
            "tree",
        ],
    ),
    (
        "fuzzing",
        &[
            "archive",
            "audit",
            "cache",
            "contents",
            "debian",
            "digest",
            "hints",
            "image",
            "index",
            "marker",
            "options",
            "pipeline",
            "platform",
            "project",
            "sbom",
            "settings",
            "trim",
            "wheel",
            "wheel::filename",
        ],
    ),
    (
        "scaffold",
        &[
            "apt",
            "limited_reader",
            "audit",
            "git",
            "hints",
            "image",
            "lock",
            "marker",
            "name",
            "options",
            "pipeline",
            "project",
            "settings",
            "syntax",
            "platform",
            "temporary",
            "tree",
        ],
    ),
];

/// The stages of the pipeline, and which earlier ones each imports. What `mod.rs` names is open to all of them.
const STAGES: &[(&str, &[&str])] = &[
    ("apt", &[]),
    ("error", &["apt"]),
    ("session", &[]),
    ("threads", &[]),
    ("plan", &["error", "session"]),
    ("wheels", &["error", "plan", "threads"]),
    ("install", &["plan", "wheels"]),
    ("audits", &["error", "install", "plan", "wheels"]),
    ("report", &["install", "plan"]),
    ("documents", &["install", "plan"]),
    ("planned_outputs", &["documents", "plan"]),
    ("remote_cache", &["install", "plan", "wheels"]),
    ("notes", &["documents", "install", "plan", "planned_outputs", "wheels"]),
    (
        "lambda",
        &[
            "audits",
            "documents",
            "error",
            "install",
            "notes",
            "plan",
            "planned_outputs",
            "remote_cache",
            "report",
            "session",
            "wheels",
        ],
    ),
    (
        "image",
        &[
            "apt",
            "audits",
            "documents",
            "install",
            "notes",
            "plan",
            "planned_outputs",
            "remote_cache",
            "report",
            "session",
            "wheels",
        ],
    ),
    ("targets", &["image", "lambda", "notes", "planned_outputs", "threads"]),
    ("changed_since", &["image", "lambda", "plan", "targets"]),
];

/// The longest that a file may be, in lines.
const LONGEST: usize = 500;

/// The longest that a file of the pipeline may be, in lines.
const LONGEST_OF_PIPELINE: usize = 300;

/// A source file: its path in the repository, its text, and its lines of code without comments and unit tests.
struct Source {
    path: PathBuf,
    text: String,
    code: Vec<String>,
}

impl Source {
    /// Returns the Rust files in a directory of the repository, at any depth.
    fn below(directory: &str) -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut directories = vec![root.join(directory)];
        let mut sources = Vec::new();
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = fs::read_to_string(&path).unwrap();
                    sources.push(Self { path: path.strip_prefix(root).unwrap().to_owned(), code: code(&text), text });
                }
            }
        }
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        sources
    }

    /// Returns the room that the file belongs to.
    fn room(&self) -> String {
        let parts: Vec<_> = self.path.iter().map(|part| part.to_str().unwrap().trim_end_matches(".rs")).collect();
        match parts[1..] {
            ["wheel", "filename"] => "wheel::filename".to_owned(),
            [first, ..] => first.to_owned(),
            [] => unreachable!("a source file is in src"),
        }
    }

    /// Returns whether the file contains only unit tests.
    fn is_test(&self) -> bool {
        self.path.file_name().is_some_and(|name| name == "tests.rs") || self.path.iter().any(|part| part == "tests")
    }

    /// Returns whether the file belongs to the command line.
    fn is_command_line(&self) -> bool {
        matches!(self.room().as_str(), "main" | "cli")
    }

    /// Returns the lines that contain one of these names, each with the path of the file.
    fn lines_with<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = String> + 'a {
        let hits = self.code.iter().filter(move |line| names.iter().any(|name| line.contains(name)));
        hits.map(|line| format!("{}: {}", self.path.display(), line.trim()))
    }
}

/// Returns the lines of code: neither comments nor the inline module of tests at the end of a file.
fn code(text: &str) -> Vec<String> {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..end].lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.map(str::to_owned).collect()
}

#[test]
fn rooms_have_no_cycle() {
    for (at, (room, allowed)) in ROOMS.iter().enumerate() {
        for import in *allowed {
            assert!(
                ROOMS[..at].iter().any(|(earlier, _)| earlier == import),
                "{room} may not import {import}, a later room"
            );
        }
    }
}

#[test]
fn every_room_is_described() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with("| `")).collect();
    for (room, _) in ROOMS.iter().filter(|(room, _)| !room.contains("::")) {
        assert!(rows.iter().any(|row| row.contains(&format!("`{room}`"))), "ARCHITECTURE.md does not describe {room}");
    }
}

#[test]
fn rooms_import_what_is_listed() {
    let sources = Source::below("src");
    let library =
        sources.iter().filter(|source| !source.is_test() && !source.is_command_line() && source.room() != "lib");
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in library {
        let own = source.room();
        let imports = imports(&source.code.join("\n")).into_iter();
        let others = imports.filter(|import| *import != own && !own.starts_with(&format!("{import}::")));
        found.entry(own.clone()).or_default().extend(others);
    }
    let shown = ROOMS.iter().map(|(room, allowed)| {
        ((*room).to_owned(), allowed.iter().map(|import| (*import).to_owned()).collect::<BTreeSet<_>>())
    });
    assert_eq!(found, shown.collect(), "the imports in src (left) and ROOMS (right) differ");
}

#[test]
fn stages_import_earlier_stages_only() {
    for (at, (stage, allowed)) in STAGES.iter().enumerate() {
        for import in *allowed {
            assert!(STAGES[..at].iter().any(|(earlier, _)| earlier == import), "{stage} may not import {import}");
        }
    }
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in Source::below("src/pipeline") {
        let path = source.path.strip_prefix("src/pipeline").unwrap();
        let stage = path.iter().next().and_then(|part| part.to_str()).unwrap().trim_end_matches(".rs").to_owned();
        if stage == "mod" || source.is_test() {
            continue;
        }
        let code = source.code.join("\n");
        let imports = stages(&code).into_iter().filter(|import| *import != stage);
        found.entry(stage.clone()).or_default().extend(imports);
    }
    let shown = STAGES.iter().map(|(stage, allowed)| {
        ((*stage).to_owned(), allowed.iter().map(|import| (*import).to_owned()).collect::<BTreeSet<_>>())
    });
    assert_eq!(found, shown.collect(), "the source (left) and the stages (right) differ");
}

/// Returns the stages of the pipeline that a text refers to by `crate::pipeline::`.
fn stages(code: &str) -> Vec<String> {
    let is_stage = |name: &String| STAGES.iter().any(|(stage, _)| stage == name);
    let mut stages = Vec::new();
    for (at, found) in code.match_indices("crate::pipeline::") {
        let rest = &code[at + found.len()..];
        match rest.strip_prefix('{') {
            Some(group) => stages.extend(members(group).iter().map(|path| room(path))),
            None => stages.push(room(rest)),
        }
    }
    stages.retain(is_stage);
    stages
}

#[test]
fn only_the_command_line_prints() {
    let sources = Source::below("src");
    // An artifact that the user directs to standard output is written there.
    let writer = Path::new("src/archive/destination.rs");
    let library = sources.iter().filter(|source| !source.is_command_line() && source.path != writer);
    let macros = ["println!(", "eprintln!(", "print!(", "eprint!(", "dbg!(", "io::stdout(", "io::stderr("];
    let wrong: Vec<_> = library.flat_map(|source| source.lines_with(&macros)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_command_line_reads_the_environment() {
    let sources = Source::below("src");
    let library = sources.iter().filter(|source| !source.is_command_line() && !source.is_test());
    let names =
        ["env::var", "env::args", "env::current_dir", "env::current_exe", "env::temp_dir", "home_dir(", "etcetera::"];
    let wrong: Vec<_> = library.flat_map(|source| source.lines_with(&names)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    for source in ["src", "tests"].iter().flat_map(|directory| Source::below(directory)) {
        let lines = source.text.lines().count();
        let longest = if source.path.starts_with("src/pipeline") { LONGEST_OF_PIPELINE } else { LONGEST };
        assert!(lines <= longest, "{} has {lines} lines, more than {longest}", source.path.display());
    }
}

#[test]
fn file_names_say_what_is_inside() {
    for source in Source::below("src") {
        let stem = source.path.file_stem().and_then(|stem| stem.to_str()).unwrap();
        assert!(
            !matches!(stem, "util" | "utils" | "helpers" | "common" | "misc"),
            "{} needs a name that says what is inside",
            source.path.display()
        );
    }
}
