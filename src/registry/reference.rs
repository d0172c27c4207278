//! References: the names of images in registries.
//!
//! The grammar and its defaults are Docker's
//! ([distribution/reference](https://pkg.go.dev/github.com/distribution/reference)); tags and repositories are limited as
//! in [OCI distribution 1.1, pulling manifests](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests).

use std::fmt;
use std::str::FromStr;

use crate::digest::Sha256;
use crate::hints::Hints;

/// Docker's registry, as users name it.
const DOCKER: &str = "docker.io";

/// The host that Docker's registry answers at.
const DOCKER_HOST: &str = "registry-1.docker.io";

/// The longest name, registry included, in characters.
const LONGEST_NAME: usize = 255;

/// The longest tag, in characters.
const LONGEST_TAG: usize = 128;

/// The name of an image in a registry: a repository there, and a tag, a digest, or both.
///
/// With both, the digest says which image it is, and the tag is what people call it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Sha256>,
}

/// A text that is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no reference to an image: {fault}")]
pub struct InvalidReference {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub fault: ReferenceFault,
}

/// What is wrong with a reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceFault {
    /// There is no text.
    #[error("it is empty")]
    Empty,
    /// It begins with a scheme.
    #[error("it begins with `{0}://`, and a reference has no scheme")]
    Scheme(String),
    /// The registry is no host with or without a port.
    #[error("`{0}` is no registry's host with or without a port")]
    Registry(String),
    /// The repository has upper-case letters.
    #[error("the repository `{0}` has upper-case letters")]
    UpperCase(String),
    /// The repository has other characters than it may.
    #[error(
        "the repository `{0}` must have parts of lower-case letters and digits, with single separators (`.`, `_`, `__` or hyphens) between them, joined by `/`"
    )]
    Repository(String),
    /// The name is too long.
    #[error("the name has {0} characters, more than {LONGEST_NAME}")]
    Long(usize),
    /// The repository could be taken for the identifier of an image.
    #[error("64 hexadecimal digits are an image's identifier, not a repository")]
    Identifier,
    /// The tag has other characters than it may.
    #[error(
        "the tag `{0}` must have at most {LONGEST_TAG} letters, digits, `_`, `.` and `-`, and none of the last two at its start"
    )]
    Tag(String),
    /// The digest is none of SHA-256.
    #[error("the digest `{0}` is not of the form `sha256:` and 64 hexadecimal digits")]
    Digest(String),
}

impl Hints for InvalidReference {
    fn hints(&self) -> Vec<String> {
        match &self.fault {
            ReferenceFault::UpperCase(name) => vec![format!("write `{}`", name.to_lowercase())],
            ReferenceFault::Scheme(_) => {
                vec!["leave the scheme out; --insecure-registry HOST asks a registry by plain HTTP".to_owned()]
            }
            _ => vec!["a reference is [HOST[:PORT]/]REPOSITORY[:TAG][@sha256:DIGEST]".to_owned()],
        }
    }
}

impl Reference {
    /// Returns the registry's host, with its port if one is given.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Returns the repository within the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Returns the tag; `latest` where neither tag nor digest was given.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Returns the digest of the manifest.
    pub fn digest(&self) -> Option<Sha256> {
        self.digest
    }

    /// Returns the reference to a manifest by its digest; a tag stays beside it.
    pub fn with_digest(&self, digest: Sha256) -> Self {
        Self { digest: Some(digest), ..self.clone() }
    }

    /// Returns `HOST/REPOSITORY`, as [`BlobContent::Registry`](crate::image::BlobContent::Registry) holds it.
    pub fn repository_name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// Returns the reference to push to: the tag, if there is one.
    pub(super) fn destination(&self) -> Self {
        let digest = self.digest.filter(|_| self.tag.is_none());
        Self { digest, ..self.clone() }
    }

    /// Returns the reference to a manifest of the same repository, by its digest alone.
    pub(super) fn sibling(&self, digest: Sha256) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// Returns the reference to the list of what refers to a manifest of the same repository, where the registry keeps none
    /// ([OCI distribution 1.1, referrers tag schema](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema)).
    pub(super) fn referrers(&self, subject: Sha256) -> Self {
        Self { tag: Some(format!("sha256-{}", subject.hex())), digest: None, ..self.clone() }
    }

    /// Returns what a request for the manifest names it by: the digest, or else the tag.
    pub(super) fn identifier(&self) -> String {
        match (self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".to_owned(),
        }
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        parse(text).map_err(|fault| InvalidReference { text: text.to_owned(), fault })
    }
}

impl fmt::Display for Reference {
    /// Writes the form that users know: without Docker's registry and its `library/`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.registry.as_str(), self.repository.strip_prefix("library/")) {
            (DOCKER_HOST, Some(name)) if !name.contains('/') => formatter.write_str(name)?,
            (DOCKER_HOST, _) => formatter.write_str(&self.repository)?,
            (registry, _) => write!(formatter, "{registry}/{}", self.repository)?,
        }
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        match self.digest {
            Some(digest) => write!(formatter, "@{digest}"),
            None => Ok(()),
        }
    }
}

fn parse(text: &str) -> Result<Reference, ReferenceFault> {
    if text.is_empty() {
        return Err(ReferenceFault::Empty);
    }
    if let Some((scheme, _)) = text.split_once("://") {
        return Err(ReferenceFault::Scheme(scheme.to_owned()));
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(parse_digest(digest)?)),
        None => (text, None),
    };
    // A colon before the last slash belongs to the registry's port.
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') && !rest.ends_with(']') => (name, Some(parse_tag(tag)?)),
        _ => (rest, None),
    };
    if name.len() > LONGEST_NAME {
        return Err(ReferenceFault::Long(name.len()));
    }
    let (registry, path) = match name.split_once('/') {
        Some((first, path)) if is_registry(first) => (parse_registry(first)?, path),
        _ => (DOCKER_HOST.to_owned(), name),
    };
    let repository = parse_repository(path)?;
    if name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(ReferenceFault::Identifier);
    }
    let repository = match registry.as_str() {
        DOCKER_HOST if !repository.contains('/') => format!("library/{repository}"),
        _ => repository,
    };
    let tag = tag.or_else(|| digest.is_none().then(|| "latest".to_owned()));
    Ok(Reference { registry, repository, tag, digest })
}

/// Tells whether the first part of a name is a registry: only a host has these characters, or is `localhost`.
fn is_registry(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost"
}

fn parse_registry(text: &str) -> Result<String, ReferenceFault> {
    let invalid = || ReferenceFault::Registry(text.to_owned());
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    if port.is_some_and(|port| !port.bytes().all(|byte| byte.is_ascii_digit()) || port.parse::<u16>().is_err()) {
        return Err(invalid());
    }
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.split('.').all(|label| {
            let is_known = |character: char| character.is_ascii_alphanumeric() || character == '-';
            !label.is_empty() && label.chars().all(is_known) && !label.starts_with('-') && !label.ends_with('-')
        }),
    };
    match text {
        DOCKER | "index.docker.io" => Ok(DOCKER_HOST.to_owned()),
        _ if is_host => Ok(text.to_owned()),
        _ => Err(invalid()),
    }
}

fn parse_repository(path: &str) -> Result<String, ReferenceFault> {
    if path.chars().any(char::is_uppercase) {
        return Err(ReferenceFault::UpperCase(path.to_owned()));
    }
    if path.split('/').all(is_path_component) {
        Ok(path.to_owned())
    } else {
        Err(ReferenceFault::Repository(path.to_owned()))
    }
}

/// Tells whether a part of a repository is one: runs of letters and digits with separators between them.
fn is_path_component(component: &str) -> bool {
    let is_alphanumeric = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let ends_well = component.starts_with(is_alphanumeric) && component.ends_with(is_alphanumeric);
    let is_separator = |text: &str| matches!(text, "" | "." | "_" | "__") || text.bytes().all(|byte| byte == b'-');
    ends_well && component.split(is_alphanumeric).all(is_separator)
}

fn parse_tag(tag: &str) -> Result<String, ReferenceFault> {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let is_tag = tag.starts_with(is_word)
        && tag.len() <= LONGEST_TAG
        && tag.chars().all(|character| is_word(character) || matches!(character, '.' | '-'));
    if is_tag { Ok(tag.to_owned()) } else { Err(ReferenceFault::Tag(tag.to_owned())) }
}

fn parse_digest(text: &str) -> Result<Sha256, ReferenceFault> {
    text.parse().map_err(|_| ReferenceFault::Digest(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn defaults_are_dockers() {
        for (text, registry, repository, tag, shown) in [
            ("python", DOCKER_HOST, "library/python", "latest", "python:latest"),
            ("python:3.13-slim", DOCKER_HOST, "library/python", "3.13-slim", "python:3.13-slim"),
            ("docker.io/python", DOCKER_HOST, "library/python", "latest", "python:latest"),
            ("index.docker.io/me/app:1", DOCKER_HOST, "me/app", "1", "me/app:1"),
            ("registry-1.docker.io/library/python", DOCKER_HOST, "library/python", "latest", "python:latest"),
            ("me/app", DOCKER_HOST, "me/app", "latest", "me/app:latest"),
            ("localhost/app", "localhost", "app", "latest", "localhost/app:latest"),
            ("localhost:5000/app:v1", "localhost:5000", "app", "v1", "localhost:5000/app:v1"),
            ("host:5000/a/b__c/d-e--f.g", "host:5000", "a/b__c/d-e--f.g", "latest", "host:5000/a/b__c/d-e--f.g:latest"),
            ("ghcr.io/Me/app", "ghcr.io", "", "", ""),
            ("[::1]:5000/app", "[::1]:5000", "app", "latest", "[::1]:5000/app:latest"),
            ("Host.tld/app", "Host.tld", "app", "latest", "Host.tld/app:latest"),
        ] {
            match text.parse::<Reference>() {
                Ok(reference) => {
                    assert_eq!((reference.registry(), reference.repository()), (registry, repository), "{text}");
                    assert_eq!((reference.tag(), reference.digest()), (Some(tag), None), "{text}");
                    assert_eq!(reference.to_string(), shown);
                    assert_eq!(shown.parse::<Reference>().unwrap(), reference);
                    assert_eq!(reference.repository_name(), format!("{registry}/{repository}"));
                }
                Err(error) => assert_eq!(error.fault, ReferenceFault::UpperCase("Me/app".to_owned()), "{text}"),
            }
        }
    }

    #[test]
    fn a_digest_stands_alone_or_beside_a_tag() {
        let digest = Some(Sha256::of(b""));
        let both: Reference = format!("python:3.13@{DIGEST}").parse().unwrap();
        assert_eq!((both.tag(), both.digest()), (Some("3.13"), digest));
        assert_eq!((both.identifier(), both.to_string()), (DIGEST.to_owned(), format!("python:3.13@{DIGEST}")));
        let alone: Reference = format!("localhost:5000/app@{DIGEST}").parse().unwrap();
        assert_eq!((alone.tag(), alone.digest()), (None, digest));
        assert_eq!(
            "app".parse::<Reference>().unwrap().with_digest(Sha256::of(b"")).to_string(),
            format!("app:latest@{DIGEST}")
        );
    }

    #[test]
    fn errors_name_the_part_that_is_wrong() {
        let long = "a".repeat(256);
        let identifier = "0".repeat(64);
        for (text, part) in [
            ("", "is empty"),
            ("https://host/app", "begins with `https://`"),
            ("App", "the repository `App` has upper-case letters"),
            ("a//b", "the repository `a//b` must"),
            ("-a", "the repository `-a` must"),
            ("a_.b", "the repository `a_.b` must"),
            ("host.tld/", "the repository `` must"),
            ("a b", "the repository `a b` must"),
            ("ho_st:1/a", "`ho_st:1` is no registry's host"),
            ("host:99999/a", "`host:99999` is no registry's host"),
            ("host:/a", "`host:` is no registry's host"),
            ("-host.tld/a", "`-host.tld` is no registry's host"),
            ("[::g]:1/a", "`[::g]:1` is no registry's host"),
            ("app:", "the tag `` must"),
            ("app:-x", "the tag `-x` must"),
            ("app:a b", "the tag `a b` must"),
            ("app@sha256:12", "the digest `sha256:12` is not"),
            ("app@md5:d41d8cd98f00b204e9800998ecf8427e", "the digest `md5:"),
            (&format!("app@{}", DIGEST.to_uppercase()), "the digest `SHA256:"),
            (&identifier, "64 hexadecimal digits"),
            (&long, "256 characters"),
        ] {
            let error = text.parse::<Reference>().unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert!(!error.hints().is_empty());
        }
    }
}
