//! Colors: on terminals, unless the environment or a flag decides otherwise.

use std::process::Command;

use serde_json::Value;

use crate::studio::{VARIABLES, studio};
use crate::support::command::{repository, succeed, tool};

/// What was printed where.
pub struct Seen {
    pub status: i64,
    pub out: String,
    pub err: String,
}

/// Runs pybundle with a terminal as standard output (`out`), standard error (`err`), `both` or `none`.
pub fn on_terminal(which: &str, words: &[&str], variables: &[(&str, &str)]) -> Seen {
    on_terminal_of(which, 80, words, variables)
}

/// As [`on_terminal`], with a terminal that is so many columns wide.
pub fn on_terminal_of(which: &str, columns: usize, words: &[&str], variables: &[(&str, &str)]) -> Seen {
    let mut command = Command::new(tool("python"));
    command.arg(repository().join("tests/support/terminal.py")).arg(which).arg(columns.to_string());
    command.arg(env!("CARGO_BIN_EXE_pybundle")).args(words);
    studio().prepare(&mut command);
    assert!(variables.iter().all(|(name, _)| VARIABLES.contains(name)));
    command.env("TERM", "xterm-256color").envs(variables.iter().copied());
    let seen: Value = serde_json::from_str(&succeed(&mut command)).unwrap();
    let text = |name: &str| seen[name].as_str().unwrap().to_owned();
    Seen { status: seen["status"].as_i64().unwrap(), out: text("out"), err: text("err") }
}

/// The start of every color sequence.
const ESCAPE: &str = "\x1b[";

#[test]
fn output_is_colored_on_terminals() {
    // It prints a page, and an error.
    let verify = |color: &[&'static str]| [&["verify", "damaged.zip"], color].concat();
    for (which, variables, color, out, err) in [
        ("none", &[][..], &[][..], false, false),
        ("both", &[], &[], true, true),
        ("out", &[], &[], true, false),
        ("err", &[], &[], false, true),
        ("both", &[("TERM", "dumb")], &[], false, false),
        ("both", &[("NO_COLOR", "1")], &[], false, false),
        // https://no-color.org: when present and not an empty string.
        ("both", &[("NO_COLOR", "")], &[], true, true),
        // https://bixense.com/clicolors
        ("both", &[("CLICOLOR", "0")], &[], false, false),
        ("both", &[("CLICOLOR", "1")], &[], true, true),
        ("none", &[("CLICOLOR", "1")], &[], false, false),
        ("none", &[("CLICOLOR_FORCE", "1")], &[], true, true),
        ("none", &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &[], false, false),
        // A flag takes precedence over the environment.
        ("none", &[("NO_COLOR", "1")], &["--color=always"], true, true),
        ("both", &[("CLICOLOR_FORCE", "1")], &["--color=never"], false, false),
        ("both", &[("NO_COLOR", "1")], &["--color=auto"], false, false),
    ] {
        let seen = on_terminal(which, &verify(color), variables);
        assert_eq!(seen.status, 1, "{}", seen.err);
        assert!(
            seen.out.contains("FAILED") && seen.err.contains("verification of damaged.zip failed"),
            "{} {}",
            seen.out,
            seen.err
        );
        let found = (seen.out.contains(ESCAPE), seen.err.contains(ESCAPE));
        assert_eq!(found, (out, err), "{which} {variables:?} {color:?}: {} {}", seen.out, seen.err);
    }
}

#[test]
fn help_and_usage_errors_are_colored_like_results() {
    for (which, variables, color, expected) in [
        ("both", &[][..], "--color=auto", true),
        ("both", &[], "--color=never", false),
        ("both", &[("NO_COLOR", "1")], "--color=auto", false),
        ("none", &[], "--color=auto", false),
        ("none", &[], "--color=always", true),
        ("none", &[("CLICOLOR_FORCE", "1")], "--color=auto", true),
    ] {
        let wrong = on_terminal(which, &["plan", "--nothing", color], variables);
        assert_eq!(
            (wrong.status, wrong.err.contains(ESCAPE)),
            (2, expected),
            "{which} {variables:?} {color}: {}",
            wrong.err
        );
        let help = on_terminal(which, &[color, "--help"], variables);
        assert_eq!(
            (help.status, help.out.contains(ESCAPE)),
            (0, expected),
            "{which} {variables:?} {color}: {}",
            help.out
        );
    }
}
