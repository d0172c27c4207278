//! The origin of a distribution, as an SBOM states it.

use crate::digest::Digest;
use crate::git::revision;
use crate::lock::{FileLocation, LockedFile, SelectedDistribution, SelectedSource};
use crate::redact;
use crate::sbom::{ComponentOrigin, FetchedFile};
use crate::wheel::Wheel;

/// Returns the origin of a distribution, without secrets and without paths of this machine.
pub(super) fn origin(selected: &SelectedDistribution, wheel: &Wheel) -> ComponentOrigin {
    match &selected.source {
        SelectedSource::Wheel(locked, _) => {
            of_file(locked, locked.filename.to_string(), vec![wheel.sha256.into()], false)
        }
        SelectedSource::Sdist(sdist) => {
            let digests = sdist.file.digests.clone();
            // With several digests, it is not known which of them belongs to the file.
            let digests = if digests.len() == 1 { digests } else { Vec::new() };
            of_file(&sdist.file, sdist.file.filename.to_string(), digests, true)
        }
        SelectedSource::Git(repository) => ComponentOrigin::Repository {
            url: repository_address(&repository.url),
            commit: repository.commit.clone(),
            subdirectory: repository.subdirectory.clone(),
        },
        SelectedSource::Directory(directory) | SelectedSource::Virtual(directory) => {
            ComponentOrigin::Directory(revision::revision(directory))
        }
    }
}

fn of_file<Name>(locked: &LockedFile<Name>, name: String, digests: Vec<Digest>, is_source: bool) -> ComponentOrigin {
    let (url, index) = match &locked.location {
        FileLocation::Path(_) => (None, None),
        FileLocation::Url { url, index } => (Some(url), index.as_deref()),
    };
    let file = FetchedFile { name, url: url.map(redact::url), digests, is_source };
    match index {
        _ if index.into_iter().chain(url).any(is_pypi) => ComponentOrigin::Index { index: None, file },
        Some(index) => ComponentOrigin::Index { index: Some(redact::url(index)), file },
        None => ComponentOrigin::Direct(file),
    }
}

/// Returns the URL of a remote repository without anything that may be secret.
fn repository_address(url: &str) -> Option<String> {
    let url: url::Url = url.parse().ok()?;
    (url.scheme() != "file" && url.host().is_some()).then(|| redact::url(&url))
}

/// Tells whether a URL is PyPI's: of the index, or of its files.
fn is_pypi(url: &url::Url) -> bool {
    matches!(url.host_str(), Some("pypi.org" | "files.pythonhosted.org"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_nothing_secret_and_lead_somewhere() {
        for (url, address) in [
            ("https://user:s3cret@host/a.git?token=s3cret", Some("https://host/a.git")),
            ("ssh://git@host:2222/a", Some("ssh://host:2222/a")),
            ("file:///home/user/a", None),
            ("/home/user/a", None),
            ("git@host:a", None),
        ] {
            assert_eq!(repository_address(url).as_deref(), address, "{url}");
        }
    }
}
