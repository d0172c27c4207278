//! Exit statuses: 0 success, 1 failure, 2 usage error, and what is printed where.

use std::fs::File;

use crate::studio::{run, studio};

/// Runs commands that must end with a status, and returns the standard error of each.
fn assert_status(status: i32, lines: &[&str]) -> Vec<String> {
    let said = lines.iter().map(|words| {
        let words: Vec<&str> = words.split(' ').filter(|word| !word.is_empty()).collect();
        let ran = run(&mut studio().pybundle(&words));
        assert_eq!(ran.status, status, "{words:?}: {}", ran.err);
        assert!(!ran.err.contains("panicked"), "{words:?}: {}", ran.err);
        // Only terminals get colors.
        assert!(!ran.out.contains('\x1b') && !ran.err.contains('\x1b'), "{words:?}: {ran:?}");
        match status {
            0 => assert!(!ran.out.is_empty(), "{words:?} printed nothing"),
            _ => assert!(ran.err.starts_with("error: "), "{words:?}: {}", ran.err),
        }
        // A command that fails prints no result, except for findings.
        let finds = matches!(words[..], ["verify" | "build", ..]);
        assert!(status == 0 || finds || ran.out.is_empty(), "{words:?}: {}", ran.out);
        ran.err
    });
    said.collect()
}

#[test]
fn success_is_0() {
    let lines = [
        "--help",
        "--version",
        "lambda --help",
        "lambda -h",
        "help",
        "help image",
        "help cache prune",
        "lambda project --output=status/app.zip",
        "image project --base=oci:base --output=oci:status/image",
        "build api web --project=targets",
        "build --list --project=targets",
        "plan project",
        "lambda project --dry-run",
        "inspect app.zip",
        "diff app.zip app.zip --exit-code",
        "diff app.zip other.zip",
        "verify app.zip project",
        "verify oci:image",
        "config show targets",
        "config schema",
        "profile list",
        "profile show python3.13",
        "cache dir",
        "cache size",
        "cache prune --days=3000",
        "cache clean --cache-dir=status/cache",
        "schema",
        "schema lambda",
        "completions fish",
    ];
    assert_status(0, &lines);
    let help = run(&mut studio().pybundle(&["--help"])).out;
    for line in ["\nExamples:\n  # ", "\nExit status:\n    0  success\n", "\n    1  failure", "\n    2  usage error"] {
        assert!(help.contains(line), "{help}");
    }
}

#[test]
fn failure_is_1() {
    let push = format!("push nowhere {}/a:1", studio().registry.host());
    assert_status(
        1,
        &[
            "lambda nowhere",
            "lambda broken",
            "lambda project --handler=app.nothing",
            "image nowhere --base=oci:base",
            "image project --base=oci:nowhere",
            &push,
            "build wrong api --project=targets",
            "build nothing --project=targets",
            "build --project=project",
            "build --project=broken",
            "config show broken",
            "man app.zip/pages",
            "plan nowhere",
            "plan project --runtime=python2.7",
            "inspect nowhere",
            "inspect project/pyproject.toml",
            "diff app.zip nowhere",
            "verify nowhere",
            "verify damaged.zip",
            "verify app.zip project --no-audit --no-install-package=example-banner",
            "profile show nothing",
            "cache size --cache-dir=app.zip",
            "cache clean --cache-dir=app.zip",
        ],
    );
    let differ = run(&mut studio().pybundle(&["diff", "app.zip", "other.zip", "--exit-code"]));
    assert_eq!((differ.status, differ.err.as_str()), (1, ""), "{}", differ.out);
}

#[test]
fn a_usage_error_is_2() {
    assert_status(
        2,
        &[
            "",
            "nothing",
            "--nothing",
            "lambda --arch=sparc",
            "lambda --quiet --verbose",
            "lambda --frozen --locked",
            "image --push",
            "image --platform=windows/amd64",
            "push app.zip",
            "push app.zip not/a:re:ference",
            "build --format=github-matrix",
            "build --list --dry-run",
            "config",
            "man",
            "plan a b",
            "plan --index-url=https://[oops/simple",
            "inspect",
            "diff app.zip",
            "verify",
            "verify app.zip --nothing",
            "verify app.zip project --arch=sparc",
            "profile",
            "profile show",
            "cache",
            "cache prune --days=many",
            "cache dir --no-cache",
            "schema nothing",
            "help nothing",
            "completions cmd",
            "--output-format=xml profile list",
            "--json --output-format=text profile list",
            "profile list --output-format=text --json",
            "verify app.zip --json --output-format=text",
        ],
    );
    let said = run(studio().pybundle(&["profile", "list"]).env("PYBUNDLE_OUTPUT_FORMAT", "xml"));
    assert_eq!(said.status, 2);
    assert!(
        said.err.contains(
            "invalid value 'xml' for PYBUNDLE_OUTPUT_FORMAT: expected text, json, github, gitlab or terraform"
        ),
        "{}",
        said.err
    );
}

#[test]
fn a_usage_error_shows_the_usage_of_its_command() {
    for (words, usage) in [
        ("lambda --nothing", "lambda [OPTIONS] [PROJECT]"),
        ("apt lock a b", "apt lock [OPTIONS] [PROJECT]"),
        // `verify` parses the arguments after the artifact itself.
        ("verify app.zip --nothing", "verify <ARTIFACT|REF> [OPTIONS] [PROJECT]"),
        ("verify oci:image --nothing", "verify <ARTIFACT|REF> [OPTIONS] [PROJECT]"),
        ("verify app.zip a b", "verify <ARTIFACT|REF> [OPTIONS] [PROJECT]"),
        (
            "verify app.zip --json --output-format=text",
            "verify <ARTIFACT|REF> [PROJECT [OPTIONS THAT IT WAS BUILT WITH]]",
        ),
        // What formats may be combined is checked after clap.
        ("plan --json --output-format=text", "plan [OPTIONS] [PROJECT]"),
        ("--json --output-format=text cache size", "cache size [OPTIONS]"),
        ("why six --output-format=terraform", "why [OPTIONS] <NAME> [PROJECT]"),
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        let ran = run(&mut studio().pybundle(&words));
        assert_eq!(ran.status, 2, "{words:?}: {}", ran.err);
        assert!(ran.err.contains(&format!("\nUsage: pybundle {usage}\n")), "{words:?}: {}", ran.err);
    }
    // What a variable sets is not a part of it.
    for (words, usage) in [
        ("push", "push <ARTIFACT> <REF>..."),
        ("lambda --extra=x --all-extras", "lambda --extra <NAME> [PROJECT]"),
        ("verify app.zip . --extra=x --all-extras", "verify <ARTIFACT|REF> --extra <NAME> <PROJECT>"),
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        let variables =
            [("PYBUNDLE_CACHE_DIR", "cache"), ("PYBUNDLE_REMOTE_CACHE", "off"), ("PYBUNDLE_NETWORK_TIMEOUT", "9")];
        let ran = run(studio().pybundle(&words).envs(variables));
        assert!(ran.err.contains(&format!("\nUsage: pybundle {usage}\n")), "{words:?}: {}", ran.err);
    }
    // Its value may be what is wrong.
    let said = run(studio().pybundle(&["push", "a", "b"]).env("PYBUNDLE_NETWORK_TIMEOUT", "x")).err;
    assert!(said.contains("invalid value 'x' for '--network-timeout <SECONDS>'"), "{said}");
    // An option of another command is no value.
    for option in ["--cmd", "--cmd=x"] {
        let said = run(&mut studio().pybundle(&["lambda", option])).err;
        assert!(said.contains("hint: --cmd is an option of `pybundle image`"), "{said}");
        assert!(!said.contains("tip:"), "{said}");
    }
    let said = run(studio().pybundle(&["apt", "list"]).env("PYBUNDLE_OUTPUT_FORMAT", "xml")).err;
    assert!(said.contains("\nUsage: pybundle apt list [OPTIONS] [PROJECT]\n"), "{said}");
}

#[test]
fn a_full_standard_output_is_a_failure() {
    for words in
        [&["profile", "list"][..], &["schema", "lambda"], &["completions", "bash"], &["plan", "project", "--json"]]
    {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = studio().pybundle(words).stdout(full).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
        assert!(said.starts_with("error: cannot write to standard output\n"), "{words:?}: {said}");
    }
}

#[test]
fn flags_take_precedence_over_the_environment() {
    let is_json = |words: &[&str], variable: &str| {
        let ran = run(studio().pybundle(words).env("PYBUNDLE_OUTPUT_FORMAT", variable));
        assert_eq!(ran.status, 0, "{words:?}: {}", ran.err);
        serde_json::from_str::<serde_json::Value>(&ran.out).is_ok()
    };
    for (words, variable, expected) in [
        (&["profile", "list"][..], "", false),
        (&["profile", "list"], "text", false),
        (&["profile", "list"], "json", true),
        (&["profile", "list"], "github", false),
        (&["profile", "list", "--json"], "github", true),
        (&["--output-format=text", "profile", "list"], "json", false),
        (&["profile", "list", "--output-format", "json"], "text", true),
        (&["profile", "list", "--output-format", "json", "--json"], "text", true),
        // `verify` parses the arguments after the artifact itself.
        (&["verify", "app.zip", "--output-format=json"], "text", true),
        (&["verify", "app.zip", "project", "--json"], "github", true),
        (&["verify", "--output-format=json", "app.zip", "project", "--output-format=text"], "github", false),
    ] {
        assert_eq!(is_json(words, variable), expected, "{words:?}, {variable}");
    }
}

#[test]
fn a_reference_that_is_nearly_valid_gets_a_hint() {
    for words in ["push app.zip Me/Shop", "image --tag=Me/Shop", "image --base=Me/Shop"] {
        let words: Vec<&str> = words.split(' ').collect();
        let said = run(&mut studio().pybundle(&words)).err;
        assert!(
            said.contains("`Me/Shop` is not a valid image reference: the repository `Me/Shop` must be lowercase"),
            "{said}"
        );
        assert!(said.ends_with("hint: write `me/shop`\n"), "{said}");
    }
    for base in ["/bases/slim", "./slim.tar", "../slim"] {
        let said = run(&mut studio().pybundle(&["image", "--base", base])).err;
        let expected = "hint: use oci:DIR, oci-archive:FILE or docker-archive:FILE for an image on this machine\n";
        assert!(said.ends_with(expected), "{said}");
    }
}
