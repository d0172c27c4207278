//! Records of functions in a bucket and in a repository: machines without the wheels write the same zip.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::http::Answer;
use crate::moto::Moto;
use crate::record_bucket::{ended, keys, send};
use crate::remote_cache::{Fleet, require_source};
use crate::support::artifact::sha256;
use crate::support::command::pybundle;
use crate::support::wheel_with;

/// The path of a wheel that is larger than a part of what is read from a bucket at once.
const LARGE: &str = "/large-1.0-py3-none-any.whl";

/// Locks a wheel of 20 MB that cannot be compressed.
fn require_large(fleet: &Fleet) {
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let noise: Vec<u8> = noise.take(20_000_000 / 8).flatten().collect();
    let wheel = wheel_with("large", "1.0", &[("large/__init__.py", b""), ("large/noise.bin", &noise)]);
    fleet.server.answer(LARGE, [Answer::file(&wheel)]);
    let line = format!("large @ {} --hash=sha256:{}\n", fleet.server.url(LARGE), sha256(&wheel));
    fleet.workshop.write("requirements.txt", line);
    edit(fleet, 0);
}

fn edit(fleet: &Fleet, edit: usize) {
    fleet.workshop.write("app.py", format!("import large\n\ndef handler(event, context):\n    return {edit}\n"));
}

/// Returns a build on a machine whose cache has a name.
fn function(fleet: &Fleet, machine: &str) -> Command {
    let mut command =
        pybundle(&["lambda", "project", "--runtime=python3.12", "--no-progress", "--json", "-o", "out.zip"]);
    command.current_dir(fleet.workshop.path("")).env("PYBUNDLE_CACHE_DIR", fleet.workshop.path(machine));
    command
}

/// Builds the function on a machine that has written its record, and on another one, and asserts that this fetches nothing.
fn is_shared(fleet: &Fleet, places: &[&str], build: impl Fn(&str, &str) -> (Value, String)) {
    require_large(fleet);
    for (at, place) in places.iter().enumerate() {
        edit(fleet, 0);
        let (first, said) = build(&format!("warm-{at}"), place);
        assert_eq!(first["remote_cache"]["written"], true, "{said}");
        edit(fleet, 1);
        let (expected, _) = build(&format!("warm-{at}"), "off");
        let sent = fleet.server.requests(LARGE).len();
        let (cold, said) = build(&format!("cold-{at}"), &format!("read={place}"));
        let digest = &expected["artifacts"][0]["sha256"];
        assert_eq!((&cold["artifacts"][0]["sha256"], &cold["remote_cache"]["fetched"]), (digest, &json!(0)), "{said}");
        assert_eq!(*digest, sha256(&fs::read(fleet.workshop.path("out.zip")).unwrap()));
        assert_eq!((fleet.server.requests(LARGE).len(), said.matches("warning").count()), (sent, 0), "{said}");
    }
}

#[test]
fn a_bucket_has_the_start_of_zips() {
    let (fleet, moto) = (Fleet::new(), Moto::start());
    send(&moto, "PUT", "/fleet", b"");
    let build = |machine: &str, place: &str| ended(&mut function(&fleet, machine), &moto.url, place);
    is_shared(&fleet, &["s3://fleet/zips"], build);
    let start = keys(&moto).into_iter().filter(|key| key.ends_with(".zip-start"));
    let [start] = &start.collect::<Vec<_>>()[..] else { panic!("{:?}", keys(&moto)) };
    send(&moto, "DELETE", &format!("/fleet/{start}"), b"");
    let (again, said) = build("colder", "s3://fleet/zips");
    assert_eq!(again["remote_cache"]["fetched"], 1, "{said}");
    assert!(said.contains("warning: cannot read the remote cache"), "{said}");

    // A wheel that was built is worth a record without a start.
    let stop = require_source(&fleet);
    let (built, _) = build("builder", "s3://fleet/built");
    fs::write(&stop, "").unwrap();
    let (cold, said) = build("receiver", "s3://fleet/built");
    assert_eq!(cold["artifacts"][0]["sha256"], built["artifacts"][0]["sha256"], "{said}");
}

#[test]
fn a_repository_has_the_start_of_zips() {
    let fleet = Fleet::new();
    let build = |machine: &str, place: &str| {
        let output = function(&fleet, machine).env("PYBUNDLE_REMOTE_CACHE", place).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        (serde_json::from_slice(&output.stdout).unwrap(), said)
    };
    is_shared(&fleet, &[&fleet.repository("team/zips")], build);
    let [tag] = &fleet.tags("team/zips")[..] else { panic!("{:?}", fleet.tags("team/zips")) };
    assert!(tag.starts_with("pybundle-cache-"), "{tag}");
}

/// `build` builds what the targets are, with the variable that the action sets.
#[test]
fn targets_read_the_variable_of_the_remote_cache() {
    let fleet = Fleet::new();
    fleet.workshop.write(
        "pyproject.toml",
        format!(
            "[project]\nname = \"app\"\nversion = \"1\"\ndynamic = [\"dependencies\"]\n\n[tool.pybundle]\n\
             lock = \"requirements.txt\"\ncompile-bytecode = false\n\n[tool.pybundle.target.app]\nkind = \"image\"\n\
             base = \"oci:../base\"\ntag = \"{}:main\"\n",
            fleet.repository("team/app")
        ),
    );
    for (machine, written) in [("warm", true), ("cold", false)] {
        let mut command = pybundle(&["build", "--push", "--json", "--project", "project"]);
        command.current_dir(fleet.workshop.path("")).env("PYBUNDLE_CACHE_DIR", fleet.workshop.path(machine));
        let output = command.env("PYBUNDLE_REMOTE_CACHE", "auto").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["targets"][0]["image"]["remote_cache"]["written"], written, "{report}");
        fleet.edit(1);
    }
}
