//! Docker and podman read and honor the properties of a container: health check, stop signal, volume, shell and user.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::podman::Podman;
use crate::support::bases;
use crate::support::command::succeed;
use crate::support::docker::docker;
use crate::workshop::Workshop;

/// What the container runs, as its own user; SIGINT ends it with another status than SIGTERM.
const PROGRAM: &str = "import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: sys.exit(42))
open('/home/app/ready', 'w').close()
time.sleep(60)";

/// Returns `pybundle image` with every property.
fn build(workshop: &Workshop, arguments: &[&str]) -> Command {
    let base = format!("--base={}", bases::slim().argument());
    let command = json!(["python", "-c", PROGRAM]).to_string();
    let check = "test -f /home/app/ready && python -c 'import example_banner'";
    let mut build = workshop.without_base(&[&base, "--cmd", &command, "--healthcheck", check, "--tag=healthy:1"]);
    build.args(["--healthcheck-interval=1s", "--healthcheck-timeout=20s", "--healthcheck-start-period=2s"]);
    build.args([
        "--healthcheck-retries=5",
        "--stop-signal=SIGINT",
        "--volume=/home/app",
        "--shell=[\"/bin/sh\", \"-ec\"]",
    ]);
    build.args(["--add-user=app:1234", "--user=app", "--platform", bases::platform()]).args(arguments);
    build
}

/// The health check as engines have it, with times in nanoseconds.
fn expected_check() -> Value {
    json!({
        "Test": ["CMD-SHELL", "test -f /home/app/ready && python -c 'import example_banner'"],
        "Interval": 1_000_000_000, "Timeout": 20_000_000_000_u64, "StartPeriod": 2_000_000_000, "Retries": 5
    })
}

#[test]
fn docker_honors_every_property() {
    let workshop = Workshop::new();
    succeed(&mut build(&workshop, &["--output=oci-archive:image.tar"]));
    docker().load(&workshop.path("image.tar"));
    let config = &docker().inspect("healthy:1")["Config"];
    assert_eq!(config["Healthcheck"], expected_check());
    assert_eq!((&config["StopSignal"], &config["User"]), (&json!("SIGINT"), &json!("1234:1234")));
    assert_eq!((&config["Volumes"], &config["Shell"]), (&json!({ "/home/app": {} }), &json!(["/bin/sh", "-ec"])));

    let id = succeed(docker().command(&["run", "--detach", "--network=none"]).arg("healthy:1"));
    let id = id.trim();
    let started = Instant::now();
    let status = || succeed(&mut docker().command(&["inspect", "--format={{.State.Health.Status}}", id]));
    while status() != "healthy\n" {
        assert!(started.elapsed() < Duration::from_secs(60), "{}", succeed(&mut docker().command(&["inspect", id])));
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(succeed(&mut docker().command(&["exec", id, "id", "-u"])), "1234\n");
    succeed(&mut docker().command(&["stop", id]));
    assert_eq!(succeed(&mut docker().command(&["wait", id])), "42\n");
    succeed(&mut docker().command(&["rm", "--volumes", id]));
}

/// A health check is a part of Docker's images, and not of OCI's, which podman prefers. The summary says so.
#[test]
fn podman_honors_every_property_of_a_docker_archive() {
    let workshop = Workshop::new();
    let podman = Podman::new();
    let page = succeed(&mut build(&workshop, &["--output=oci-archive:image.tar"]));
    let line = page.lines().find_map(|line| line.strip_prefix("  health    ")).unwrap();
    let note = "`podman load` drops it, `podman pull docker-archive:image.tar` does not";
    assert_eq!(line, format!("{}; {note}", expected_check()["Test"][1].as_str().unwrap()));
    let page = succeed(&mut build(&workshop, &["--output=oci:layout"]));
    assert!(page.contains("; podman drops it: OCI images have none\n"), "{page}");

    let archive = workshop.path("image.tar");
    let check = || {
        let inspected = succeed(&mut podman.podman(&["image", "inspect", "healthy:1"]));
        serde_json::from_str::<Value>(&inspected).unwrap()[0]["Healthcheck"].take()
    };
    succeed(podman.podman(&["load", "--input"]).arg(&archive));
    assert_eq!(check(), Value::Null);
    succeed(podman.podman(&["pull", "--quiet"]).arg(format!("docker-archive:{}", archive.display())));
    let expected = expected_check();
    assert_eq!((&check()["Test"], &check()["Retries"]), (&expected["Test"], &expected["Retries"]));

    // Without systemd, podman runs no checks by itself. Its default limits exceed those of some machines.
    let limits = ["--ulimit=nofile=1000:1000", "--ulimit=nproc=1000:1000"];
    let mut run = podman.podman(&["run", "--detach", "--name=healthy", "--network=none", "--health-interval=disable"]);
    succeed(run.args(limits).arg("healthy:1"));
    succeed(&mut podman.podman(&["exec", "healthy", "sh", "-c", "until test -f /home/app/ready; do sleep 0.1; done"]));
    succeed(&mut podman.podman(&["healthcheck", "run", "healthy"]));
    let state = succeed(&mut podman.podman(&["inspect", "healthy", "--format={{.State.Health.Status}}"]));
    assert_eq!(state, "healthy\n");
    assert_eq!(succeed(&mut podman.podman(&["exec", "healthy", "id", "-u"])), "1234\n");
    succeed(&mut podman.podman(&["stop", "healthy"]));
    assert_eq!(succeed(&mut podman.podman(&["inspect", "healthy", "--format={{.State.ExitCode}}"])), "42\n");
    succeed(&mut podman.podman(&["rm", "--force", "--volumes", "healthy"]));
}

/// `curl` of a health check is in no slim base: the container starts, and is never healthy.
#[test]
fn what_a_health_check_starts_is_missing_as_in_docker() {
    let workshop = Workshop::new();
    let base = bases::slim().argument();
    let build = |check: &str, tag: &str, more: &[&str]| {
        let tag = format!("--tag={tag}");
        let check = format!("--healthcheck={check}");
        let cmd = json!(["python", "-c", "import time; time.sleep(60)"]).to_string();
        let mut build = workshop.without_base(&["--base", &base, "--cmd", &cmd, &check, "--healthcheck-interval=1s"]);
        build.args(["--healthcheck-retries=1", &tag, "--output=docker-archive:checked.tar"]);
        build.args(["--platform", bases::platform()]).args(more);
        build
    };
    let health = |build: &mut Command, tag: &str| {
        succeed(build);
        docker().load(&workshop.path("checked.tar"));
        let id = succeed(docker().command(&["run", "--detach", "--network=none"]).arg(tag));
        let started = Instant::now();
        let state = loop {
            let state = succeed(&mut docker().command(&["inspect", "--format={{json .State.Health}}", id.trim()]));
            if !state.contains("\"starting\"") {
                break state;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "{state}");
            std::thread::sleep(Duration::from_millis(200));
        };
        succeed(&mut docker().command(&["rm", "--force", "--volumes", id.trim()]));
        state
    };
    let curl = "curl -fs http://localhost:8000/ || exit 1";
    let said = workshop.fail(&mut build(curl, "checked:1", &[]));
    let expected = "error: cannot start `HEALTHCHECK curl`: `curl` exists neither in the image nor in its base";
    assert!(said.contains(expected) && said.contains("apt = [\"curl\"]"), "{said}");
    let state = health(&mut build(curl, "checked:1", &["--allow-missing", "curl"]), "checked:1");
    assert!(state.contains("\"unhealthy\"") && state.contains("curl: not found"), "{state}");

    let said = workshop.fail(&mut build("[\"python\", \"-m\", \"absent.check\"]", "checked:2", &[]));
    assert!(said.contains("`HEALTHCHECK python -m absent.check`: the module `absent` is neither"), "{said}");

    // With an alternative, the first command may be missing.
    let alternative = "curl -fs http://localhost:8000/ || python -c 'import example_banner'";
    let warned = succeed(build(alternative, "checked:2", &[]).arg("--json"));
    assert!(warned.contains("may not start `HEALTHCHECK curl`"), "{warned}");
    let state = health(&mut build(alternative, "checked:2", &[]), "checked:2");
    assert!(state.contains("\"healthy\""), "{state}");
}
