//! References: the names of images in registries.
//!
//! The grammar and its defaults are Docker's
//! ([distribution/reference](https://pkg.go.dev/github.com/distribution/reference)); tags and repositories are limited as
//! in [OCI distribution 1.1, pulling manifests](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests).

use std::fmt;
use std::str::FromStr;

use crate::digest::Sha256;
use crate::hints::Hints;

/// Docker Hub, as users name it.
pub(super) const DOCKER: &str = "docker.io";

/// The host of Docker Hub's API.
pub(super) const DOCKER_HOST: &str = "registry-1.docker.io";

/// The longest name with its registry, in characters.
const LONGEST_NAME: usize = 255;

/// The longest tag, in characters.
const LONGEST_TAG: usize = 128;

/// The name of an image in a registry: a repository there, and a tag, a digest, or both.
///
/// With both, the digest decides, and the tag is for people.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageReference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Sha256>,
}

/// A string that is not a reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid image reference: {problem}")]
pub struct InvalidReference {
    /// The string.
    pub text: String,
    /// What is wrong with it.
    pub problem: ReferenceProblem,
}

/// What is wrong with a reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceProblem {
    /// The string is empty.
    #[error("it is empty")]
    Empty,
    /// It starts with a scheme.
    #[error("it starts with `{0}://`, but a reference has no scheme")]
    Scheme(String),
    /// The registry is not a host with an optional port.
    #[error("the registry `{0}` is not a host with an optional port")]
    Registry(String),
    /// The repository has uppercase letters.
    #[error("the repository `{0}` must be lowercase")]
    Uppercase(String),
    /// The repository has invalid characters.
    #[error(
        "the repository `{0}` must have components of lowercase letters and digits, with single separators (`.`, `_`, `__` or hyphens) between them, and `/` between components"
    )]
    Repository(String),
    /// The name is too long.
    #[error("the name has {0} characters, at most {LONGEST_NAME} are allowed")]
    TooLong(usize),
    /// The name looks like an image ID, which Docker would take it for.
    #[error("64 hexadecimal digits are an image ID, not a repository")]
    ImageId,
    /// The tag has invalid characters, or too many.
    #[error(
        "the tag `{0}` must have at most {LONGEST_TAG} letters, digits, `_`, `.` and `-`, and must not start with `.` or `-`"
    )]
    Tag(String),
    /// The digest is not a SHA-256 digest.
    #[error("the digest `{0}` is not `sha256:` followed by 64 hexadecimal digits")]
    Digest(String),
}

impl Hints for InvalidReference {
    fn hints(&self) -> Vec<String> {
        match &self.problem {
            ReferenceProblem::Uppercase(name) => {
                vec![format!("write `{}`", self.text.replacen(name, &name.to_lowercase(), 1))]
            }
            ReferenceProblem::Scheme(scheme) => {
                let rest = self.text.get(scheme.len() + "://".len()..).unwrap_or_default();
                let host = rest.split('/').next().unwrap_or_default();
                match rest.parse::<ImageReference>() {
                    Ok(_) if scheme == "http" => vec![format!("write `{rest}`, and add --insecure-registry {host}")],
                    Ok(_) => vec![format!("write `{rest}`")],
                    Err(_) => vec!["omit the scheme".to_owned()],
                }
            }
            _ => vec!["use the form [HOST[:PORT]/]REPOSITORY[:TAG][@sha256:DIGEST]".to_owned()],
        }
    }
}

impl ImageReference {
    /// Returns the registry's host, with its port if one is given.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Returns the repository within the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Returns the tag: `latest` if the reference has neither tag nor digest.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Returns the digest of the manifest.
    pub fn digest(&self) -> Option<Sha256> {
        self.digest
    }

    /// Returns the reference with this digest, and with its tag.
    pub fn with_digest(&self, digest: Sha256) -> Self {
        Self { digest: Some(digest), ..self.clone() }
    }

    /// Returns `HOST/REPOSITORY`, the format of [`BlobContent::Registry`](crate::image::BlobContent::Registry).
    pub fn repository_name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// Returns the full name with the tag and without the digest, as engines and archives know an image, for instance
    /// `docker.io/library/python:3.13`; `None` without a tag.
    ///
    /// It is never shortened: Docker 28 stores an image that an archive calls `app:1` twice, once by a name that it cannot
    /// find, and podman 4.3 stores it as `localhost/app:1`.
    pub fn full_name(&self) -> Option<String> {
        let registry = if self.registry == DOCKER_HOST { DOCKER } else { &self.registry };
        Some(format!("{registry}/{}:{}", self.repository, self.tag.as_ref()?))
    }

    /// Returns the reference to the same tag or digest in another repository, given as `HOST[:PORT]/REPOSITORY`.
    pub(super) fn at(&self, name: &str) -> Option<Self> {
        let (registry, repository) = name.split_once('/')?;
        let registry = if registry == DOCKER { DOCKER_HOST } else { registry };
        Some(Self { registry: registry.to_owned(), repository: repository.to_owned(), ..self.clone() })
    }

    /// Returns the reference to push to: the tag if there is one, or else the digest.
    pub(super) fn destination(&self) -> Self {
        let digest = self.digest.filter(|_| self.tag.is_none());
        Self { digest, ..self.clone() }
    }

    /// Returns a reference to another tag of the repository.
    pub(crate) fn with_tag(&self, tag: &str) -> Self {
        Self { tag: Some(tag.to_owned()), digest: None, ..self.clone() }
    }

    /// Returns a reference to another manifest of the repository, by its digest alone.
    pub(crate) fn sibling(&self, digest: Sha256) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// Returns the tag under which the referrers of a manifest are listed, for registries without the referrers API
    /// ([OCI distribution 1.1, referrers tag schema](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema)).
    pub(super) fn referrers(&self, subject: Sha256) -> Self {
        Self { tag: Some(format!("sha256-{}", subject.hex())), digest: None, ..self.clone() }
    }

    /// Returns the last part of the manifest's URL: the digest, or else the tag.
    pub(super) fn identifier(&self) -> String {
        match (self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".to_owned(),
        }
    }
}

impl FromStr for ImageReference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        parse(text).map_err(|problem| InvalidReference { text: text.to_owned(), problem })
    }
}

impl fmt::Display for ImageReference {
    /// Writes the short form that Docker shows: without Docker Hub and its `library/`.
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

fn parse(text: &str) -> Result<ImageReference, ReferenceProblem> {
    if text.is_empty() {
        return Err(ReferenceProblem::Empty);
    }
    if let Some((scheme, _)) = text.split_once("://") {
        return Err(ReferenceProblem::Scheme(scheme.to_owned()));
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
        return Err(ReferenceProblem::TooLong(name.len()));
    }
    let (registry, path) = match name.split_once('/') {
        Some((first, path)) if is_registry(first) => (parse_registry(first)?, path),
        _ => (DOCKER_HOST.to_owned(), name),
    };
    let repository = parse_repository(path)?;
    if name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(ReferenceProblem::ImageId);
    }
    let repository = match registry.as_str() {
        DOCKER_HOST if !repository.contains('/') => format!("library/{repository}"),
        _ => repository,
    };
    let tag = tag.or_else(|| digest.is_none().then(|| "latest".to_owned()));
    Ok(ImageReference { registry, repository, tag, digest })
}

/// Tells whether the first component of a name is a registry: Docker decides by these characters and by `localhost`.
fn is_registry(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost"
}

fn parse_registry(text: &str) -> Result<String, ReferenceProblem> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.split('.').all(is_label),
    };
    match text {
        DOCKER | "index.docker.io" => Ok(DOCKER_HOST.to_owned()),
        _ if is_host && port.is_none_or(is_port) => Ok(text.to_owned()),
        _ => Err(ReferenceProblem::Registry(text.to_owned())),
    }
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

/// Tells whether a label of a host name is valid.
fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.chars().all(|character| character.is_ascii_alphanumeric() || character == '-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn parse_repository(path: &str) -> Result<String, ReferenceProblem> {
    if path.chars().any(char::is_uppercase) {
        return Err(ReferenceProblem::Uppercase(path.to_owned()));
    }
    if path.split('/').all(is_path_component) {
        Ok(path.to_owned())
    } else {
        Err(ReferenceProblem::Repository(path.to_owned()))
    }
}

/// Tells whether a component of a repository is valid: runs of letters and digits with separators between them.
fn is_path_component(component: &str) -> bool {
    let has_valid_ends = component.starts_with(is_lowercase_or_digit) && component.ends_with(is_lowercase_or_digit);
    has_valid_ends && component.split(is_lowercase_or_digit).all(is_separator)
}

fn is_lowercase_or_digit(character: char) -> bool {
    character.is_ascii_lowercase() || character.is_ascii_digit()
}

fn is_separator(text: &str) -> bool {
    matches!(text, "" | "." | "_" | "__") || text.bytes().all(|byte| byte == b'-')
}

fn parse_tag(tag: &str) -> Result<String, ReferenceProblem> {
    let is_tag = tag.starts_with(is_word_character)
        && tag.len() <= LONGEST_TAG
        && tag.chars().all(|character| is_word_character(character) || matches!(character, '.' | '-'));
    if is_tag { Ok(tag.to_owned()) } else { Err(ReferenceProblem::Tag(tag.to_owned())) }
}

fn is_word_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn parse_digest(text: &str) -> Result<Sha256, ReferenceProblem> {
    text.parse().map_err(|_| ReferenceProblem::Digest(text.to_owned()))
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
            match text.parse::<ImageReference>() {
                Ok(reference) => {
                    assert_eq!((reference.registry(), reference.repository()), (registry, repository), "{text}");
                    assert_eq!((reference.tag(), reference.digest()), (Some(tag), None), "{text}");
                    assert_eq!(reference.to_string(), shown);
                    assert_eq!(shown.parse::<ImageReference>().unwrap(), reference);
                    assert_eq!(reference.repository_name(), format!("{registry}/{repository}"));
                }
                Err(error) => assert_eq!(error.problem, ReferenceProblem::Uppercase("Me/app".to_owned()), "{text}"),
            }
        }
    }

    #[test]
    fn full_names_have_a_registry_and_a_tag() {
        for (text, name) in [
            ("app", Some("docker.io/library/app:latest")),
            ("me/app:1", Some("docker.io/me/app:1")),
            ("localhost:5000/app:1", Some("localhost:5000/app:1")),
            (&format!("app:1@{DIGEST}"), Some("docker.io/library/app:1")),
            (&format!("app@{DIGEST}"), None),
        ] {
            assert_eq!(text.parse::<ImageReference>().unwrap().full_name().as_deref(), name);
        }
    }

    #[test]
    fn a_digest_stands_alone_or_beside_a_tag() {
        let digest = Some(Sha256::of(b""));
        let both: ImageReference = format!("python:3.13@{DIGEST}").parse().unwrap();
        assert_eq!((both.tag(), both.digest()), (Some("3.13"), digest));
        assert_eq!((both.identifier(), both.to_string()), (DIGEST.to_owned(), format!("python:3.13@{DIGEST}")));
        let alone: ImageReference = format!("localhost:5000/app@{DIGEST}").parse().unwrap();
        assert_eq!((alone.tag(), alone.digest()), (None, digest));
        assert_eq!(
            "app".parse::<ImageReference>().unwrap().with_digest(Sha256::of(b"")).to_string(),
            format!("app:latest@{DIGEST}")
        );
    }

    #[test]
    fn errors_name_the_part_that_is_wrong() {
        let long = "a".repeat(256);
        let identifier = "0".repeat(64);
        for (text, part) in [
            ("", "is empty"),
            ("https://host/app", "starts with `https://`"),
            ("App", "the repository `App` must be lowercase"),
            ("a//b", "the repository `a//b` must"),
            ("-a", "the repository `-a` must"),
            ("a_.b", "the repository `a_.b` must"),
            ("host.tld/", "the repository `` must"),
            ("a b", "the repository `a b` must"),
            ("ho_st:1/a", "the registry `ho_st:1` is not a host"),
            ("host:99999/a", "the registry `host:99999` is not a host"),
            ("host:/a", "the registry `host:` is not a host"),
            ("-host.tld/a", "the registry `-host.tld` is not a host"),
            ("[::g]:1/a", "the registry `[::g]:1` is not a host"),
            ("app:", "the tag `` must"),
            ("app:-x", "the tag `-x` must"),
            ("app:a b", "the tag `a b` must"),
            ("app@sha256:12", "the digest `sha256:12` is not"),
            ("app@md5:d41d8cd98f00b204e9800998ecf8427e", "the digest `md5:"),
            (&format!("app@{}", DIGEST.to_uppercase()), "the digest `SHA256:"),
            (&identifier, "64 hexadecimal digits"),
            (&long, "256 characters"),
        ] {
            let error = text.parse::<ImageReference>().unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert!(!error.hints().is_empty());
        }
    }

    #[test]
    fn hints_name_references() {
        for (text, hint) in [
            ("Me/Shop", "write `me/shop`"),
            ("ghcr.io/Me/Shop:1.0-RC", "write `ghcr.io/me/shop:1.0-RC`"),
            ("https://ghcr.io/me/shop:1", "write `ghcr.io/me/shop:1`"),
            ("http://host.lan:5000/shop", "write `host.lan:5000/shop`, and add --insecure-registry host.lan:5000"),
            ("https://ghcr.io/Me/Shop", "omit the scheme"),
        ] {
            let hints = text.parse::<ImageReference>().unwrap_err().hints();
            assert_eq!(hints, [hint]);
            if let Some(reference) = hint.split('`').nth(1) {
                reference.parse::<ImageReference>().unwrap();
            }
        }
    }
}
