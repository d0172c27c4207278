//! A cache that cannot be written to is read.

use std::fs;
use std::process::Command;

use crate::support::artifact::sha256;
use crate::support::command::{pybundle, succeed};
use crate::workshop::{Workshop, listing};

/// Makes the directory `cache` read-only, where only the command sees it. Mounting needs root, who ignores modes.
const READ_ONLY: &str = r#"mount --bind cache cache && mount -o remount,ro,bind cache || exit 99; exec "$@""#;

/// Returns a command that finds a read-only cache.
fn read_only(command: &Command, workshop: &Workshop) -> Command {
    let mut read_only = Command::new("unshare");
    read_only.args(["--mount", "sh", "-c", READ_ONLY, "sh"]).arg(command.get_program()).args(command.get_args());
    read_only.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    read_only.current_dir(workshop.path(""));
    read_only
}

#[test]
fn a_read_only_cache_serves_and_what_it_lacks_is_made_again() {
    let workshop = Workshop::new();
    let cache = workshop.path("cache");
    let lambda = |output: &str| {
        let mut command = pybundle(&["lambda", "project", "--output", output]);
        command.current_dir(workshop.path("")).env("PYBUNDLE_CACHE_DIR", &cache);
        command
    };
    let image = |output: &str| workshop.command(&["--compression=zstd", "--output", output]);
    // A wheel without a digest in the lock is read again each time.
    let mut lock = fs::read_to_string(workshop.path("project/uv.lock")).unwrap();
    for entry in fs::read_dir(workshop.path("project/index")).unwrap() {
        let (name, path) = entry.map(|entry| (entry.file_name().into_string().unwrap(), entry.path())).unwrap();
        let digest = sha256(&fs::read(path).unwrap());
        lock = lock.replace(&format!("\"{name}\" }}"), &format!("\"{name}\", hash = \"sha256:{digest}\" }}"));
    }
    workshop.write("uv.lock", lock);
    // A cache without wheels, and then one with everything.
    succeed(pybundle(&["cache", "dir"]).env("PYBUNDLE_CACHE_DIR", &cache));
    for state in ["empty", "full"] {
        let before = listing(&cache);
        succeed(&mut read_only(&lambda(&format!("{state}.zip")), &workshop));
        succeed(&mut read_only(&image(&format!("oci-archive:{state}.tar")), &workshop));
        assert_eq!(listing(&cache), before);
        succeed(&mut lambda("expected.zip"));
        succeed(&mut image("oci-archive:expected.tar"));
        for kind in ["zip", "tar"] {
            let [made, expected] = [state, "expected"].map(|name| fs::read(workshop.path(&format!("{name}.{kind}"))));
            assert!(made.unwrap() == expected.unwrap(), "{state}.{kind}");
        }
    }
    // Nothing but the cache has the wheels.
    fs::remove_dir_all(workshop.path("project/index")).unwrap();
    succeed(&mut read_only(&lambda("again.zip"), &workshop));
    assert!(fs::read(workshop.path("again.zip")).unwrap() == fs::read(workshop.path("expected.zip")).unwrap());
    // What changes the cache still needs to write to it.
    let mut prune = read_only(pybundle(&["cache", "prune"]).env("PYBUNDLE_CACHE_DIR", &cache), &workshop);
    let said = workshop.fail(&mut prune);
    assert!(said.contains("cannot open") && said.contains("Read-only file system"), "{said}");
}
