//! Keys and signatures by gpg.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// A directory of gpg with keys.
pub struct Gpg {
    pub home: TempDir,
}

impl Gpg {
    pub fn new() -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
        Self { home }
    }

    pub fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new("/usr/bin/gpg");
        command.arg("--homedir").arg(self.home.path()).args([
            "--batch",
            "--yes",
            "--quiet",
            "--pinentry-mode",
            "loopback",
        ]);
        let output = command.args(["--passphrase", ""]).args(arguments).output().unwrap();
        assert!(output.status.success(), "gpg {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    pub fn key(&self, user: &str, algorithm: &str, usage: &str, expires: &str) {
        self.run(&["--quick-generate-key", user, algorithm, usage, expires]);
    }

    pub fn fingerprint(&self, user: &str) -> String {
        let listed = self.run(&["--with-colons", "--list-keys", user]);
        let listed = String::from_utf8(listed).unwrap();
        listed.lines().find_map(|line| line.strip_prefix("fpr:::::::::")).unwrap().trim_end_matches(':').to_owned()
    }

    pub fn keyring(&self, name: &str, users: &[&str]) -> PathBuf {
        let path = self.home.path().join(name);
        let armor: &[&str] = if name.ends_with(".asc") { &["--armor"] } else { &[] };
        fs::write(&path, self.run(&[armor, &["--export"], users].concat())).unwrap();
        path
    }

    pub fn sign(&self, name: &str, text: &str, options: &[&str], users: &[&str]) -> PathBuf {
        let (plain, signed) = (self.home.path().join("plain"), self.home.path().join(name));
        fs::write(&plain, text).unwrap();
        let mut arguments = options.to_vec();
        users.iter().for_each(|user| arguments.extend(["--local-user", user]));
        arguments.extend(["--output", signed.to_str().unwrap(), "--clear-sign", plain.to_str().unwrap()]);
        self.run(&arguments);
        signed
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let _ = Command::new("/usr/bin/gpgconf")
            .arg("--homedir")
            .arg(self.home.path())
            .args(["--kill", "gpg-agent"])
            .status();
    }
}
