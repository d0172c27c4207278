//! The example's artifacts have the same bytes on every machine and under all circumstances.
//!
//! `testdata/golden.toml` contains their digests for every built-in runtime and architecture, see tests/support/golden.rs.

use std::fs::{self, FileTimes, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::support::artifact::sha256;
use crate::support::command::{pybundle, repository, succeed};
use crate::support::golden::{self, Digests, Golden};
use pybundle::platform::LambdaProfile;

/// The target of tests that vary something else.
const TARGET: (&str, &str) = ("python3.13", "arm64");

fn golden() -> Digests {
    golden::golden("lambda")[&format!("{} {}", TARGET.0, TARGET.1)].clone()
}

fn example() -> PathBuf {
    repository().join("testdata/example")
}

/// Builds with and without a layer, with the command that `prepare` returns.
fn build(project: &Path, (runtime, architecture): (&str, &str), prepare: impl Fn(Command) -> Command) -> Digests {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for more in [vec!["-o", "function.zip"], vec!["-o", "application.zip", "--layer", "layer.zip"]] {
        let mut command =
            pybundle(&["lambda", "--runtime", runtime, "--arch", architecture, "--handler", "app.handler"]);
        command.args(more).arg(project.canonicalize().unwrap()).current_dir(folder.path());
        succeed(&mut prepare(command));
    }
    let digest = |name: &str| sha256(&fs::read(path(name)).unwrap());
    ["function", "application", "layer"].map(|name| (name.to_owned(), digest(&format!("{name}.zip")))).into()
}

/// Copies the files of the example in the given order; returns the paths of the copies.
fn copy_example(to: &Path, sort: impl Fn(&mut Vec<PathBuf>)) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![example()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    sort(&mut files);
    let copy = |file: &PathBuf| {
        let copied = to.join(file.strip_prefix(example()).unwrap());
        fs::create_dir_all(copied.parent().unwrap()).unwrap();
        fs::write(&copied, fs::read(file).unwrap()).unwrap();
        copied
    };
    files.iter().map(copy).collect()
}

#[test]
fn golden_digests() {
    let mut built = Golden::new();
    for profile in LambdaProfile::all() {
        for architecture in &profile.architectures {
            let architecture = architecture.aws_name();
            let digests = build(&example(), (&profile.name, architecture), |command| command);
            built.insert(format!("{} {architecture}", profile.name), digests);
        }
    }
    golden::assert_golden("lambda", &built);
}

#[test]
fn another_directory() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a much longer path/with a space/é").join("x".repeat(200));
    copy_example(&deep, |_| {});
    assert_eq!(build(&deep, TARGET, |command| command), golden());
}

#[test]
fn a_relative_path_and_the_working_directory() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["lambda", "--runtime", TARGET.0, "--arch", TARGET.1, "--handler", "app.handler", "-o"];
    for (working, project) in
        [(repository().to_owned(), Some("testdata/example")), (example(), Some(".")), (example(), None)]
    {
        let output = folder.path().join("function.zip");
        succeed(pybundle(&arguments).arg(&output).args(project).current_dir(working));
        assert_eq!(sha256(&fs::read(&output).unwrap()), golden()["function"], "{project:?}");
    }
}

#[test]
fn another_order_of_directory_entries() {
    let folder = tempfile::tempdir().unwrap();
    copy_example(folder.path(), |files| files.reverse());
    assert_eq!(build(folder.path(), TARGET, |command| command), golden());
}

#[test]
fn other_times_and_modes_of_files() {
    for (mode, seconds) in [(0o600, 315_532_800), (0o664, 4_102_444_800)] {
        let folder = tempfile::tempdir().unwrap();
        for file in copy_example(folder.path(), |_| {}) {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let opened = fs::File::options().write(true).open(&file).unwrap();
            opened.set_times(FileTimes::new().set_modified(time).set_accessed(time)).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        }
        assert_eq!(build(folder.path(), TARGET, |command| command), golden(), "mode {mode:o}");
    }
}

#[test]
fn another_umask() {
    for umask in ["000", "077"] {
        let cache = tempfile::tempdir().unwrap();
        let under_umask = |command: Command| {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(format!("umask {umask}; exec \"$@\"")).arg("sh");
            shell.arg(command.get_program()).args(command.get_args());
            shell.current_dir(command.get_current_dir().unwrap()).env("PYBUNDLE_CACHE_DIR", cache.path());
            shell
        };
        assert_eq!(build(&example(), TARGET, under_umask), golden(), "umask {umask}");
    }
}

#[test]
fn another_environment() {
    for variables in [
        [("TZ", "Pacific/Kiritimati"), ("LC_ALL", "C"), ("LANG", "C"), ("USER", "one"), ("HOSTNAME", "one")],
        [
            ("TZ", "America/Los_Angeles"),
            ("LC_ALL", "tr_TR.UTF-8"),
            ("LANG", "tr_TR.UTF-8"),
            ("USER", "two"),
            ("HOSTNAME", "two"),
        ],
    ] {
        let with_variables = |mut command: Command| {
            command.envs(variables);
            command
        };
        assert_eq!(build(&example(), TARGET, with_variables), golden(), "{variables:?}");
    }
}

#[test]
fn another_number_of_threads() {
    for threads in ["1", "8"] {
        let with_threads = |mut command: Command| {
            command.env("RAYON_NUM_THREADS", threads).env("TOKIO_WORKER_THREADS", threads);
            command
        };
        assert_eq!(build(&example(), TARGET, with_threads), golden(), "{threads} threads");
    }
}

#[test]
fn with_a_cold_cache_a_warm_cache_and_no_cache() {
    let cache = tempfile::tempdir().unwrap();
    let with_cache = |mut command: Command| {
        command.env("PYBUNDLE_CACHE_DIR", cache.path());
        command
    };
    assert_eq!(build(&example(), TARGET, with_cache), golden(), "cold");
    assert_eq!(build(&example(), TARGET, with_cache), golden(), "warm");
    let without_cache = |mut command: Command| {
        command.arg("--no-cache");
        command
    };
    assert_eq!(build(&example(), TARGET, without_cache), golden(), "none");
}

#[test]
fn concurrent_builds_with_one_cold_cache() {
    let cache = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let output = |number: usize| folder.path().join(format!("{number}.zip"));
    let start = |number| {
        let mut command = pybundle(&["lambda", "--runtime", TARGET.0, "--arch", TARGET.1, "--quiet", "-o"]);
        command.arg(output(number)).arg(example()).env("PYBUNDLE_CACHE_DIR", cache.path());
        command.spawn().unwrap()
    };
    let children: Vec<_> = (0..4).map(start).collect();
    for (number, mut child) in children.into_iter().enumerate() {
        assert!(child.wait().unwrap().success());
        assert_eq!(sha256(&fs::read(output(number)).unwrap()), golden()["function"]);
    }
}

#[test]
fn earlier_files_leave_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("function.zip");
    // A longer zip of an earlier build.
    fs::write(&output, [b"PK\x03\x04", &[b'x'; 1 << 20][..]].concat()).unwrap();
    succeed(pybundle(&["lambda", "--runtime", TARGET.0, "--arch", TARGET.1, "-o"]).arg(&output).arg(example()));
    assert_eq!(sha256(&fs::read(&output).unwrap()), golden()["function"]);
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["function.zip"]);
}
