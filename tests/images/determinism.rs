//! An image has the same manifest digest wherever, whenever and however it is built.

use std::collections::BTreeMap;
use std::fs::{self, FileTimes, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::built;
use crate::projects;
use crate::support::artifact::sha256;
use crate::support::command::{pybundle, succeed};
use crate::support::golden::{Golden, assert_golden, golden};
use crate::support::lambda::newest_python;
use crate::tiny::Tiny;
use crate::workshop::Workshop;

/// Both ways to compress layers.
const COMPRESSIONS: [&str; 2] = ["--compression=gzip", "--compression=zstd"];

/// The built-in profiles with a base that they might have, and further arguments.
fn profiles() -> [(&'static str, Tiny, &'static [&'static str]); 3] {
    let lambda = serde_json::json!({
        "Env": ["PATH=/var/lang/bin:/usr/bin:/bin", "LAMBDA_TASK_ROOT=/var/task"],
        "Entrypoint": ["/lambda-entrypoint.sh"],
        "WorkingDir": "/var/task",
    });
    [
        ("service", Tiny::python(), &["--entrypoint=python app.py"]),
        ("distroless", Tiny::with_files(&["usr/bin/python3.11"]), &["--entrypoint=python app.py"]),
        ("lambda-image", Tiny::with_files(&["var/lang/bin/python3.12"]).execution(lambda), &["--cmd=app.handler"]),
    ]
}

#[test]
fn golden_digests() {
    let workshop = Workshop::new();
    let mut built = Golden::new();
    for (profile, base, arguments) in profiles() {
        let base = format!("--base={}", base.write(&workshop.path(profile)));
        let profile_argument = format!("--profile={profile}");
        let build = |more: &[&str]| {
            let mut command = workshop.without_base(arguments);
            command.args([&profile_argument, &base]).args(more);
            let (_place, layout) = workshop.layout(&mut command);
            let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
            index["manifests"][0]["digest"].as_str().unwrap().to_owned()
        };
        let compressions = if profile == "lambda-image" { &COMPRESSIONS[..1] } else { &COMPRESSIONS };
        let platforms = ["linux/amd64", "linux/arm64", "linux/amd64,linux/arm64"];
        let platforms = if profile == "lambda-image" { &platforms[..2] } else { &platforms };
        for platform in platforms {
            let digests = compressions.iter().map(|compression| {
                let name = compression.strip_prefix("--compression=").unwrap();
                (name.to_owned(), build(&["--platform", platform, compression]))
            });
            built.insert(format!("{profile} {platform}"), digests.collect());
        }
    }
    assert_golden("image", &built);
}

/// Asserts that the image that commands build has its golden digests: for `service` on linux/amd64, either way.
fn assert_same(workshop: &Workshop, prepare: impl Fn(Command) -> Command) {
    let golden = &golden("image")["service linux/amd64"];
    for (compression, name) in COMPRESSIONS.iter().zip(["gzip", "zstd"]) {
        let command = workshop.command(&["--entrypoint=python app.py", compression]);
        assert_eq!(workshop.run(&mut prepare(command)).digest, golden[name], "{compression}");
    }
}

/// Copies the files of a directory, in the order that `sort` gives them, and returns the copies' paths.
fn copy(from: &Path, to: &Path, sort: impl Fn(&mut Vec<PathBuf>)) -> Vec<PathBuf> {
    let mut files = crate::workshop::listing(from);
    files.retain(|path| path.is_file());
    sort(&mut files);
    let copy = |file: &PathBuf| {
        let copied = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(copied.parent().unwrap()).unwrap();
        fs::write(&copied, fs::read(file).unwrap()).unwrap();
        copied
    };
    files.iter().map(copy).collect()
}

#[test]
fn another_directory_and_another_order_of_its_entries() {
    let workshop = Workshop::new();
    let moved = workshop.path("moved");
    fs::rename(workshop.path("project"), &moved).unwrap();
    let deep = workshop.path("a much longer path/with a space/é").join("x".repeat(200));
    copy(&moved, &deep, |files| files.reverse());
    std::os::unix::fs::symlink(&deep, workshop.path("project")).unwrap();
    assert_same(&workshop, |command| command);
    fs::remove_file(workshop.path("project")).unwrap();
    // The paths of the project and of the base, absolute and relative, from another directory.
    let golden = &golden("image")["service linux/amd64"];
    let base = format!("--base=oci:{}", workshop.path("base").display());
    for project in [deep.to_str().unwrap(), "."] {
        let mut command = pybundle(&["image", project, "--entrypoint=python app.py", "--no-compile-bytecode", &base]);
        assert_eq!(workshop.run(command.current_dir(&deep)).digest, golden["gzip"], "{project}");
    }
}

#[test]
fn other_times_and_modes_of_files() {
    for (mode, seconds) in [(0o600, 315_532_800), (0o664, 4_102_444_800)] {
        let workshop = Workshop::new();
        let moved = workshop.path("moved");
        fs::rename(workshop.path("project"), &moved).unwrap();
        for file in copy(&moved, &workshop.path("project"), |_| {}) {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let opened = fs::File::options().write(true).open(&file).unwrap();
            opened.set_times(FileTimes::new().set_modified(time).set_accessed(time)).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        }
        assert_same(&workshop, |command| command);
    }
}

#[test]
fn another_umask() {
    for umask in ["000", "077"] {
        assert_same(&Workshop::new(), |command| {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(format!("umask {umask}; exec \"$@\"")).arg("sh");
            shell.arg(command.get_program()).args(command.get_args());
            shell.current_dir(command.get_current_dir().unwrap());
            shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            shell
        });
    }
}

#[test]
fn another_environment() {
    let workshop = Workshop::new();
    for variables in [
        [("TZ", "Pacific/Kiritimati"), ("LC_ALL", "C"), ("LANG", "C"), ("USER", "one"), ("HOSTNAME", "one")],
        [("TZ", "America/Los_Angeles"), ("LC_ALL", "tr_TR.UTF-8"), ("LANG", "tr"), ("USER", "two"), ("HOSTNAME", "2")],
    ] {
        assert_same(&workshop, |mut command| {
            command.envs(variables);
            command
        });
    }
}

#[test]
fn another_number_of_threads() {
    for threads in ["1", "8"] {
        assert_same(&Workshop::new(), |mut command| {
            command.env("RAYON_NUM_THREADS", threads).env("TOKIO_WORKER_THREADS", threads);
            command
        });
    }
}

#[test]
fn bytecode_that_is_compiled_anew() {
    let python = format!("--python={}", newest_python());
    let build = |threads: &str| {
        let workshop = Workshop::new();
        let mut command = workshop.without_base(&["--base=scratch", "--cmd=python app.py", "--compile-bytecode"]);
        workshop.run(command.arg(&python).env("RAYON_NUM_THREADS", threads))
    };
    let built = build("1");
    let mut members = built.layers.iter().flat_map(|layer| &layer.members);
    assert!(members.any(|member| member.path.ends_with(".pyc")));
    assert_eq!(build("4").digest, built.digest);
}

#[test]
fn a_cold_cache_a_warm_one_and_none() {
    let workshop = Workshop::new();
    for _ in 0..2 {
        assert_same(&workshop, |command| command);
    }
    fs::remove_dir_all(workshop.path("cache")).unwrap();
    assert_same(&workshop, |mut command| {
        command.arg("--no-cache");
        command
    });
    assert!(!workshop.path("cache").exists());
}

#[test]
fn a_cache_that_was_filled_by_the_other_compression_or_lost_its_blobs() {
    let workshop = Workshop::new();
    assert_same(&workshop, |command| command);
    let mut lost = 0;
    for path in crate::workshop::listing(&workshop.path("cache")) {
        if path.is_file() && path.components().any(|part| part.as_os_str() == "blobs") {
            fs::remove_file(path).unwrap();
            lost += 1;
        }
    }
    assert!(lost > 0, "the cache keeps no blobs");
    assert_same(&workshop, |command| command);
}

#[test]
fn several_at_once_over_one_cold_cache() {
    let workshop = Workshop::new();
    let start = |number: usize| {
        let mut command = workshop.command(&["--entrypoint=python app.py", "--quiet", "--compression=zstd"]);
        command.arg(format!("--output=oci:{number}")).spawn().unwrap()
    };
    let children: Vec<_> = (0..4).map(start).collect();
    let golden = &golden("image")["service linux/amd64"]["zstd"];
    for (number, mut child) in children.into_iter().enumerate() {
        assert!(child.wait().unwrap().success());
        assert_eq!(built::image(&workshop.path(&number.to_string())).digest, *golden);
    }
}

#[test]
fn every_form_of_output() {
    let workshop = Workshop::new();
    let golden = &golden("image")["service linux/amd64"]["gzip"];
    let build = |outputs: &[&str]| {
        let outputs = outputs.iter().map(|output| format!("--output={output}"));
        succeed(workshop.command(&["--entrypoint=python app.py"]).args(outputs));
    };
    let digest = |name: &str| sha256(&fs::read(workshop.path(name)).unwrap());
    build(&["oci:layout", "oci-archive:oci.tar", "docker-archive:docker.tar"]);
    let together = (digest("oci.tar"), digest("docker.tar"));
    let image = built::image(&workshop.path("layout"));
    assert_eq!(image.digest, *golden);

    // Each alone, over what was there before.
    build(&["docker-archive:docker.tar"]);
    build(&["oci-archive:oci.tar"]);
    assert_eq!((digest("oci.tar"), digest("docker.tar")), together);

    let copied = format!("oci:{}", workshop.path("copied").display());
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["--insecure-policy", "copy", "--quiet", "--preserve-digests", "oci-archive:oci.tar", &copied]);
    succeed(skopeo.current_dir(workshop.path("")));
    assert_eq!(built::image(&workshop.path("copied")).digest, *golden);
    // Docker's archive has no manifest: what makes the image is its configuration.
    let files = files_of_tar(&fs::read(workshop.path("docker.tar")).unwrap());
    let manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    let config = &files[manifest[0]["Config"].as_str().unwrap()];
    assert_eq!(image.manifest["config"]["digest"], format!("sha256:{}", sha256(config)));
}

fn files_of_tar(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let read = |entry: std::io::Result<tar::Entry<&[u8]>>| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.path().unwrap().to_str().unwrap().to_owned(), content)
    };
    tar::Archive::new(bytes).entries().unwrap().map(read).collect()
}

/// Its wheel is built each time, by its own back end.
#[test]
fn a_project_that_is_a_package() {
    let digests = ["one", "other"].map(|place| {
        let workshop = Workshop::empty();
        projects::write_package(&workshop, &["serve"]);
        fs::create_dir(workshop.path(place)).unwrap();
        fs::rename(workshop.path("project"), workshop.path(place).join("moved")).unwrap();
        std::os::unix::fs::symlink(workshop.path(place).join("moved"), workshop.path("project")).unwrap();
        let both =
            ["--compression=gzip", "--compression=zstd"].map(|compression| workshop.build(&[compression]).digest);
        assert_eq!(workshop.build(&[]).digest, both[0]);
        both
    });
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn the_order_of_platforms() {
    let workshop = Workshop::new();
    let golden = &golden("image")["service linux/amd64,linux/arm64"]["gzip"];
    for platforms in ["linux/amd64,linux/arm64", "linux/arm64,linux/amd64", "linux/arm64/v8,linux/amd64,linux/arm64"] {
        let (digest, images) = workshop.build_index(&["--entrypoint=python app.py", "--platform", platforms]);
        assert_eq!(digest, *golden, "{platforms}");
        assert_eq!(images.iter().map(|(platform, _)| platform).collect::<Vec<_>>(), ["linux/amd64", "linux/arm64"]);
    }
}

#[test]
fn the_time_of_creation_is_given_and_changes_nothing_else() {
    let workshop = Workshop::new();
    let at = |seconds: &str| workshop.run(workshop.command(&[]).env("SOURCE_DATE_EPOCH", seconds));
    let (mut one, mut other) = (at("1"), at("1700000000"));
    assert_eq!(workshop.build(&[]).config["created"], "1980-01-01T00:00:00Z");
    assert_eq!(one.config["created"], "1970-01-01T00:00:01Z");
    assert_eq!(other.config["created"], "2023-11-14T22:13:20Z");
    assert_ne!(one.digest, other.digest);
    let last = other.config["history"].as_array().unwrap().last().unwrap();
    assert_eq!(last["created"], "2023-11-14T22:13:20Z");
    for image in [&mut one, &mut other] {
        image.config["created"].take();
        image.config["history"].as_array_mut().unwrap().iter_mut().for_each(|step| _ = step["created"].take());
        image.manifest["config"]["digest"].take();
        image.digest.clear();
    }
    assert_eq!(one.manifest, other.manifest);
    assert_eq!(one, other);

    let run = workshop.command(&[]).env("SOURCE_DATE_EPOCH", "yesterday").output().unwrap();
    assert_eq!(run.status.code(), Some(2));
    assert!(String::from_utf8(run.stderr).unwrap().contains("SOURCE_DATE_EPOCH"));
}
