//! Root file systems of Debian, as slim images have them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The configuration of dpkg in Debian's slim images.
const SLIM: &str = "path-exclude /usr/share/groff/*\npath-exclude /usr/share/info/*\npath-exclude /usr/share/linda/*\n\
                    path-exclude /usr/share/lintian/*\npath-exclude /usr/share/locale/*\npath-exclude /usr/share/man/*\n\
                    path-exclude /usr/share/doc/*\npath-include /usr/share/doc/*/copyright\n";

/// Runs a command, and returns its standard output. Panics if it fails.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{command:?} failed: {}\n{stdout}{stderr}", output.status);
    stdout
}

/// Runs a command in a root, without a terminal and in English.
pub fn chroot(root: &Path, arguments: &[&str]) -> String {
    run(in_chroot(root, arguments))
}

/// Returns a command that runs in a root.
pub fn in_chroot<'a>(root: &Path, arguments: &[&str]) -> &'a mut Command {
    let mut command = Command::new("chroot");
    command.arg(root).args(arguments).env_clear();
    command.envs([
        ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        ("LC_ALL", "C.UTF-8"),
        ("DEBIAN_FRONTEND", "noninteractive"),
    ]);
    Box::leak(Box::new(command))
}

/// Returns the slim root of a suite, which debootstrap makes once: its directory, and an archive of it.
pub fn root(suite: &str) -> (PathBuf, PathBuf) {
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-cache/apt-roots");
    fs::create_dir_all(&cache).unwrap();
    // Several test binaries need it, and run at the same time.
    let making = fs::File::create(cache.join(".lock")).unwrap();
    making.lock().unwrap();
    let (root, archive) = (cache.join(suite), cache.join(format!("{suite}.tar")));
    if !archive.exists() {
        drop(fs::remove_dir_all(&root));
        let mirror = "http://deb.debian.org/debian";
        run(Command::new("debootstrap").args(["--variant=minbase", suite]).arg(&root).arg(mirror));
        slim(&root, suite);
        let partial = archive.with_extension("part");
        run(Command::new("tar").args(["--numeric-owner", "-C"]).arg(&root).arg("-cf").arg(&partial).arg("."));
        fs::rename(partial, &archive).unwrap();
    }
    (root, archive)
}

/// Makes of a root what an image is: without documentation, services and the lists of packages.
fn slim(root: &Path, suite: &str) {
    fs::create_dir_all(root.join("etc/dpkg/dpkg.cfg.d")).unwrap();
    fs::write(root.join("etc/dpkg/dpkg.cfg.d/docker"), SLIM).unwrap();
    fs::write(root.join("etc/apt/apt.conf.d/99tests"), "APT::Sandbox::User \"root\";\n").unwrap();
    fs::write(root.join("usr/sbin/policy-rc.d"), "#!/bin/sh\nexit 101\n").unwrap();
    run(Command::new("chmod").arg("755").arg(root.join("usr/sbin/policy-rc.d")));
    let sources = [("debian", ""), ("debian", "-updates"), ("debian-security", "-security")]
        .map(|(archive, pocket)| format!("deb http://deb.debian.org/{archive} {suite}{pocket} main\n"));
    fs::write(root.join("etc/apt/sources.list"), sources.concat()).unwrap();
    fs::copy("/etc/resolv.conf", root.join("etc/resolv.conf")).unwrap();
    let script = "rm -rf /usr/share/groff/* /usr/share/info/* /usr/share/lintian/* /usr/share/locale/* /usr/share/man/*; \
                  find /usr/share/doc -mindepth 1 ! -type d ! -name copyright -delete; apt-get update -qq; apt-get clean";
    chroot(root, &["sh", "-c", script]);
}
