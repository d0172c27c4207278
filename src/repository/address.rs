//! The address of a repository, apart from the credentials in it.

use percent_encoding::percent_decode_str;
use url::Url;

use super::RepositoryError;
use crate::redact;

/// Answers git's question for credentials from variables, so that they are in no argument and no file.
///
/// Specification: [gitcredentials](https://git-scm.com/docs/gitcredentials), custom helpers.
const HELPER: &str = "!f() { test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' \"$PYBUNDLE_GIT_USERNAME\" \
                      \"$PYBUNDLE_GIT_PASSWORD\"; }; f";

/// A repository's address as git takes it, without a password.
pub(super) struct RepositoryAddress {
    /// The address.
    pub url: String,
    /// The server, and the user and the password for it.
    login: Option<(String, [String; 2])>,
}

impl RepositoryAddress {
    /// Takes the credentials out of an address.
    ///
    /// Specification: [git-fetch, git URLs](https://git-scm.com/docs/git-fetch#_git_urls); paths are not taken: they
    /// would be relative to something.
    pub fn parse(text: &str) -> Result<Self, RepositoryError> {
        let refused = || RepositoryError::Address(redact::text(text).escape_debug().to_string());
        let text = text.strip_prefix("git+").unwrap_or(text);
        if is_short_ssh(text) {
            return Ok(Self { url: text.to_owned(), login: None });
        }
        let mut url: Url = text.parse().map_err(|_| refused())?;
        url.set_fragment(None);
        let is_web = matches!(url.scheme(), "https" | "http");
        let mut login = None;
        if is_web && (!url.username().is_empty() || url.password().is_some()) {
            let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
            let pair = [decode(url.username()), decode(url.password().unwrap_or_default())];
            url.set_username("").map_err(|()| refused())?;
            login = Some((url.origin().ascii_serialization(), pair));
        }
        // ssh takes no password.
        let _ = url.set_password(None);
        match url.scheme() {
            "https" | "http" | "ssh" | "git" if url.has_host() => Ok(Self { url: url.into(), login }),
            "file" => Ok(Self { url: url.into(), login: None }),
            _ => Err(refused()),
        }
    }

    /// Returns whether the repository is on this machine.
    pub fn is_local(&self) -> bool {
        self.url.starts_with("file:")
    }

    /// Returns the settings and the variables by which git is told the credentials.
    pub fn credentials(&self) -> (Vec<String>, Vec<(&'static str, &str)>) {
        let Some((server, [user, password])) = &self.login else { return Default::default() };
        // The empty one makes git forget the helpers that it knows: the address says whose credentials are meant.
        let settings = ["", HELPER].map(|helper| format!("credential.{server}.helper={helper}"));
        (settings.to_vec(), vec![("PYBUNDLE_GIT_USERNAME", user), ("PYBUNDLE_GIT_PASSWORD", password)])
    }
}

/// Tells whether an address has the short form of ssh, `user@host:path`.
fn is_short_ssh(text: &str) -> bool {
    let is_plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    text.split_once(':').is_some_and(|(login, path)| {
        let parts = login.split_once('@');
        parts.is_some_and(|(user, host)| is_plain(user) && is_plain(host)) && !path.starts_with([':', '-'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_apart_from_the_address() {
        for (text, url, login) in [
            ("https://host/a.git", "https://host/a.git", None),
            ("https://u:p%40@host:8443/a.git", "https://host:8443/a.git", Some(("https://host:8443", "u", "p@"))),
            ("https://token@host/a.git", "https://host/a.git", Some(("https://host", "token", ""))),
            ("git+ssh://git:secret@host/a.git#x", "ssh://git@host/a.git", None),
            ("git@host:owner/a.git", "git@host:owner/a.git", None),
            ("file:///srv/a.git", "file:///srv/a.git", None),
        ] {
            let address = RepositoryAddress::parse(text).unwrap();
            assert_eq!(address.url, url, "{text}");
            let found = address.login.as_ref().map(|(server, [user, password])| (&**server, &**user, &**password));
            assert_eq!(found, login, "{text}");
            assert_eq!(address.credentials().0.len(), if login.is_some() { 2 } else { 0 });
        }
    }

    #[test]
    fn what_git_would_take_for_something_else_is_refused() {
        for text in
            ["", "--upload-pack=x", "ext::sh -c x", "../a", "/srv/a", "-a@host:b", "a@-host:b", "a@host::b", "fd::1"]
        {
            let error = RepositoryAddress::parse(text).err().unwrap_or_else(|| panic!("`{text}` is accepted"));
            assert!(matches!(error, RepositoryError::Address(_)));
        }
        assert!(!RepositoryAddress::parse("ftp://u:hunter2@host/").err().unwrap().to_string().contains("hunter2"));
    }
}
