//! A build that is killed at any moment leaves complete outputs, old or new, and does not affect later builds.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::built;
use crate::projects;
use crate::support::artifact::sha256;
use crate::support::command::succeed;
use crate::workshop::Workshop;

const OUTPUTS: [&str; 3] =
    ["--output=oci:out/layout", "--output=oci-archive:out/oci.tar", "--output=docker-archive:out/docker.tar"];

/// How many moments are tried.
const MOMENTS: u32 = 40;

/// Returns what the three outputs are; fails if one of them is not whole.
fn state(directory: &Path) -> [String; 3] {
    let digest = |name: &str| sha256(&fs::read(directory.join(name)).unwrap());
    [built::image(&directory.join("layout")).digest, digest("oci.tar"), digest("docker.tar")]
}

#[test]
fn a_kill_leaves_the_old_outputs_or_the_new_ones() {
    let workshop = Workshop::empty();
    projects::write(&workshop, &[("bulky", "1.0", 3 << 20), ("alpha", "1.0", 100_000), ("beta", "1.0", 1000)]);
    let (out, cache) = (workshop.path("out"), workshop.path("cache"));
    let build = |version: u32| {
        workshop.write("app.py", format!("print({version})\n"));
        let mut command = workshop.command(&OUTPUTS);
        command.arg("--quiet");
        command
    };
    let mut expected: Vec<[String; 3]> = Vec::new();
    let mut longest = Duration::ZERO;
    for version in [0, 1] {
        // With nothing in the cache, as in half of the moments.
        let _ = fs::remove_dir_all(&cache);
        let started = Instant::now();
        succeed(&mut build(version));
        longest = longest.max(started.elapsed());
        expected.push(state(&out));
    }
    let mut seen = BTreeSet::new();
    for moment in 0..MOMENTS {
        if moment % 2 == 0 {
            let _ = fs::remove_dir_all(&cache);
        }
        // The other version than the one that was whole last.
        let version = u32::from(state(&out)[0] == expected[0][0]);
        let mut child = build(version).spawn().unwrap();
        std::thread::sleep(longest * moment / MOMENTS);
        child.kill().unwrap();
        child.wait().unwrap();
        for (position, found) in state(&out).iter().enumerate() {
            let which = expected.iter().position(|expected| expected[position] == *found);
            assert!(which.is_some(), "after {moment}: {} is neither the old one nor the new one", OUTPUTS[position]);
            seen.insert((position, which == Some(version as usize)));
        }
        // What is in the cache is whole, too.
        if moment % 8 == 7 {
            succeed(&mut build(version));
            assert_eq!(state(&out), expected[version as usize]);
        }
    }
    assert!(seen.contains(&(0, false)), "no kill came in time");
    succeed(&mut build(0));
    assert_eq!(state(&out), expected[0]);
}
