//! The commit of a project's files, according to git.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use url::Url;

use super::work_tree::{self, WorkTree};

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
pub fn revision(directory: &Path) -> Option<GitRevision> {
    let work_tree = WorkTree::containing(directory).ok()??;
    let commit = work_tree.commit("HEAD").ok()??;
    let is_committed = work_tree.differences(&commit, &[&directory.canonicalize().ok()?]).ok()?.is_empty();
    is_committed.then(|| GitRevision { commit, source: remote_of(&work_tree) })
}

/// Returns the URL of the repository that a directory was cloned from, as for a browser; `None` if it is not a server, the
/// directory is not in a repository, or git is not installed.
pub fn source(directory: &Path) -> Option<String> {
    remote_of(&WorkTree::containing(directory).ok()??)
}

/// Returns for each directory whether files in it differ from HEAD or are untracked; `None` if it is not in a repository, the
/// repository has no commit, or git is not installed. Ignored files do not count. Each repository is asked once.
pub fn has_changes(directories: &[&Path]) -> Vec<Option<bool>> {
    let directories: Vec<Option<PathBuf>> = directories.iter().map(|directory| directory.canonicalize().ok()).collect();
    let mut of_repositories: BTreeMap<&Path, Vec<&Path>> = BTreeMap::new();
    for directory in directories.iter().flatten() {
        if let Some(top) = work_tree::top_above(directory) {
            of_repositories.entry(top).or_default().push(directory);
        }
    }
    let differences: BTreeMap<&Path, BTreeSet<PathBuf>> =
        of_repositories.iter().filter_map(|(top, within)| Some((*top, uncommitted(top, within)?))).collect();
    let changed = directories.iter().map(|directory| {
        let directory = directory.as_deref()?;
        let paths = differences.get(work_tree::top_above(directory)?)?;
        Some(paths.iter().any(|path| path.starts_with(directory)))
    });
    changed.collect()
}

/// Returns the files in directories of a repository that differ from HEAD or are untracked.
fn uncommitted(top: &Path, directories: &[&Path]) -> Option<BTreeSet<PathBuf>> {
    let work_tree = WorkTree::containing(top).ok()??;
    work_tree.differences(&work_tree.commit("HEAD").ok()??, directories).ok()
}

fn remote_of(work_tree: &WorkTree) -> Option<String> {
    let remote = work_tree.line(&["config", "--get", "remote.origin.url"]).ok()??;
    address(std::str::from_utf8(&remote).ok()?)
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
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::super::GitChanges;
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

    fn is_changed(directory: &Path) -> Option<bool> {
        has_changes(&[directory])[0]
    }

    fn git(directory: &Path, arguments: &[&str]) {
        let identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"];
        let output = Command::new("git").arg("-C").arg(directory).args(identity).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    #[test]
    fn only_files_that_are_committed_have_a_revision() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        assert_eq!((revision(directory), is_changed(directory)), (None, None));
        git(directory, &["init", "-q"]);
        assert_eq!(revision(directory), None);
        std::fs::write(directory.join("app.py"), "").unwrap();
        git(directory, &["add", "app.py"]);
        git(directory, &["commit", "-qm", "one"]);
        let found = revision(directory).unwrap();
        assert_eq!((found.commit.len(), found.source), (40, None));

        git(directory, &["remote", "add", "origin", "git@example.org:o/n.git"]);
        assert_eq!(revision(directory).unwrap().source.as_deref(), Some("https://example.org/o/n"));
        std::fs::write(directory.join("new.py"), "").unwrap();
        assert_eq!(revision(directory), None);
        assert_eq!(is_changed(directory), Some(true));
        git(directory, &["add", "new.py"]);
        assert_eq!(is_changed(directory), Some(true));
    }

    #[test]
    fn every_kind_of_change_counts_and_what_is_not_checked_out_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let directory = &directory.path().canonicalize().unwrap();
        git(directory, &["init", "-q"]);
        std::fs::write(directory.join(".gitattributes"), "*.bat text eol=crlf\n").unwrap();
        std::fs::write(directory.join("run.bat"), "a\r\n").unwrap();
        std::fs::create_dir(directory.join("sub")).unwrap();
        for name in ["app.py", "sub/app.py", "sparse.py"] {
            std::fs::write(directory.join(name), "a\n").unwrap();
        }
        std::os::unix::fs::symlink("app.py", directory.join("link.py")).unwrap();
        git(directory, &["add", "."]);
        git(directory, &["commit", "-qm", "one"]);
        // As a sparse checkout has it.
        git(directory, &["update-index", "--skip-worktree", "sparse.py"]);
        std::fs::remove_file(directory.join("sparse.py")).unwrap();
        assert_eq!(is_changed(directory), Some(false));

        let (app, link) = (directory.join("app.py"), directory.join("link.py"));
        let changes: [(&dyn Fn(), bool); 5] = [
            (&|| std::fs::write(&app, "b\n").unwrap(), true),
            (&|| std::fs::set_permissions(&app, Permissions::from_mode(0o755)).unwrap(), true),
            (&|| std::fs::remove_file(&app).unwrap(), true),
            (&|| std::fs::remove_file(&link).unwrap(), true),
            // The time alone.
            (&|| std::fs::write(&app, "a\n").unwrap(), false),
        ];
        for (at, (change, is_change)) in changes.into_iter().enumerate() {
            change();
            assert_eq!(is_changed(directory), Some(is_change), "{at}");
            assert_eq!(is_changed(&directory.join("sub")), Some(false), "{at}");
            git(directory, &["checkout", "-q", "--", "app.py", "link.py"]);
        }
    }

    /// Configuration that makes git write into `marker` whenever it runs a program in the repository.
    fn observe(directory: &Path, marker: &Path) {
        let program = directory.parent().unwrap().join("program");
        std::fs::write(&program, format!("#!/bin/sh\necho \"$0\" >> {}\ncat\n", marker.display())).unwrap();
        std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        let program = program.to_str().unwrap();
        for key in ["core.fsmonitor", "filter.f.clean", "diff.external", "diff.d.textconv", "core.sshCommand"] {
            git(directory, &["config", key, program]);
        }
        std::fs::copy(program, directory.join(".git/hooks/post-index-change")).unwrap();
        std::fs::write(directory.join(".git/info/attributes"), "* filter=f diff=d\n").unwrap();
    }

    #[test]
    fn no_program_of_the_repositorys_configuration_runs() {
        let directory = tempfile::tempdir().unwrap();
        let (directory, marker) = (directory.path().join("project"), directory.path().join("marker"));
        std::fs::create_dir(&directory).unwrap();
        git(&directory, &["init", "-q"]);
        std::fs::write(directory.join("app.py"), "a\n").unwrap();
        git(&directory, &["add", "app.py"]);
        git(&directory, &["commit", "-qm", "one"]);
        observe(&directory, &marker);
        // Written after the index, so that git has to compare the content.
        std::fs::write(directory.join("app.py"), "b\n").unwrap();

        assert_eq!((revision(&directory), is_changed(&directory), source(&directory)), (None, Some(true), None));
        let changes = GitChanges::since(&directory, "HEAD").unwrap();
        let path = directory.canonicalize().unwrap().join("app.py");
        assert_eq!(changes.paths().collect::<Vec<_>>(), [path.as_path()]);
        assert_eq!(changes.text_before(&path).unwrap().as_deref(), Some("a\n"));
        assert!(!marker.exists(), "{}", std::fs::read_to_string(&marker).unwrap());
        // git itself does run them, so the test would see it.
        git(&directory, &["status"]);
        assert!(marker.exists());
    }

    #[test]
    fn what_looks_like_a_bare_repository_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let bare = directory.path().join("project");
        std::fs::create_dir(&bare).unwrap();
        git(&bare, &["init", "-q", "--bare"]);
        git(&bare, &["config", "remote.origin.url", "https://example.org/a"]);
        assert_eq!((source(&bare), is_changed(&bare)), (None, None));
        // Nor with a `.git` that is no repository.
        std::fs::create_dir(bare.join(".git")).unwrap();
        assert_eq!((source(&bare), is_changed(&bare)), (None, None));
    }
}
