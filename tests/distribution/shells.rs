//! Completions, checked by the shells themselves.

use std::path::Path;
use std::process::Command;

use crate::support::command::succeed;
use crate::wheel::make_share;

/// Completes the last word of `pybundle lambda --run` by the function that the script names for `pybundle`.
const BASH: &str = r#"
source "$1"
COMP_WORDS=(pybundle lambda --run) COMP_CWORD=2 COMP_LINE='pybundle lambda --run' COMP_POINT=21
[[ $(complete -p pybundle) =~ -F\ ([^ ]+) ]]
"${BASH_REMATCH[1]}" pybundle --run lambda
echo "${COMPREPLY[@]}"
"#;

/// Completes the value of `pybundle lambda --runtime`.
const BASH_VALUE: &str = r#"
source "$1"
COMP_WORDS=(pybundle lambda --runtime '') COMP_CWORD=3 COMP_LINE='pybundle lambda --runtime ' COMP_POINT=26
[[ $(complete -p pybundle) =~ -F\ ([^ ]+) ]]
"${BASH_REMATCH[1]}" pybundle '' --runtime
echo "${COMPREPLY[@]}"
"#;

/// Runs a script in a shell that reads no files of the user.
fn shell(program: &str, arguments: &[&str], script: &Path) -> String {
    let home = tempfile::tempdir().unwrap();
    succeed(Command::new(program).args(arguments).arg(script).env("HOME", home.path()).env_remove("XDG_CONFIG_HOME"))
}

#[test]
fn each_shell_loads_its_script_and_completes_a_flag() {
    let folder = tempfile::tempdir().unwrap();
    make_share(folder.path());
    let share = folder.path().join("share");
    let bash = share.join("bash-completion/completions/pybundle");
    assert_eq!(shell("bash", &["-n"], &bash), "");
    assert_eq!(shell("bash", &["--norc", "-c", BASH, "bash"], &bash), "--runtime\n");

    let runtimes = shell("bash", &["--norc", "-c", BASH_VALUE, "bash"], &bash);
    assert!(runtimes.starts_with("python3.9 ") && runtimes.contains(" python3.14"), "{runtimes}");

    let zsh = share.join("zsh/site-functions/_pybundle");
    assert_eq!(shell("zsh", &["-f", "-n"], &zsh), "");
    // zsh reads from this line what the file completes.
    assert!(std::fs::read_to_string(&zsh).unwrap().starts_with("#compdef pybundle\n"));

    let fish = share.join("fish/vendor_completions.d/pybundle.fish");
    assert_eq!(shell("fish", &["--no-execute"], &fish), "");
    let complete = "source $argv[1]; complete --do-complete 'pybundle lambda --run'";
    let completed = shell("fish", &["--no-config", "-c", complete], &fish);
    assert!(completed.starts_with("--runtime\tBuild for this Lambda runtime"), "{completed}");
    assert_eq!(completed.lines().count(), 1, "{completed}");
    let complete = "source $argv[1]; complete --do-complete 'pybundle image --profile '";
    let profiles = shell("fish", &["--no-config", "-c", complete], &fish);
    assert!(profiles.lines().any(|line| line.starts_with("distroless")), "{profiles}");
}
