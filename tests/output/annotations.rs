//! `--output-format github` and `gitlab`: errors and warnings point at files, as the runner and GitLab parse them.

use std::fs;
use std::process::Command;

use crate::studio::{run, shown, studio};
use crate::support::command::succeed;

/// A line as the runner parses it: the command, its properties, and the message.
#[derive(Debug, PartialEq, Eq)]
struct Annotation {
    command: String,
    properties: Vec<(String, String)>,
    message: String,
}

impl Annotation {
    fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Parses a line as the runner does.
fn read(line: &str) -> Annotation {
    let (head, message) =
        line.strip_prefix("::").and_then(|rest| rest.split_once("::")).unwrap_or_else(|| panic!("{line}"));
    let (command, properties) = head.split_once(' ').unwrap_or((head, ""));
    let data = |text: &str| text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%");
    let property = |text: &str| data(&text.replace("%3A", ":").replace("%2C", ","));
    let properties = properties.split(',').filter_map(|pair| pair.split_once('='));
    Annotation {
        command: command.to_owned(),
        properties: properties.map(|(name, value)| (name.to_owned(), property(value))).collect(),
        message: data(message),
    }
}

/// Runs pybundle, which must print one annotation.
fn annotation(words: &[&str], status: i32) -> Annotation {
    let ran = run(studio().pybundle(words).env("PYBUNDLE_OUTPUT_FORMAT", "github").env("CLICOLOR_FORCE", "1"));
    assert_eq!(ran.status, status, "{words:?}: {}", ran.err);
    let lines: Vec<&str> = ran.err.lines().collect();
    assert!(lines.len() == 1 && !ran.err.contains('\x1b'), "{words:?}: {}", ran.err);
    read(lines[0])
}

#[test]
fn an_error_points_at_its_file() {
    let error = annotation(&["plan", "broken"], 1);
    let line = fs::read_to_string(studio().path("broken/pyproject.toml")).unwrap();
    let line = line.lines().position(|line| line.contains("100")).unwrap() + 1;
    assert_eq!((error.command.as_str(), error.property("title")), ("error", Some("pybundle")));
    let (line, expected) = (line.to_string(), studio().path("broken/pyproject.toml").canonicalize().unwrap());
    assert_eq!(error.property("file"), Some(shown(&expected)));
    assert_eq!((error.property("line"), error.property("col")), (Some(line.as_str()), Some("11")));
    assert!(error.message.contains("invalid type: integer `100`"), "{error:?}");

    // The repository is the workspace, in whatever folder the step runs.
    let mut command = studio().pybundle(&["plan", "--output-format=github"]);
    command.env("GITHUB_WORKSPACE", studio().path("")).current_dir(studio().path("broken"));
    assert_eq!(read(run(&mut command).err.trim_end()).property("file"), Some("broken/pyproject.toml"));
}

#[test]
fn special_characters_in_paths_are_escaped() {
    let name = "50%,a:b";
    succeed(Command::new("cp").arg("-r").arg(studio().path("broken")).arg(studio().path(name)));
    let mut command = studio().pybundle(&["plan", name, "--output-format=github"]);
    let said = run(command.env("GITHUB_WORKSPACE", studio().path(""))).err;
    assert!(said.starts_with("::error title=pybundle,file=50%25%2Ca%3Ab/pyproject.toml,line="), "{said}");
    assert_eq!(read(said.trim_end()).property("file"), Some("50%,a:b/pyproject.toml"));
}

#[test]
fn hints_and_causes_are_in_the_message() {
    let error = annotation(&["lambda", "project", "--handler=app.handlr", "--output=annotated/app.zip"], 1);
    assert_eq!(error.properties, [("title".to_owned(), "pybundle".to_owned())]);
    let lines: Vec<&str> = error.message.lines().collect();
    assert!(lines[0].contains("app.py does not define `handlr`"), "{error:?}");
    assert_eq!(lines[1], "hint: did you mean `app.handler`?");
    let error = annotation(&["cache", "size", "--cache-dir=app.zip/cache"], 1);
    assert!(error.message.contains("\nbecause: Not a directory"), "{error:?}");
}

#[test]
fn the_failure_of_a_target_names_it() {
    let error = annotation(&["build", "wrong", "--project=targets"], 1);
    assert!(
        error.message.starts_with("wrong: cannot run the handler `app.nothing`: app.py does not define `nothing`"),
        "{error:?}"
    );
    assert!(error.message.contains("\nhint: "), "{error:?}");
}

#[test]
fn a_warning_points_at_its_line_and_the_result_is_text() {
    let project = studio().path("warned");
    succeed(Command::new("cp").arg("-r").arg(studio().path("project")).arg(&project));
    fs::write(project.join("shop/late.py"), "def late():\n    import nowhere_at_all\n").unwrap();
    let command = |format: &str| {
        let mut command = studio().pybundle(&["lambda", "--output=app.zip", "--output-format", format]);
        command.current_dir(&project).env("GITHUB_WORKSPACE", studio().path(""));
        command
    };
    let ran = run(&mut command("github"));
    assert_eq!(ran.status, 0, "{}", ran.err);
    let warning = read(ran.err.trim_end());
    assert_eq!((warning.command.as_str(), warning.property("file")), ("warning", Some("warned/shop/late.py")));
    assert_eq!((warning.property("line"), warning.property("col")), (Some("2"), None));
    assert!(warning.message.starts_with("shop/late.py:2 imports `nowhere_at_all`"), "{warning:?}");
    // Everything but the time equals the text output.
    let page = |text: &str| {
        text.lines()
            .filter(|line| !line.contains("time "))
            .map(|line| line.replace(", unchanged", ""))
            .collect::<Vec<_>>()
    };
    assert_eq!(page(&ran.out), page(&run(&mut command("text")).out));
    assert!(ran.out.starts_with("app.zip  "), "{}", ran.out);
    assert_eq!(run(command("github").arg("--quiet")).err, "");

    // The warning of a target names it, and points at the same line.
    let pyproject = fs::read_to_string(project.join("pyproject.toml")).unwrap();
    let target = "[tool.pybundle]\nfrozen = true\n[tool.pybundle.target.api]\nkind = \"lambda\"\n";
    fs::write(project.join("pyproject.toml"), format!("{pyproject}\n{target}")).unwrap();
    let mut command = studio().pybundle(&["build", "--output-format=github"]);
    let ran = run(command.current_dir(&project).env("GITHUB_WORKSPACE", studio().path("")));
    assert_eq!(ran.status, 0, "{}", ran.err);
    let of_target = read(ran.err.trim_end());
    assert_eq!((of_target.message, of_target.properties), (format!("api: {}", warning.message), warning.properties));
}

#[test]
fn a_usage_error_is_an_annotation() {
    for words in [&["plan", "--nothing"][..], &["verify", "app.zip", "project", "--nothing"]] {
        let error = annotation(words, 2);
        assert!(error.message.starts_with("unexpected argument '--nothing' found\n"), "{error:?}");
        let ran = run(&mut studio().pybundle(&[words, &["--output-format=github"]].concat()));
        assert!(ran.err.starts_with("::error title=pybundle::unexpected argument"), "{}", ran.err);
    }
    // Arguments after the artifact are parsed separately.
    let ran = run(&mut studio().pybundle(&["verify", "damaged.zip", "--output-format", "github"]));
    assert!(
        ran.out.contains("FAILED") && ran.err.starts_with("::error title=pybundle::verification of damaged.zip failed"),
        "{ran:?}"
    );
    let ran = run(&mut studio().pybundle(&["verify", "nowhere", "--output-format=github"]));
    assert!(ran.err.starts_with("::error title=pybundle::`nowhere` does not exist%0Ahint: "), "{ran:?}");
}

#[test]
fn passwords_are_shown_in_no_format() {
    for words in [
        &["plan", "project", "--index-url=https://user:s3cret@[oops/simple"][..],
        &["plan", "project", "https://user:s3cret@host.invalid/simple"],
        &["profile", "show", "https://user:s3cret@host.invalid/simple"],
        &["inspect", "https://user:s3cret@host.invalid/simple"],
        &["image", "project", "--tag=https://user:s3cret@host.invalid/simple"],
    ] {
        for format in ["text", "json", "github", "gitlab"] {
            let ran = run(studio().pybundle(words).args(["--output-format", format]));
            assert!(ran.status > 0 && !ran.err.is_empty(), "{words:?}: {ran:?}");
            assert!(!ran.err.contains("s3cret") && !ran.out.contains("s3cret"), "{words:?}: {ran:?}");
        }
    }
}

/// The runner shows an annotation beside the source, wherever that is in the repository.
#[test]
fn an_annotation_names_the_source_of_a_file_in_an_artifact() {
    let member = |name: &str, more: &str| {
        format!("[project]\nname = \"{name}\"\nversion = \"1\"\nrequires-python = \">=3.9\"\n{more}")
    };
    let root = studio().path("members");
    let target =
        "[tool.pybundle]\nfrozen = true\n[tool.pybundle.target.api]\nkind = \"lambda\"\nruntime = \"python3.12\"\n";
    for (path, text) in [
        ("pyproject.toml", "[tool.uv.workspace]\nmembers = [\"services/*\"]\n".to_owned()),
        (
            "uv.lock",
            "version = 1\nrequires-python = \">=3.9\"\n".to_owned()
                + "[[package]]\nname = \"one\"\nversion = \"1\"\nsource = { virtual = \"services/one\" }\n"
                + "[[package]]\nname = \"two\"\nversion = \"1\"\nsource = { virtual = \"services/two\" }\n",
        ),
        ("services/one/pyproject.toml", member("one", target)),
        ("services/one/late.py", "def late():\n    import nowhere_at_all\n".to_owned()),
        ("services/two/pyproject.toml", member("two", &format!("{target}include = [\"src:.\"]\n"))),
        ("services/two/src/shop/late.py", "\ndef late():\n    import nowhere_at_all\n".to_owned()),
    ] {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let ran = |words: &[&str], directory: &str| {
        let mut command = studio().pybundle(words);
        command.current_dir(root.join(directory)).env("GITHUB_WORKSPACE", studio().path(""));
        let ran = run(command.arg("--output-format=github"));
        assert_eq!(ran.status, 0, "{}", ran.err);
        let warnings = ran.err.lines().map(read).filter(|warning| warning.message.contains("nowhere_at_all"));
        let files = warnings.map(|warning| {
            (
                warning.property("file").unwrap_or_default().to_owned(),
                warning.property("line").unwrap_or_default().to_owned(),
            )
        });
        let mut files: Vec<(String, String)> = files.collect();
        files.sort();
        files
    };
    let of = |file: &str, line: &str| (format!("members/services/{file}"), line.to_owned());
    let (one, two) = (of("one/late.py", "2"), of("two/src/shop/late.py", "3"));
    assert_eq!(ran(&["build", "--workspace"], "."), [one.clone(), two.clone()]);
    assert_eq!(ran(&["build", "--project=services/two"], "."), std::slice::from_ref(&two));
    assert_eq!(ran(&["build"], "services/one"), [one]);
    assert_eq!(ran(&["lambda", "services/two", "--target=api"], "."), [two]);
}

/// The report as GitLab validates it (`codeclimate.json` of gitlabhq): strings, and the number of a line.
fn gitlab_issues(output: &str) -> Vec<(String, u64, String)> {
    let issues: Vec<serde_json::Value> = serde_json::from_str(output).unwrap();
    let mut fingerprints = std::collections::BTreeSet::new();
    let issues = issues.iter().map(|issue| {
        let text = |pointer: &str| issue.pointer(pointer).and_then(|value| value.as_str()).unwrap().to_owned();
        assert!(fingerprints.insert(text("/fingerprint")), "{output}");
        assert!(["major", "minor"].contains(&&*text("/severity")), "{output}");
        assert!(text("/check_name").starts_with("pybundle/"), "{output}");
        let line = issue.pointer("/location/lines/begin").and_then(|line| line.as_u64()).unwrap();
        (text("/location/path"), line, text("/description"))
    });
    issues.collect()
}

#[test]
fn gitlab_gets_a_code_quality_report_on_standard_output_alone() {
    let run_in = |words: &[&str]| {
        let mut command = studio().pybundle(words);
        command.env("CI_PROJECT_DIR", studio().path("")).env_remove("GITHUB_WORKSPACE");
        run(command.arg("--output-format=gitlab"))
    };
    let broken = run_in(&["plan", "broken"]);
    let text = fs::read_to_string(studio().path("broken/pyproject.toml")).unwrap();
    let line = text.lines().position(|line| line.contains("100")).unwrap() as u64 + 1;
    let issues = gitlab_issues(&broken.out);
    assert_eq!((broken.status, issues.len()), (1, 1), "{broken:?}");
    assert_eq!((issues[0].0.as_str(), issues[0].1), ("broken/pyproject.toml", line));
    assert!(broken.err.contains("error: ") && broken.err.contains("invalid type: integer `100`"), "{broken:?}");
    // What succeeds has an empty report, and its result is on standard error.
    let planned = run_in(&["plan", "project"]);
    assert_eq!((planned.status, planned.out.as_str()), (0, "[]\n"), "{planned:?}");
    assert!(planned.err.contains("would write"), "{planned:?}");
    let unparsed = run_in(&["plan", "--nothing"]);
    assert_eq!((unparsed.status, gitlab_issues(&unparsed.out).len()), (2, 1), "{unparsed:?}");
}
