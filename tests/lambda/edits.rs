//! Zips after edits of the application: dependencies come first, what is copied of an earlier zip are its very bytes, and
//! each zip equals one from an empty cache.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::artifact::paths_of_zip;
use crate::support::command::{pybundle, repository, succeed};
use crate::support::leftovers::leftovers;
use crate::support::wheel_with;

/// `app.py` comes last, although `example_greeting` would follow it by its path.
#[test]
fn the_application_is_at_the_end_of_the_zip() {
    let directory = tempfile::tempdir().unwrap();
    succeed(Command::new("cp").arg("-r").arg(repository().join("testdata/example/.")).arg(directory.path()));
    succeed(pybundle(&["lambda", "--handler=app.handler", "--output=out.zip"]).current_dir(directory.path()));
    let paths = paths_of_zip(&directory.path().join("out.zip"));
    let own = paths.iter().position(|path| path == "app.py").unwrap();
    assert_eq!(paths[own..], ["app.py", "shop/__init__.py", "shop/prices.json"]);
    assert!(own > 10 && paths[..own].is_sorted(), "{paths:?}");
    succeed(pybundle(&["verify", "out.zip"]).current_dir(directory.path()));
}

/// Numbers that look random, and are the same in each run (xorshift).
pub struct Noise(pub u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        std::iter::repeat_with(|| self.next() as u8).take(length).collect()
    }
}

/// A project with a dependency of 3 MiB that cannot be compressed, and a cache of its own.
struct Edited {
    directory: TempDir,
    caches: TempDir,
}

impl Edited {
    fn new() -> Self {
        let edited = Self { directory: tempfile::tempdir().unwrap(), caches: tempfile::tempdir().unwrap() };
        edited.write("requirements.txt", b"large==1.0\nsmall==1.0\n");
        edited.write("app.py", b"import large\n");
        edited.write_wheel("large", 1);
        fs::create_dir_all(edited.path("wheels")).unwrap();
        let small = wheel_with("small", "1.0", &[("small/__init__.py", b"")]);
        fs::write(edited.path("wheels/small-1.0-py3-none-any.whl"), small).unwrap();
        edited
    }

    fn write_wheel(&self, name: &str, seed: u64) {
        let noise = Noise(seed).bytes(3 << 20);
        let wheel = wheel_with(name, "1.0", &[("large/__init__.py", b"x = 1\n"), ("large/noise.bin", &noise)]);
        fs::create_dir_all(self.path("wheels")).unwrap();
        fs::write(self.path(&format!("wheels/{name}-1.0-py3-none-any.whl")), wheel).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("project").join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn zip(&self) -> PathBuf {
        self.directory.path().join("out.zip")
    }

    fn command(&self, cache: &Path, output: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pybundle"));
        command.args([
            "lambda",
            "--runtime=python3.12",
            "--no-index",
            "--find-links=wheels",
            "--no-deps",
            "--no-audit",
        ]);
        command.args(["--json", "--exclude=wheels"]).args(arguments).arg("--output").arg(output);
        command.env("PYBUNDLE_CACHE_DIR", cache).current_dir(self.path(""));
        command
    }

    /// Builds with the cache, and asserts that the zip has the bytes and the reported digest of one from an empty cache.
    #[track_caller]
    fn builds(&self, arguments: &[&str]) -> Value {
        let fresh = tempfile::tempdir().unwrap();
        let expected = fresh.path().join("fresh.zip");
        succeed(&mut self.command(&fresh.path().join("cache"), &expected, arguments));
        let report = succeed(&mut self.command(&self.cache(), &self.zip(), arguments));
        assert!(fs::read(self.zip()).unwrap() == fs::read(&expected).unwrap(), "the zips differ");
        let report: Value = serde_json::from_str(&report).unwrap();
        let sha256 = crate::support::artifact::sha256(&fs::read(&expected).unwrap());
        assert_eq!(report["artifacts"][0]["sha256"], sha256);
        assert_eq!(leftovers(self.directory.path()), [] as [PathBuf; 0]);
        report
    }

    fn cache(&self) -> PathBuf {
        self.caches.path().join("cache")
    }

    /// Tells whether the next build does not read the large file in the wheel: it does not notice that it is damaged.
    fn copies(&self) -> bool {
        let wheels = files(&self.cache().join("v1/wheels"));
        let large = wheels.iter().find(|path| path.metadata().unwrap().len() > 1 << 20).unwrap();
        let intact = fs::read(large).unwrap();
        let mut damaged = intact.clone();
        damaged[2 << 20] ^= 1;
        fs::write(large, &damaged).unwrap();
        let probe = self.directory.path().join("probe.zip");
        succeed(&mut self.command(&self.cache(), &probe, &[]));
        fs::remove_file(&probe).unwrap();
        let is_unread = fs::read(large).unwrap() == damaged;
        fs::write(large, &intact).unwrap();
        is_unread
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
#[cfg(target_os = "linux")]
fn after_an_edit_the_dependencies_are_copied_from_the_earlier_zip() {
    let project = Edited::new();
    project.builds(&[]);
    project.write("app.py", b"import large\nprint(large.x)\n");
    assert!(project.copies());
    let report = project.builds(&[]);
    assert_eq!(report["artifacts"][0]["unchanged"], false);
    // Nothing changes: the file is left as it is, without being read.
    let before = project.zip().metadata().unwrap();
    let report = project.builds(&[]);
    assert_eq!(report["artifacts"][0]["unchanged"], true);
    assert_eq!(project.zip().metadata().unwrap().ino(), before.ino());
}

#[test]
fn random_edits_give_the_bytes_of_fresh_builds() {
    let project = Edited::new();
    let mut noise = Noise(0x9e37_79b9);
    for step in 0..40 {
        let name = ["app.py", "a.py", "zz/data.bin", "large_settings.py", "templates/index.html"];
        let name = name[noise.below(5) as usize];
        let length = [0, 1, 100, 5000, 700_000][noise.below(5) as usize];
        match noise.below(8) {
            0 if name != "app.py" => drop(fs::remove_file(project.path(name))),
            1 => project.write(name, &b"x = 1\n".repeat(length / 6)),
            2 => project.write_wheel("large", 1 + noise.below(2)),
            3 => project.write("requirements.txt", b"large==1.0\n"),
            4 => project.write("requirements.txt", b"large==1.0\nsmall==1.0\n"),
            // Equal to a file of a dependency, which is then executable.
            5 => project.write("large/__init__.py", b"x = 1\n"),
            _ => project.write(name, &noise.bytes(length)),
        }
        let arguments: &[&str] = [&[][..], &["--slim"][..], &["--strip"][..]][noise.below(3) as usize];
        let shown = format!("step {step}: {name}, {length} bytes, {arguments:?}");
        println!("{shown}");
        project.builds(arguments);
    }
}

/// Whatever happens to the earlier zip, the next one is right.
#[test]
fn changed_zips_are_not_copied_from() {
    let project = Edited::new();
    project.builds(&[]);
    let zip = project.zip();
    let changes: [(&str, &dyn Fn()); 8] = [
        ("a byte", &|| File::options().write(true).open(&zip).unwrap().write_all_at(b"?", 1 << 20).unwrap()),
        ("a byte, with its time restored", &|| {
            let file = File::options().write(true).open(&zip).unwrap();
            let time = file.metadata().unwrap().modified().unwrap();
            file.write_all_at(b"?", 1 << 20).unwrap();
            file.set_modified(time).unwrap();
        }),
        ("a byte, by another name", &|| {
            let other = zip.with_extension("link");
            fs::hard_link(&zip, &other).unwrap();
            File::options().write(true).open(&other).unwrap().write_all_at(b"?", 1 << 20).unwrap();
            fs::remove_file(&other).unwrap();
        }),
        ("another file", &|| {
            let mut bytes = fs::read(&zip).unwrap();
            bytes[1 << 20] ^= 1;
            fs::write(zip.with_extension("new"), bytes).unwrap();
            fs::rename(zip.with_extension("new"), &zip).unwrap();
        }),
        ("a link to one", &|| {
            let other = project.caches.path().join("elsewhere.zip");
            fs::copy(&zip, &other).unwrap();
            File::options().write(true).open(&other).unwrap().write_all_at(b"?", 1 << 20).unwrap();
            fs::remove_file(&zip).unwrap();
            std::os::unix::fs::symlink(&other, &zip).unwrap();
        }),
        ("its end", &|| File::options().write(true).open(&zip).unwrap().set_len(2 << 20).unwrap()),
        ("more at its end", &|| File::options().append(true).open(&zip).unwrap().write_all(b"more").unwrap()),
        ("none", &|| fs::remove_file(&zip).unwrap()),
    ];
    for (at, (what, change)) in changes.into_iter().enumerate() {
        println!("{what}");
        change();
        project.write("app.py", format!("import large\nx = {at}\n").as_bytes());
        project.builds(&[]);
        // Without an edit.
        change();
        project.builds(&[]);
    }
}

/// Records of the cache that are damaged or of other zips are not believed.
#[test]
fn damaged_records_are_ignored() {
    let project = Edited::new();
    project.builds(&[]);
    for (at, kind) in ["zip-starts", "zips"].into_iter().enumerate() {
        let records = files(&project.cache().join("v1").join(kind));
        assert_eq!(records.len(), 1, "{kind}");
        let intact = fs::read(&records[0]).unwrap();
        for damage in [&b""[..], b"pybundle", &intact[..intact.len() - 1]] {
            fs::write(&records[0], damage).unwrap();
            project.write("app.py", format!("import large\nx = {at} + {}\n", damage.len()).as_bytes());
            project.builds(&[]);
        }
    }
    // Another zip of the same project is copied from, too.
    let other = project.directory.path().join("other.zip");
    succeed(&mut project.command(&project.cache(), &other, &[]));
    assert!(fs::read(&other).unwrap() == fs::read(project.zip()).unwrap());
}

/// At each moment of the writing, the file at the path is the old zip or the new one.
#[test]
fn a_killed_build_leaves_the_earlier_zip() {
    let project = Edited::new();
    project.builds(&[]);
    let started = Instant::now();
    succeed(&mut project.command(&project.cache(), &project.zip(), &[]));
    let duration = started.elapsed();
    for step in 0..12_u32 {
        project.write("app.py", format!("import large\nx = {step}\n").as_bytes());
        let before = fs::read(project.zip()).unwrap();
        let mut command = project.command(&project.cache(), &project.zip(), &[]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(duration * step / 10);
        child.kill().unwrap();
        let is_complete = child.wait().unwrap().success();
        let after = fs::read(project.zip()).unwrap();
        assert!(is_complete || after == before || zip::ZipArchive::new(std::io::Cursor::new(after)).is_ok());
        // Some seconds later, the next build would remove them.
        for path in leftovers(project.directory.path()) {
            fs::remove_file(path).unwrap();
        }
        project.builds(&[]);
    }
}

/// Mounts a file system of 8 MiB at `disk`, builds there, and builds again after an edit, when it is full. Mounting needs root.
const ON_SMALL_DISK: &str = r#"
mount -t tmpfs -o size=8m tmpfs ../disk || exit 99
"$@" >/dev/null || exit 98
echo 'x = 2' >> app.py
head -c 8M /dev/zero > ../disk/filler
sha256sum ../disk/out.zip > ../before
"$@"
status=$?
sha256sum ../disk/out.zip | cmp - ../before || exit 97
rm ../disk/filler
[ "$(ls -A ../disk)" = out.zip ] || exit 96
"$@" >/dev/null || exit 95
cp ../disk/out.zip ../out.zip
exit $status
"#;

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_leaves_the_earlier_zip() {
    let project = Edited::new();
    fs::create_dir(project.directory.path().join("disk")).unwrap();
    let command = project.command(&project.cache(), Path::new("../disk/out.zip"), &[]);
    let mut small = Command::new("unshare");
    small.args(["--mount", "sh", "-c", ON_SMALL_DISK, "sh"]).arg(command.get_program()).args(command.get_args());
    small.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(project.path(""));
    let output = small.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot write ../disk/out.zip") && said.contains("No space left on device"), "{said}");
    let copied = fs::read(project.zip()).unwrap();
    fs::remove_file(project.zip()).unwrap();
    project.builds(&[]);
    assert!(copied == fs::read(project.zip()).unwrap());
}
