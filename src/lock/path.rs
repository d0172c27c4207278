//! Paths and URLs in locks.

use std::path::{Component, Path, PathBuf};

/// Joins a path of the lock to a directory, and resolves `.` and `..` lexically as far as possible.
pub(super) fn join(directory: &Path, path: &str) -> PathBuf {
    let mut joined = PathBuf::new();
    for component in directory.join(path).components() {
        let can_go_up = matches!(joined.components().next_back(), Some(Component::Normal(_)));
        match component {
            Component::CurDir => {}
            Component::ParentDir if can_go_up => {
                joined.pop();
            }
            _ => joined.push(component),
        }
    }
    if joined.as_os_str().is_empty() { PathBuf::from(".") } else { joined }
}

/// Returns the percent-decoded last segment of a URL's path.
pub(super) fn file_name_of_url(url: &str) -> Result<String, String> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let encoded = path.rsplit('/').next().unwrap_or_default();
    percent_decoded(encoded).ok_or_else(|| format!("`{encoded}` is not a percent-encoded file name"))
}

/// Decodes percent-encoded UTF-8.
fn percent_decoded(encoded: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, tail) = tail.split_at_checked(2)?;
        bytes.extend(hex::decode(digits).ok()?);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_without_dots() {
        for (directory, path, joined) in [
            ("/a/b", ".", "/a/b"),
            ("/a/b", "", "/a/b"),
            ("/a/b", "../c/./d", "/a/c/d"),
            ("", ".", "."),
            (".", "x", "x"),
            ("a", "../../b", "../b"),
            ("/a", "/b", "/b"),
        ] {
            assert_eq!(join(Path::new(directory), path), Path::new(joined), "{directory} + {path}");
        }
    }

    #[test]
    fn file_names_of_urls_are_decoded() {
        for (url, name) in [
            ("https://example.org/a/b-1.0-py3-none-any.whl", Some("b-1.0-py3-none-any.whl")),
            ("https://example.org/a/b-1.0%2Bcpu-py3-none-any.whl#sha256=00", Some("b-1.0+cpu-py3-none-any.whl")),
            ("../b.whl?x=/y", Some("b.whl")),
            ("https://example.org/b%2", None),
            ("https://example.org/b%zz", None),
            ("https://example.org/b%ff", None),
        ] {
            assert_eq!(file_name_of_url(url).ok().as_deref(), name, "{url}");
        }
    }
}
