//! Completions, checked by the shells themselves.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::command::succeed;
use crate::wheel::make_share;

/// Completes the last of the words after the script, by the function that the script names for `pybundle`.
const BASH: &str = r#"
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_TYPE=9
COMP_POINT=${#COMP_LINE}
[[ $(complete -p pybundle) =~ -F\ ([^ ]+) ]]
"${BASH_REMATCH[1]}" pybundle "${@: -1}" "${@: -2:1}"
echo "${COMPREPLY[@]}"
"#;

/// Presses Tab after a command line, in a terminal of zsh that finds the script where packages install it, and waits for what
/// is expected.
const ZSH: &str = r#"
zmodload zsh/zpty
zpty terminal zsh -f -i
zpty -w terminal "PS1=; fpath=($1 \$fpath); autoload -U compinit; compinit -D -u; zstyle ':completion:*' list-colors ''; echo ready"
zpty -r terminal output '*ready*ready*'
zpty -w -n terminal "$2"$'\t'
repeat 600; do
    if zpty -r -t terminal output; then shown+=$output; else sleep 0.1; fi
    [[ $shown == *$3* ]] && break
done
print -rn -- "$shown"
zpty -d terminal
"#;

/// Runs a shell that reads no files of the user, in a directory, with the `pybundle` that is tested on its path.
fn shell(program: &str, arguments: &[&str], directory: &Path) -> String {
    let home = tempfile::tempdir().unwrap();
    let executable = Path::new(env!("CARGO_BIN_EXE_pybundle")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory).env("PATH", format!("{}:{path}", executable.display()));
    succeed(command.env("HOME", home.path()).env_remove("XDG_CONFIG_HOME"))
}

/// Returns the scripts as packages install them, and a project with targets.
fn installed() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    make_share(directory.path());
    let targets = "[project]\nname = \"shop\"\nversion = \"1.0\"\n[tool.pybundle.target.api]\nkind = \"lambda\"\n\
                   [tool.pybundle.target.api-worker]\nkind = \"lambda\"\n[tool.pybundle.target.web]\nkind = \"image\"\n";
    std::fs::create_dir_all(directory.path().join("project/assets")).unwrap();
    std::fs::write(directory.path().join("project/pyproject.toml"), targets).unwrap();
    let share = directory.path().join("share");
    (directory, share)
}

#[test]
fn bash_completes_flags_values_and_targets() {
    let (directory, share) = installed();
    let project = directory.path().join("project");
    let script = share.join("bash-completion/completions/pybundle");
    let script = script.to_str().unwrap();
    assert_eq!(shell("bash", &["-n", script], &project), "");
    for (line, expected) in [
        (&["lambda", "--run"][..], "--runtime"),
        (&["lambda", "--runtime", "python3.1"], "python3.10 python3.11 python3.12 python3.13 python3.14 python3.15"),
        (&["image", "--platform", "linux/a"], "linux/amd64 linux/arm64"),
        (&["build", ""], "api api-worker web"),
        (&["build", "api", "w"], "web"),
        (&["lambda", "api"], "api api-worker"),
        (&["image", ""], "web . assets/"),
        (&["why", "click", "--target", ""], "api api-worker web"),
        (&["config", "show", "--target", "w"], "web"),
    ] {
        let arguments = [&["--norc", "-c", BASH, "bash", script, "pybundle"], line].concat();
        assert_eq!(shell("bash", &arguments, &project).trim_end(), expected, "{line:?}");
    }
    // Where there is no project, nothing is proposed and nothing is said.
    let arguments = ["--norc", "-c", BASH, "bash", script, "pybundle", "build", "w"];
    assert_eq!(shell("bash", &arguments, &share).trim_end(), "");
}

#[test]
fn zsh_completes_at_the_first_tab() {
    let (directory, share) = installed();
    let functions = share.join("zsh/site-functions");
    let script = functions.join("_pybundle");
    assert_eq!(shell("zsh", &["-f", "-n", script.to_str().unwrap()], &share), "");
    // zsh reads from this line what the file completes.
    assert!(std::fs::read_to_string(&script).unwrap().starts_with("#compdef pybundle\n"));
    let project = directory.path().join("project");
    for (line, expected) in [
        ("pybundle build w", "pybundle build web"),
        ("pybundle lambda api-", "pybundle lambda api-worker"),
        ("pybundle image --profile dis", "pybundle image --profile distroless"),
    ] {
        let shown = shell("zsh", &["-f", "-c", ZSH, "zsh", functions.to_str().unwrap(), line, expected], &project);
        assert!(shown.contains(expected), "{line}: {shown:?}");
    }
}

#[test]
fn fish_completes_flags_values_and_targets() {
    let (directory, share) = installed();
    let project = directory.path().join("project");
    let script = share.join("fish/vendor_completions.d/pybundle.fish");
    let script = script.to_str().unwrap();
    assert_eq!(shell("fish", &["--no-execute", script], &project), "");
    for (line, expected) in [
        ("pybundle build ", "api\tlambda\napi-worker\tlambda\nweb\timage\n"),
        ("pybundle image w", "web\timage\n"),
        ("pybundle image --profile dis", "distroless\n"),
        ("pybundle lambda --runt", "--runtime\tBuild for this Lambda runtime, such as 3.13 [default: the project's]\n"),
    ] {
        let complete = "source $argv[1]; complete --do-complete $argv[2]";
        assert_eq!(shell("fish", &["--no-config", "-c", complete, script, line], &project), expected, "{line}");
    }
}
