//! A full disk: whatever is written to it, the error names its path, and nothing is left behind.

use std::fs;
use std::process::Command;

use crate::support::command::{pybundle, succeed};
use crate::workshop::Workshop;

/// Mounts a file system of 8 MiB at `disk`, where only the command sees it, and lists what the command leaves there. Mounting
/// needs root.
const ON_SMALL_DISK: &str = r#"
mount -t tmpfs -o size=8m tmpfs disk || exit 99
if [ -n "$FILLED" ]; then head -c 8M /dev/zero > disk/filler; fi
"$@"
status=$?
cd disk && find . -mindepth 1 ! -name filler > ../left
exit $status
"#;

/// A project with a file that does not fit on the disk, and neither does what it is compressed to.
struct FullDisk(Workshop);

impl FullDisk {
    fn new() -> Self {
        let workshop = Workshop::new();
        fs::create_dir(workshop.path("disk")).unwrap();
        let mut state = 1_u64;
        let noise = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        });
        workshop.write("shop/noise.bin", noise.take(9 << 17).flatten().collect::<Vec<u8>>());
        Self(workshop)
    }

    /// Runs a command, which must fail because the disk is full, and returns the message and what is left on the disk.
    fn fails(&self, command: &Command, variables: &[(&str, &str)]) -> (String, String) {
        let mut small = Command::new("unshare");
        small.args(["--mount", "sh", "-c", ON_SMALL_DISK, "sh"]).arg(command.get_program()).args(command.get_args());
        small.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = small.envs(variables.iter().copied()).current_dir(self.0.path("")).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("because: No space left on device"), "{said}");
        (said, fs::read_to_string(self.0.path("left")).unwrap())
    }
}

#[test]
fn every_output_names_its_path_and_leaves_nothing() {
    let disk = FullDisk::new();
    let zip = pybundle(&["lambda", "project", "--output=disk/made/a.zip"]);
    let image = |output: &str| disk.0.command(&[output]);
    for (command, path) in [
        (zip, "disk/made/a.zip"),
        (image("--output=oci:disk/made/layout"), "disk/made/layout"),
        (image("--output=oci-archive:disk/made/a.tar"), "disk/made/a.tar"),
        (image("--output=docker-archive:disk/made/a.tar"), "disk/made/a.tar"),
    ] {
        let (said, left) = disk.fails(&command, &[]);
        assert!(said.contains(&format!("error: cannot write {path}\n")), "{said}");
        assert_eq!(left, "./made\n");
    }
}

#[test]
fn small_outputs_name_their_paths_too() {
    let disk = FullDisk::new();
    succeed(pybundle(&["lambda", "project", "--output=a.zip"]).current_dir(disk.0.path("")));
    for (arguments, path) in [
        (&["inspect", "a.zip", "--html=disk/page.html"][..], "disk/page.html"),
        (&["man", "disk"], "disk/pybundle.1"),
        (&["lambda", "project", "--exclude=noise.bin", "--sbom=spdx", "--output=disk/b.zip"], "disk/b.zip"),
    ] {
        let (said, left) = disk.fails(&pybundle(arguments), &[("FILLED", "1")]);
        assert!(said.contains(&format!("error: cannot write {path}\n")), "{said}");
        assert_eq!(left, "");
    }
}

#[test]
fn a_layer_names_its_file_in_the_temporary_directory_or_the_cache() {
    let disk = FullDisk::new();
    let temporary = disk.0.path("disk");
    let image = disk.0.command(&["--output=oci:layout"]);
    let (said, left) = disk.fails(&image, &[("TMPDIR", temporary.to_str().unwrap())]);
    let start = format!("error: cannot write {}/pybundle-", temporary.display());
    assert!(said.contains(&start) && said.contains("/layers-x86_64/"), "{said}");
    assert!(said.contains("hint: free some disk space, or set TMPDIR to another directory"), "{said}");
    assert_eq!(left, "");

    let image = disk.0.command(&["--output=oci:layout", "--compression=zstd"]);
    let (said, left) = disk.fails(&image, &[("PYBUNDLE_CACHE_DIR", "disk")]);
    assert!(said.contains("/disk/v1/partial/.pybundle-"), "{said}");
    assert!(said.contains(".tmp in the cache\n"), "{said}");
    assert!(said.contains("hint: free disk space: `pybundle cache prune` removes unused files"), "{said}");
    assert!(!left.contains(".pybundle-"), "{left}");
    assert!(!disk.0.path("layout").exists());
}

/// The audit of libraries copies what it has to read at several places.
#[test]
fn a_library_that_cannot_be_copied_is_not_blamed() {
    let disk = FullDisk::new();
    disk.0.write("shop/plugin.so", [b"\x7fELF".to_vec(), vec![1; 60]].concat());
    let temporary = disk.0.path("disk");
    let zip = pybundle(&["lambda", "project", "--exclude=noise.bin", "--output=a.zip"]);
    let (said, _) = disk.fails(&zip, &[("TMPDIR", temporary.to_str().unwrap()), ("FILLED", "1")]);
    assert!(said.contains("error: cannot write a temporary file\n"), "{said}");
    assert!(said.contains("hint: free some disk space, or set TMPDIR to another directory"), "{said}");
}

/// There is no cache that could be pruned.
#[test]
fn a_temporary_cache_is_not_to_be_pruned() {
    let disk = FullDisk::new();
    let temporary = disk.0.path("disk");
    let image = disk.0.command(&["--output=oci:layout", "--compression=zstd", "--no-cache"]);
    let (said, left) = disk.fails(&image, &[("TMPDIR", temporary.to_str().unwrap())]);
    assert!(said.contains(".tmp in the cache\n"), "{said}");
    assert!(said.ends_with("hint: free some disk space, or set TMPDIR to another directory\n"), "{said}");
    assert_eq!(left, "");
}
