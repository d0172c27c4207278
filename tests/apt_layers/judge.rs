//! Two copies of a root: apt-get installs packages in one, and layers are unpacked over the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pybundle::fuzzing::{LaidPackages, lay_packages};
use tempfile::TempDir;

use crate::roots::{chroot, root, run};
use crate::trees;

/// The names of whiteouts begin with it.
const WHITEOUT: &str = ".wh.";

/// What both made of the same request.
pub struct Installation {
    /// Where apt-get has installed.
    pub real: PathBuf,
    /// Where the layers were unpacked.
    pub laid: PathBuf,
    pub layers: LaidPackages,
    pub seconds: f64,
    _directory: TempDir,
}

impl Installation {
    /// Installs packages with both.
    pub fn of(suite: &str, packages: &[&str], allow_unconfigured: &[&str]) -> Self {
        Self::after("true", suite, packages, allow_unconfigured)
    }

    /// As [`Installation::of`], after a command in both roots.
    pub fn after(command: &str, suite: &str, packages: &[&str], allow_unconfigured: &[&str]) -> Self {
        let (base, archive) = root(suite);
        let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-cache");
        let directory = tempfile::Builder::new().prefix("apt-").tempdir_in(&cache).unwrap();
        let [real, laid, output] = ["real", "laid", "layers"].map(|name| directory.path().join(name));
        for copy in [&real, &laid] {
            run(Command::new("cp").args(["-a", "--reflink=auto"]).arg(&base).arg(copy));
            chroot(copy, &["sh", "-c", command]);
        }
        fs::create_dir(&output).unwrap();
        let before = fs::read_to_string(real.join("var/log/dpkg.log")).unwrap_or_default().lines().count();
        let debs = real.join("var/cache/apt/archives");
        let install =
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "-o", "APT::Keep-Downloaded-Packages=true"];
        // The files of earlier runs, so that each is downloaded once.
        let kept = cache.join("apt-debs");
        fs::create_dir_all(&kept).unwrap();
        link_all(&kept, &debs);
        run_with_proc(&real, &[&install[..], packages].concat());
        link_all(&debs, &kept);
        let order = configured(&real, before);
        let debs: Vec<PathBuf> = order
            .iter()
            .map(|(name, version, architecture)| {
                debs.join(format!("{name}_{}_{architecture}.deb", version.replace(':', "%3a")))
            })
            .collect();
        let names: Vec<&str> = order.iter().map(|(name, _, _)| name.as_str()).collect();
        let allow_unconfigured = if allow_unconfigured == ["*"] { names.as_slice() } else { allow_unconfigured };
        let started = std::time::Instant::now();
        let deflated = cache.join("apt-cache");
        let layers = lay_packages(Some(&archive), &debs, allow_unconfigured, &deflated, &output).unwrap();
        let seconds = started.elapsed().as_secs_f64();
        for at in 0..layers.layers.len() {
            unpack(&output.join(format!("{at}.tar.gz")), &laid);
        }
        Self { real, laid, layers, seconds, _directory: directory }
    }

    /// Returns how the trees differ: the path, what apt-get made, and what the layers have.
    pub fn differences(&self) -> Vec<(String, String, String)> {
        trees::differences(&self.real, &self.laid)
    }
}

/// Runs a command in a root with /proc, which the scripts of some packages ask for.
fn run_with_proc(root: &Path, arguments: &[&str]) {
    run(Command::new("mount").args(["-t", "proc", "proc"]).arg(root.join("proc")));
    let output = crate::roots::in_chroot(root, arguments).output();
    run(Command::new("umount").arg(root.join("proc")));
    let output = output.unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn link_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "deb") && !to.join(path.file_name().unwrap()).exists()
        {
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

/// Returns the packages that dpkg has configured since a line of its log: name, version, architecture.
fn configured(root: &Path, since: usize) -> Vec<(String, String, String)> {
    let log = fs::read_to_string(root.join("var/log/dpkg.log")).unwrap();
    let lines = log.lines().skip(since).map(|line| line.split(' ').collect::<Vec<_>>());
    lines
        .filter(|fields| fields.get(2) == Some(&"configure"))
        .map(|fields| {
            let (name, architecture) = fields[3].split_once(':').unwrap();
            let version = fields[4];
            let query = chroot(root, &["dpkg-query", "-W", "-f", "${Architecture}", &format!("{name}:{architecture}")]);
            (name.to_owned(), version.to_owned(), query)
        })
        .collect()
}

/// Unpacks a layer as a container runtime does: whiteouts remove files, and a directory replaces a link.
pub fn unpack(layer: &Path, root: &Path) {
    let names = run(Command::new("tar").arg("-tzf").arg(layer));
    for name in names.lines().filter(|name| name.rsplit('/').next().is_some_and(|name| name.starts_with(WHITEOUT))) {
        let removed = root.join(name.replace(WHITEOUT, ""));
        if removed.is_dir() && !removed.is_symlink() {
            fs::remove_dir_all(removed).unwrap();
        } else {
            fs::remove_file(removed).unwrap();
        }
    }
    run(Command::new("tar")
        .args(["--numeric-owner", "--same-owner", "-p", "--xattrs", "--xattrs-include=*", "--overwrite"])
        .arg(format!("--exclude={WHITEOUT}*"))
        .arg("-C")
        .arg(root)
        .arg("-xzf")
        .arg(layer));
}
