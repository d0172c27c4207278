//! Repository URLs, separated from the credentials in them.

use percent_encoding::percent_decode_str;
use url::Url;

use super::RepositoryError;
use crate::redact;

/// A credential helper that reads environment variables, so that credentials are neither in an argument nor in a file.
///
/// Specification: [gitcredentials](https://git-scm.com/docs/gitcredentials), custom helpers.
const HELPER: &str = "!f() { test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' \"$PYBUNDLE_GIT_USERNAME\" \
                      \"$PYBUNDLE_GIT_PASSWORD\"; }; f";

/// A repository URL without a password, and the credentials that were in it.
pub(super) struct RepositoryUrl {
    /// The URL for git.
    pub(super) url: String,
    /// The server, and the user name and password for it.
    login: Option<(String, [String; 2])>,
}

impl RepositoryUrl {
    /// Parses a URL and removes the credentials.
    ///
    /// Specification: [git-fetch, git URLs](https://git-scm.com/docs/git-fetch#_git_urls). Paths are refused, since a
    /// lock does not say what they are relative to.
    pub(super) fn parse(text: &str) -> Result<Self, RepositoryError> {
        Self::accepted(text).ok_or_else(|| RepositoryError::InvalidUrl(redact::text(text).escape_debug().to_string()))
    }

    /// Returns `None` if the URL is malformed, or has a scheme that is not accepted.
    fn accepted(text: &str) -> Option<Self> {
        let text = text.strip_prefix("git+").unwrap_or(text);
        if is_scp_like(text) {
            return Some(Self { url: text.to_owned(), login: None });
        }
        let mut url: Url = text.parse().ok()?;
        url.set_fragment(None);
        let is_web = matches!(url.scheme(), "https" | "http");
        let mut login = None;
        if is_web && (!url.username().is_empty() || url.password().is_some()) {
            let pair = [url.username(), url.password().unwrap_or_default()]
                .map(|text| percent_decode_str(text).decode_utf8_lossy().into_owned());
            url.set_username("").ok()?;
            login = Some((url.origin().ascii_serialization(), pair));
        }
        // ssh accepts no password on its command line.
        let _ = url.set_password(None);
        match url.scheme() {
            "https" | "http" | "ssh" | "git" if url.has_host() => Some(Self { url: url.into(), login }),
            "file" => Some(Self { url: url.into(), login: None }),
            _ => None,
        }
    }

    /// Returns whether the repository is on this machine.
    pub(super) fn is_local(&self) -> bool {
        self.url.starts_with("file:")
    }

    /// Returns the git settings and the environment variables that pass the credentials.
    pub(super) fn credentials(&self) -> (Vec<String>, Vec<(&'static str, &str)>) {
        let Some((server, [user, password])) = &self.login else { return Default::default() };
        // An empty helper resets the list (gitcredentials), so that the user's own helpers are not asked for credentials
        // that the URL has.
        let settings = ["", HELPER].map(|helper| format!("credential.{server}.helper={helper}"));
        (settings.to_vec(), vec![("PYBUNDLE_GIT_USERNAME", user), ("PYBUNDLE_GIT_PASSWORD", password)])
    }
}

/// Returns whether a URL has the scp-like form `user@host:path`.
fn is_scp_like(text: &str) -> bool {
    text.split_once(':').is_some_and(|(login, path)| {
        let parts = login.split_once('@');
        parts.is_some_and(|(user, host)| is_plain(user) && is_plain(host)) && !path.starts_with([':', '-'])
    })
}

/// Returns whether a user or host name has only safe characters. One with a leading dash would be an option of ssh
/// (CVE-2017-1000117).
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('-') && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_separated_from_the_url() {
        for (text, url, login) in [
            ("https://host/a.git", "https://host/a.git", None),
            ("https://u:p%40@host:8443/a.git", "https://host:8443/a.git", Some(("https://host:8443", "u", "p@"))),
            ("https://token@host/a.git", "https://host/a.git", Some(("https://host", "token", ""))),
            ("git+ssh://git:secret@host/a.git#x", "ssh://git@host/a.git", None),
            ("git@host:owner/a.git", "git@host:owner/a.git", None),
            ("file:///srv/a.git", "file:///srv/a.git", None),
        ] {
            let address = RepositoryUrl::parse(text).unwrap();
            assert_eq!(address.url, url, "{text}");
            let found = address.login.as_ref().map(|(server, [user, password])| (&**server, &**user, &**password));
            assert_eq!(found, login, "{text}");
            assert_eq!(address.credentials().0.len(), if login.is_some() { 2 } else { 0 });
        }
    }

    #[test]
    fn options_paths_and_remote_helpers_are_refused() {
        for text in
            ["", "--upload-pack=x", "ext::sh -c x", "../a", "/srv/a", "-a@host:b", "a@-host:b", "a@host::b", "fd::1"]
        {
            let error = RepositoryUrl::parse(text).err().unwrap_or_else(|| panic!("`{text}` is accepted"));
            assert!(matches!(error, RepositoryError::InvalidUrl(_)));
        }
        assert!(!RepositoryUrl::parse("ftp://u:hunter2@host/").err().unwrap().to_string().contains("hunter2"));
    }
}
