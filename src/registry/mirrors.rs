//! Where images are pulled from: the mirrors and rewritten locations in the configuration of podman and Docker.
//!
//! Specifications: [containers-registries.conf](https://github.com/containers/image/blob/main/docs/containers-registries.conf.5.md),
//! version 2, and [dockerd](https://docs.docker.com/reference/cli/dockerd/#daemon-configuration-file), `registry-mirrors` and
//! `insecure-registries`. As with both tools, an image is pushed to the registry that its name has, and nowhere else.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use url::Url;

use super::client::RepositoryName;
use super::reference::{DOCKER, DOCKER_HOST};
use super::{ImageReference, RegistryError, RequestError};
use crate::http::authority;
use crate::redact::one_line;
use document::{DaemonDocument, MirrorUse, RegistriesDocument, RegistryTable};

mod document;

/// The directory of the system's configuration of podman.
const CONTAINERS: &str = "/etc/containers";

/// The system's configuration of Docker's daemon.
const DAEMON: &str = "/etc/docker/daemon.json";

/// The files that say where images are pulled from, none of which has to exist. The default is none.
#[derive(Debug, Clone, Default)]
pub struct RegistryFiles {
    /// podman's registries.conf.
    registries: Option<PathBuf>,
    /// The directories of files that add to it.
    drop_ins: Vec<PathBuf>,
    /// Docker's daemon.json.
    daemon: Vec<PathBuf>,
}

impl RegistryFiles {
    /// Finds the files of podman and Docker by environment variables and the home directory. The user's registries.conf
    /// replaces the system's; their directories are both read.
    pub(crate) fn of_system(variable: &dyn Fn(&str) -> Option<PathBuf>, home: Option<&Path>) -> Self {
        let configuration = variable("XDG_CONFIG_HOME").or_else(|| Some(home?.join(".config")));
        let own = home.map(|home| home.join(".config/containers"));
        let of_user = own.as_ref().map(|own| own.join("registries.conf")).filter(|file| file.exists());
        let system = Path::new(CONTAINERS);
        Self {
            registries: variable("CONTAINERS_REGISTRIES_CONF")
                .or(of_user)
                .or_else(|| Some(system.join("registries.conf"))),
            drop_ins: std::iter::once(system.to_owned())
                .chain(own)
                .map(|directory| directory.join("registries.conf.d"))
                .collect(),
            daemon: std::iter::once(DAEMON.into())
                .chain(configuration.map(|directory| directory.join("docker/daemon.json")))
                .collect(),
        }
    }
}

/// Where images are pulled from.
#[derive(Debug, Default)]
pub(super) struct PullRules {
    /// By prefix.
    rules: BTreeMap<String, PullRule>,
    /// Docker's mirrors of Docker Hub.
    hub_mirrors: Vec<Mirror>,
    /// Docker's registries without verified TLS: hosts and networks.
    insecure: Vec<String>,
}

/// What a table of registries.conf says about the images whose names begin with its prefix.
#[derive(Debug)]
struct PullRule {
    /// Replaces the prefix, unless it is empty.
    location: String,
    is_insecure: bool,
    is_blocked: bool,
    mirrors: Vec<Mirror>,
    file: PathBuf,
}

/// Another place that may have the images.
#[derive(Debug)]
struct Mirror {
    /// `HOST[:PORT]`, with the namespace that stands for the prefix.
    location: String,
    /// The path on the host below which the API is, with a slash in front; empty for the root.
    api: String,
    is_insecure: bool,
    use_for: MirrorUse,
}

/// A repository that an image may be pulled from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PullSource {
    pub(super) reference: ImageReference,
    api: String,
}

/// The repositories that an image may be pulled from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PullSources {
    /// In this order, before the registry itself.
    pub(super) mirrors: Vec<PullSource>,
    /// The registry itself, or where the configuration says that it is.
    pub(super) origin: PullSource,
}

impl PullSource {
    /// Returns why it could not be used, in one line with its host.
    pub(super) fn failure(&self, error: &RequestError) -> String {
        let (host, reason) = (self.reference.registry(), one_line(&error.to_string()));
        if reason.contains(host) { reason } else { format!("{host}: {reason}") }
    }

    pub(super) fn repository(&self) -> RepositoryName<'_> {
        let (registry, name) = (self.reference.registry(), self.reference.repository());
        RepositoryName { registry, name, api: &self.api }
    }
}

impl PullRules {
    /// Reads the files that exist.
    ///
    /// # Errors
    /// One cannot be read, or is malformed.
    pub(super) fn read(files: &RegistryFiles) -> Result<Self, RegistryError> {
        let mut rules = Self::default();
        for path in files.registries.iter().cloned().chain(files.drop_ins.iter().flat_map(|dir| drop_ins(dir))) {
            if let Some(text) = text(&path)? {
                let document = RegistriesDocument::parse(&text).map_err(|reason| invalid(&path, reason))?;
                for table in document.registry {
                    let (prefix, rule) = PullRule::new(table, &path).map_err(|reason| invalid(&path, reason))?;
                    rules.rules.insert(prefix, rule);
                }
            }
        }
        for path in &files.daemon {
            let Some(text) = text(path)? else { continue };
            let document = DaemonDocument::parse(&text).map_err(|reason| invalid(path, reason))?;
            for mirror in &document.registry_mirrors {
                rules.hub_mirrors.push(Mirror::of_url(mirror).map_err(|reason| invalid(path, reason))?);
            }
            rules.insecure.extend(document.insecure_registries);
        }
        Ok(rules)
    }

    /// Returns where to pull from. A blob is found by its digest, whatever the reference has.
    ///
    /// # Errors
    /// The registry is blocked.
    pub(super) fn sources(&self, reference: &ImageReference, is_blob: bool) -> Result<PullSources, RegistryError> {
        self.check_allowed(reference)?;
        let has_digest = is_blob || reference.digest().is_some();
        let name = canonical_name(reference);
        let rule = self.rule(&name);
        // Docker's mirrors have the names of Docker Hub, without its host.
        let (length, mirrors) = match rule {
            Some((length, rule)) if !rule.mirrors.is_empty() => (length, &rule.mirrors[..]),
            _ if reference.registry() == DOCKER_HOST => (DOCKER.len(), &self.hub_mirrors[..]),
            _ => (0, &[][..]),
        };
        let mirrors = mirrors.iter().filter(|mirror| mirror.use_for.includes(has_digest));
        let mirrors = mirrors.filter_map(|mirror| {
            let reference = reference.at(&format!("{}{}", mirror.location, &name[length..]))?;
            Some(PullSource { reference, api: mirror.api.clone() })
        });
        let moved = rule.filter(|(_, rule)| !rule.location.is_empty());
        let moved = moved.and_then(|(length, rule)| reference.at(&format!("{}{}", rule.location, &name[length..])));
        let origin = PullSource { reference: moved.unwrap_or_else(|| reference.clone()), api: String::new() };
        Ok(PullSources { mirrors: mirrors.collect(), origin })
    }

    /// # Errors
    /// The registry is blocked.
    pub(super) fn check_allowed(&self, reference: &ImageReference) -> Result<(), RegistryError> {
        match self.rule(&canonical_name(reference)) {
            Some((_, rule)) if rule.is_blocked => {
                Err(RegistryError::Blocked { repository: reference.repository_name(), file: rule.file.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Returns whether a registry, or a mirror, may use plain HTTP or a certificate that cannot be verified.
    pub(super) fn is_insecure(&self, registry: &str) -> bool {
        let is_at = |location: &str| location.split('/').next() == Some(registry);
        let of_rules = self.rules.iter().any(|(prefix, rule)| {
            let own = if rule.location.is_empty() { prefix } else { &rule.location };
            rule.is_insecure && is_at(own)
                || rule.mirrors.iter().any(|mirror| mirror.is_insecure && is_at(&mirror.location))
        });
        let address = registry.parse::<IpAddr>().ok().or_else(|| registry.rsplit_once(':')?.0.parse().ok());
        let of_daemon = self.insecure.iter().any(|insecure| {
            let network = insecure.parse::<IpNet>().ok();
            insecure == registry || network.zip(address).is_some_and(|(network, address)| network.contains(&address))
        });
        of_rules || of_daemon || self.hub_mirrors.iter().any(|mirror| mirror.is_insecure && is_at(&mirror.location))
    }

    /// Returns whether any registry may be insecure.
    pub(super) fn has_insecure(&self) -> bool {
        let mut mirrors = self.rules.values().flat_map(|rule| &rule.mirrors).chain(&self.hub_mirrors);
        !self.insecure.is_empty()
            || self.rules.values().any(|rule| rule.is_insecure)
            || mirrors.any(|mirror| mirror.is_insecure)
    }

    /// Returns the rule with the longest prefix of a name, and the length of what that matches.
    fn rule(&self, name: &str) -> Option<(usize, &PullRule)> {
        let matching = self.rules.iter().filter_map(|(prefix, rule)| Some((matched(name, prefix)?, prefix, rule)));
        matching.max_by_key(|(_, prefix, _)| prefix.len()).map(|(length, _, rule)| (length, rule))
    }
}

impl PullRule {
    /// Returns a rule and its prefix, or why it is invalid.
    fn new(table: RegistryTable, file: &Path) -> Result<(String, Self), String> {
        let location = table.location.unwrap_or_default();
        let prefix = table.prefix.filter(|prefix| !prefix.is_empty()).unwrap_or_else(|| location.clone());
        if location.is_empty() && !prefix.starts_with("*.") {
            return Err(
                "a [[registry]] has no `location`, which only a `prefix` like *.example.com may omit".to_owned()
            );
        }
        let mirrors = table.mirror.into_iter().map(|mirror| {
            let use_for = match mirror.pull_from_mirror {
                Some(use_for) => use_for,
                None if table.mirror_by_digest_only => MirrorUse::DigestOnly,
                None => MirrorUse::All,
            };
            let (location, is_insecure) = (checked(mirror.location)?, mirror.insecure);
            Ok(Mirror { location, api: String::new(), is_insecure, use_for })
        });
        let mirrors = mirrors.collect::<Result<_, String>>()?;
        let (is_insecure, is_blocked) = (table.insecure, table.blocked);
        Ok((
            checked(prefix)?,
            Self { location: checked(location)?, is_insecure, is_blocked, mirrors, file: file.to_owned() },
        ))
    }
}

impl Mirror {
    /// Parses a mirror of Docker's, which is a URL.
    fn of_url(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.ok_or_else(|| format!("the mirror `{}` is not a URL of http or https", text.escape_debug()))?;
        Ok(Self {
            location: authority(&url),
            api: url.path().trim_end_matches('/').to_owned(),
            is_insecure: url.scheme() == "http",
            use_for: MirrorUse::All,
        })
    }
}

/// Returns a location, or why it is invalid.
fn checked(location: String) -> Result<String, String> {
    if location.contains("://") {
        return Err(format!("`{}` has a scheme, expected HOST[:PORT][/NAMESPACE]", location.escape_debug()));
    }
    Ok(location.trim_end_matches('/').to_owned())
}

/// Returns the name of a repository as configuration writes it.
fn canonical_name(reference: &ImageReference) -> String {
    let registry = if reference.registry() == DOCKER_HOST { DOCKER } else { reference.registry() };
    format!("{registry}/{}", reference.repository())
}

/// Returns the length of the part of a name that a prefix matches. `*.example.com` matches every host below that.
fn matched(name: &str, prefix: &str) -> Option<usize> {
    let end = match prefix.strip_prefix('*') {
        Some(domain) => {
            let start = name.find(domain).filter(|start| !name[..*start].contains('/'))?;
            start + domain.len()
        }
        None => name.starts_with(prefix).then_some(prefix.len())?,
    };
    let rest = &name[end..];
    (rest.is_empty() || rest.starts_with(['/', ':'])).then_some(end)
}

/// Returns the files `*.conf` of a directory, sorted.
fn drop_ins(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "conf")).collect();
    files.sort();
    files
}

/// Returns the text of a file, or `None` if it does not exist.
fn text(path: &Path) -> Result<Option<String>, RegistryError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(invalid(path, error.to_string())),
    }
}

fn invalid(path: &Path, reason: String) -> RegistryError {
    RegistryError::Configuration { file: path.to_owned(), reason }
}

#[cfg(test)]
mod tests;
