//! Registry authentication from the command line, with Docker's credentials, which are never printed.

use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::projects::script;
use crate::registries::{DockerRegistry, PASSWORD, USER};
use crate::support::bases::slim;
use crate::support::command::pybundle;

/// Writes the file in which `docker login` keeps a user's password, and returns what stands there for both.
fn log_in(directory: &Path, host: &str, password: &str) -> String {
    let word = BASE64_STANDARD.encode(format!("{USER}:{password}"));
    let text = json!({"auths": {host: {"auth": word}}}).to_string();
    std::fs::write(directory.join("config.json"), text).unwrap();
    word
}

/// Runs a command as verbosely as it can be, and returns whether it succeeded, and all that it printed.
fn run(command: &mut Command, directory: &Path) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.arg("-v").env("DOCKER_CONFIG", directory).output().unwrap();
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

#[test]
fn a_password_is_used_and_never_shown() {
    let registry = DockerRegistry::with_password();
    let host = registry.host();
    let to = format!("{host}/team/script:1");
    let directory = tempfile::tempdir().unwrap();
    let project = script();
    let artifact = format!("oci:{}", directory.path().join("layout").display());
    let base = slim().argument();
    let image = || {
        let path = project.path().to_str().unwrap();
        pybundle(&["image", path, "--base", &base, "--push", "--tag", &to, "--output", &artifact])
    };
    let push = || pybundle(&["push", &artifact, &to]);

    for password in [Some("hunter2"), None] {
        let word = match password {
            Some(password) => log_in(directory.path(), &host, password),
            None => log_in(directory.path(), "elsewhere.example", "hunter2"),
        };
        let who = password.map_or("without a login".to_owned(), |_| format!("for the user `{USER}`"));
        for mut command in [image(), push()] {
            let (status, printed) = run(&mut command, directory.path());
            assert_eq!(status, Some(1), "{printed}");
            assert!(printed.contains(&format!("{host} denied access {who}")), "{printed}");
            assert!(printed.contains(&format!("`docker login {host}`")), "{printed}");
            assert!(!printed.contains("hunter2") && !printed.contains(&word), "{printed}");
        }
    }
    assert!(registry.tags("team/script").is_empty());

    let word = log_in(directory.path(), &host, PASSWORD);
    for mut command in [image(), push()] {
        let (status, printed) = run(&mut command, directory.path());
        assert_eq!(status, Some(0), "{printed}");
        assert!(!printed.contains(PASSWORD) && !printed.contains(&word), "{printed}");
    }
    assert_eq!(registry.tags("team/script"), ["1"]);
    // A base behind the same login.
    let to = format!("{host}/team/other:1");
    let path = project.path().to_str().unwrap();
    let base = format!("{host}/team/script:1");
    let (status, printed) =
        run(&mut pybundle(&["image", path, "--base", &base, "--push", "-t", &to]), directory.path());
    assert_eq!(status, Some(0), "{printed}");
    // In the environment, for machines.
    let variable = |part: &str| format!("PYBUNDLE_REGISTRY_{}_{part}", host.replace(['.', ':'], "_"));
    let nobody = tempfile::tempdir().unwrap();
    let mut command = push();
    command.env(variable("USERNAME"), USER).env(variable("PASSWORD"), PASSWORD);
    let (status, printed) = run(&mut command, nobody.path());
    assert_eq!(status, Some(0), "{printed}");
    assert!(!printed.contains(PASSWORD), "{printed}");
}
