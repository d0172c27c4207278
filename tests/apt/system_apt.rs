//! The system's apt-get with a state of its own: another release and another architecture than this machine's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::support::command::repository;

/// The keys of all of Debian's archives, from the package debian-archive-keyring.
pub const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// One update at a time, and each only once.
static UPDATES: Mutex<()> = Mutex::new(());

/// apt for a release and an architecture.
pub struct SystemApt {
    directory: PathBuf,
    architecture: &'static str,
}

impl SystemApt {
    /// Updates the indexes if they are older than a quarter of an hour.
    pub fn of(codename: &str, architecture: &'static str) -> Self {
        let directory = repository().join(format!("target/test-cache/apt/{codename}-{architecture}"));
        for part in [
            "state/lists/partial",
            "cache/archives/partial",
            "etc/apt.conf.d",
            "etc/preferences.d",
            "etc/sources.list.d",
        ] {
            fs::create_dir_all(directory.join(part)).unwrap();
        }
        let apt = Self { directory, architecture };
        let _guard = UPDATES.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = apt.directory.join("updated");
        let age = fs::metadata(&stamp).ok().and_then(|metadata| metadata.modified().ok()?.elapsed().ok());
        if age.is_none_or(|age| age.as_secs() > 900) {
            let source = |uri: &str, suite: &str| format!("deb [signed-by={KEYRING}] {uri} {suite} main\n");
            let sources = source("http://deb.debian.org/debian", codename)
                + &source("http://deb.debian.org/debian", &format!("{codename}-updates"))
                + &source("http://deb.debian.org/debian-security", &format!("{codename}-security"));
            fs::write(apt.directory.join("etc/sources.list"), sources).unwrap();
            fs::write(apt.status(), "").unwrap();
            let output = apt.command(Path::new("/usr/bin/apt-get"), &apt.status()).arg("update").output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            fs::write(stamp, "").unwrap();
        }
        apt
    }

    /// The status of an empty system.
    pub fn status(&self) -> PathBuf {
        self.directory.join("status")
    }

    /// The files that `apt-get update` downloaded and verified.
    pub fn lists(&self) -> PathBuf {
        self.directory.join("state/lists")
    }

    /// A command of apt over a system with this status.
    pub fn command(&self, program: &Path, status: &Path) -> Command {
        let mut command = Command::new(program);
        let directory = self.directory.display();
        for (key, value) in [
            ("Dir::State", format!("{directory}/state")),
            ("Dir::State::status", status.display().to_string()),
            ("Dir::Cache", format!("{directory}/cache")),
            ("Dir::Etc", format!("{directory}/etc")),
            ("APT::Architecture", self.architecture.to_owned()),
            ("APT::Architectures", self.architecture.to_owned()),
            ("APT::Sandbox::User", "root".to_owned()),
            ("APT::Install-Recommends", "false".to_owned()),
            ("Acquire::Languages", "none".to_owned()),
            // Debian's images disable these caches.
            ("Dir::Cache::pkgcache", "pkgcache.bin".to_owned()),
            ("Dir::Cache::srcpkgcache", "srcpkgcache.bin".to_owned()),
            ("Debug::NoLocking", "true".to_owned()),
        ] {
            command.arg("-o").arg(format!("{key}={value}"));
        }
        command.env("LC_ALL", "C").env("APT_CONFIG", "/dev/null");
        command
    }
}
