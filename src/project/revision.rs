//! The commit of a project's files, according to git.

use std::path::Path;
use std::process::Command;

use url::Url;

/// A commit, and the repository that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitRevision {
    /// The full hash.
    pub commit: String,
    /// The URL of the remote `origin`, without credentials; `None` if it is not a server.
    pub source: Option<String>,
}

/// Returns the commit of the files in a directory; `None` if they differ from it, are not in a repository, or git is not
/// installed. Ignored files do not count.
pub fn revision(folder: &Path) -> Option<GitRevision> {
    let commit = git(folder, &["rev-parse", "--verify", "HEAD"])?;
    (!has_changes(folder)?).then(|| GitRevision { commit, source: source(folder) })
}

/// Returns the URL of the repository that a directory was cloned from, as for a browser; `None` if it is not a server, the
/// directory is not in a repository, or git is not installed.
pub fn source(folder: &Path) -> Option<String> {
    git(folder, &["config", "--get", "remote.origin.url"]).and_then(|remote| address(&remote))
}

/// Returns whether files in a directory differ from HEAD or are untracked; `None` if the directory is not in a repository,
/// or git is not installed. Ignored files do not count.
pub fn has_changes(folder: &Path) -> Option<bool> {
    let changes = git(folder, &["status", "--porcelain", "--untracked-files=normal", "--", "."])?;
    Some(!changes.is_empty())
}

/// Runs git in a directory; returns its output if it succeeds.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().ok()?;
    let text = output.status.success().then(|| String::from_utf8(output.stdout))?.ok()?;
    Some(text.trim().to_owned())
}

/// Returns the URL of a remote for a browser: `git@host:owner/name.git` is `https://host/owner/name`.
fn address(remote: &str) -> Option<String> {
    let mut url = match (remote.parse::<Url>(), remote.split_once(':')) {
        (Ok(url), _) if matches!(url.scheme(), "https" | "http" | "ssh" | "git") => url,
        // The scp-like syntax (git-clone, "GIT URLS"): as in git, a slash before the first colon makes it a local path.
        (_, Some((host, path))) if !host.contains('/') && host.len() > 1 && !path.starts_with("//") => {
            let host = host.rsplit('@').next()?;
            format!("https://{host}/{}", path.trim_start_matches('/')).parse().ok()?
        }
        _ => return None,
    };
    let path = url.path().trim_end_matches('/').trim_end_matches(".git").to_owned();
    let host = url.host_str()?.to_owned();
    let port = url.port().filter(|_| matches!(url.scheme(), "https" | "http"));
    let scheme = if url.scheme() == "http" { "http" } else { "https" };
    url = format!("{scheme}://{host}{path}").parse().ok()?;
    url.set_port(port).ok()?;
    Some(url.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_become_addresses_without_credentials() {
        for (remote, expected) in [
            ("https://github.com/owner/name.git", Some("https://github.com/owner/name")),
            ("https://user:token@example.org:8443/a/b.git", Some("https://example.org:8443/a/b")),
            ("git@github.com:owner/name.git", Some("https://github.com/owner/name")),
            ("ssh://git@example.org:2222/owner/name", Some("https://example.org/owner/name")),
            ("https://example.org/a?token=secret#x", Some("https://example.org/a")),
            ("/srv/git/name.git", None),
            ("../name", None),
            ("file:///srv/git/name.git", None),
        ] {
            assert_eq!(address(remote).as_deref(), expected, "{remote}");
        }
    }

    fn commit_as(folder: &Path, arguments: &[&str]) {
        let identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"];
        let output = Command::new("git").arg("-C").arg(folder).args(identity).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    #[test]
    fn only_files_that_are_committed_have_a_revision() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!((revision(folder.path()), has_changes(folder.path())), (None, None));
        commit_as(folder.path(), &["init", "-q"]);
        assert_eq!(revision(folder.path()), None);
        std::fs::write(folder.path().join("app.py"), "").unwrap();
        commit_as(folder.path(), &["add", "app.py"]);
        commit_as(folder.path(), &["commit", "-qm", "one"]);
        let found = revision(folder.path()).unwrap();
        assert_eq!((found.commit.len(), found.source), (40, None));

        commit_as(folder.path(), &["remote", "add", "origin", "git@example.org:o/n.git"]);
        assert_eq!(revision(folder.path()).unwrap().source.as_deref(), Some("https://example.org/o/n"));
        std::fs::write(folder.path().join("new.py"), "").unwrap();
        assert_eq!(revision(folder.path()), None);
        assert_eq!(has_changes(folder.path()), Some(true));
    }
}
