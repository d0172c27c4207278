//! `pybundle help`, `--help` and `-h`.

use crate::studio::{run, studio};

/// Returns what a command prints on standard output.
fn printed(words: &[&str]) -> String {
    let ran = run(studio().pybundle(words).env("COLUMNS", "100"));
    assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{words:?}");
    ran.out
}

/// Returns the long flags that help lists, in their order.
fn flags(help: &str) -> Vec<&str> {
    let entries = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let flags = entries.filter_map(|line| line.split([' ', ',', '=', '[']).find_map(|word| word.strip_prefix("--")));
    // A line may also begin with an alias and a bracket.
    flags.filter(|flag| !flag.ends_with(']')).collect()
}

#[test]
fn the_flags_of_the_first_minute_come_first() {
    for (command, first) in [
        ("lambda", &["handler", "output", "runtime", "arch", "layer"][..]),
        ("image", &["tag", "push", "output", "platform", "python", "base", "entrypoint", "cmd"]),
        ("build", &["push", "dry-run", "project", "workspace"]),
        ("run", &["event", "handler", "env", "timeout", "memory"]),
    ] {
        for help in [printed(&[command, "--help"]), printed(&[command, "-h"])] {
            assert_eq!(flags(&help)[..first.len()], *first, "{help}");
        }
    }
}

#[test]
fn short_help_is_a_short_list() {
    for command in ["lambda", "image", "build", "run"] {
        let (short, long) = (printed(&[command, "-h"]), printed(&[command, "--help"]));
        assert!(flags(&short).len() * 2 < flags(&long).len(), "{short}");
        assert!(short.lines().count() <= 60, "{short}");
        assert!(flags(&short).iter().all(|flag| flags(&long).contains(flag)), "{short}");
        assert!(!short.contains("Examples:") && long.contains("\nExamples:\n  # "), "{short}{long}");
        assert!(short.ends_with(&format!("Use `pybundle help {command}` for all options and examples\n")), "{short}");
    }
}

#[test]
fn help_of_a_command_is_its_long_help() {
    for words in [&["lambda"][..], &["cache", "prune"], &["config"]] {
        assert_eq!(printed(&[&["help"], words].concat()), printed(&[words, &["--help"]].concat()));
    }
}

#[test]
fn examples_do_what_they_say() {
    let help = [&["lambda"][..], &["plan"], &["profile", "list"], &["cache", "size"], &["schema"], &["config", "show"]];
    for words in help {
        let help = printed(&[words, &["--help"]].concat());
        let examples = help.lines().filter_map(|line| line.strip_prefix("  pybundle "));
        let mut seen = 0;
        for example in examples {
            // One that names a target is for a project that has it.
            let project = match example {
                _ if example.contains("--target") || words[0] == "config" => "targets",
                _ if example.ends_with(".py") => "script",
                _ => "project",
            };
            let mut command = studio().pybundle(&example.split(' ').collect::<Vec<_>>());
            let ran = run(command.current_dir(studio().path(project)));
            assert_eq!(ran.status, 0, "pybundle {example}: {}", ran.err);
            seen += 1;
        }
        assert!(seen > 0, "{help}");
    }
}
