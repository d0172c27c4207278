//! Servers that accept connections and do not answer.

use std::net::TcpListener;
use std::process::Command;
use std::{fs, thread};

use crate::support::command::{fail, pybundle};

/// Returns the commands that wait for a registry and for an index at a host.
fn commands(host: &str, directory: &str) -> [Command; 2] {
    let (image, index) = (format!("{host}/app:1"), format!("http://{host}/simple"));
    let plan = ["plan", directory, "--runtime", "python3.12", "--no-deps", "--no-cache", "--index-url", &index];
    [pybundle(&["inspect", &image]), pybundle(&plan)]
}

#[test]
fn what_is_waited_for_is_told_after_ten_seconds() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let project = tempfile::tempdir().unwrap();
    fs::write(project.path().join("requirements.txt"), "six==1.17.0\n").unwrap();
    thread::scope(|scope| {
        for mut command in commands(&host, project.path().to_str().unwrap()) {
            let host = &host;
            scope.spawn(move || {
                let printed = fail(command.args(["--network-timeout", "11"]));
                let note = format!("waiting for {host}: no answer for 10 s\n");
                assert_eq!(printed.matches(&note).count(), 1, "{printed}");
                assert!(printed.contains(&format!("{host} did not answer for 11 s")), "{printed}");
            });
        }
    });
}

/// The flag and the variable set the limit, and the hint names both.
#[test]
fn the_limit_is_an_option() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let project = tempfile::tempdir().unwrap();
    fs::write(project.path().join("requirements.txt"), "six==1.17.0\n").unwrap();
    for mut command in commands(&host, project.path().to_str().unwrap()) {
        let printed = fail(command.env("PYBUNDLE_NETWORK_TIMEOUT", "1"));
        assert!(printed.contains(&format!("{host} did not answer for 1 s")), "{printed}");
        assert!(printed.contains("add --network-timeout 5 or set PYBUNDLE_NETWORK_TIMEOUT=5"), "{printed}");
        let printed = fail(command.args(["--network-timeout", "2"]));
        assert!(printed.contains(&format!("{host} did not answer for 2 s")), "{printed}");
    }
    let refused = pybundle(&["inspect", "host.tld/app:1", "--network-timeout", "0"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let printed = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(printed.contains("expected a number of seconds from 1 to 86400"), "{printed}");
}
