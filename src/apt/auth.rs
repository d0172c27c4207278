//! The logins that this machine's apt has for archives.
//!
//! Specification: [apt_auth.conf(5)](https://manpages.debian.org/apt_auth.conf.5), the format of `.netrc` with schemes and paths.

use std::fs;
use std::path::{Path, PathBuf};

use url::Url;

use crate::fetch::IndexUrl;
use crate::limited_reader::{self, LARGEST_PROJECT_FILE};

/// Reads the logins in a directory like `/etc/apt`: of `auth.conf`, and of the files in `auth.conf.d`. What cannot be read has
/// none, as for other users' files.
pub fn machine_logins(directory: &Path) -> Vec<IndexUrl> {
    let mut files = vec![directory.join("auth.conf")];
    let entries = fs::read_dir(directory.join("auth.conf.d")).into_iter().flatten().flatten();
    let mut parts: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    parts.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
    parts.sort();
    files.extend(parts);
    let texts = files.iter().filter_map(|path| limited_reader::read_regular_text(path, LARGEST_PROJECT_FILE).ok());
    texts.flat_map(|text| logins(&text)).collect()
}

/// Reads the entries: `machine [SCHEME://]HOST[:PORT][/PATH] login USER password PASSWORD`.
fn logins(text: &str) -> Vec<IndexUrl> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let mut words = lines.flat_map(str::split_whitespace);
    let (mut logins, mut current) = (Vec::new(), None::<MachineLogin>);
    while let Some(word) = words.next() {
        match (word, current.as_mut()) {
            ("machine", _) => {
                logins.extend(current.take().and_then(MachineLogin::url));
                current = words.next().map(|machine| MachineLogin { machine, user: "", password: "" });
            }
            ("login", Some(login)) => login.user = words.next().unwrap_or_default(),
            ("password", Some(login)) => login.password = words.next().unwrap_or_default(),
            _ => {}
        }
    }
    logins.extend(current.and_then(MachineLogin::url));
    logins
}

struct MachineLogin<'a> {
    machine: &'a str,
    user: &'a str,
    password: &'a str,
}

impl MachineLogin<'_> {
    /// Returns the URL with the login. Without a scheme, a password is only sent over TLS.
    fn url(self) -> Option<IndexUrl> {
        let text =
            if self.machine.contains("://") { self.machine.to_owned() } else { format!("https://{}", self.machine) };
        let mut url = Url::parse(&text).ok().filter(Url::has_host)?;
        url.set_username(self.user).ok()?;
        url.set_password(Some(self.password)).ok()?;
        Some(IndexUrl { name: None, url })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_read_from_all_files() {
        let directory = tempfile::tempdir().unwrap();
        let parts = directory.path().join("auth.conf.d");
        fs::create_dir(&parts).unwrap();
        fs::write(
            directory.path().join("auth.conf"),
            "# comment\nmachine example.org/debian login apt password p@ss\nmachine http://plain:8080\n  login user\n  password secret",
        )
        .unwrap();
        fs::write(parts.join("10.conf"), "machine other.example\nlogin token\n").unwrap();
        fs::write(parts.join("10.conf.bak"), "machine ignored.example login a password b\n").unwrap();
        let urls: Vec<String> = machine_logins(directory.path()).iter().map(|login| login.url.to_string()).collect();
        assert_eq!(
            urls,
            ["https://apt:p%40ss@example.org/debian", "http://user:secret@plain:8080/", "https://token@other.example/"]
        );
        assert!(machine_logins(&directory.path().join("missing")).is_empty());
        assert!(logins("login a password b\nmachine\n").is_empty());
    }
}
