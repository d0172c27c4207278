//! Reads apt.lock strictly.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    AptLock, AptLockError, ArchitectureClosure, ClosureMember, LockedClosure, LockedPackage, LockedRelease,
    PackageRequest,
};
use crate::debian::{DebianArchitecture, DebianVersion, Fingerprint, PackageName};
use crate::digest::Sha256;
use crate::limited_reader::{self, LARGEST_LOCK};

/// The part of the file that is the same in every version of the format.
#[derive(Deserialize)]
struct AptLockVersion {
    version: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct AptLockDocument {
    #[serde(rename = "version")]
    _version: u64,
    #[serde(default)]
    release: Vec<ReleaseTable>,
    #[serde(default)]
    closure: Vec<ClosureTable>,
    #[serde(default)]
    package: Vec<PackageTable>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ReleaseTable {
    uri: String,
    suite: String,
    date: TimestampText,
    valid_until: Option<TimestampText>,
    inrelease_sha256: Sha256Text,
    signed_by: Vec<Fingerprint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ClosureTable {
    base: Option<String>,
    requested: Vec<PackageRequest>,
    sources: Vec<String>,
    #[serde(default)]
    architecture: Vec<ArchitectureTable>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ArchitectureTable {
    architecture: DebianArchitecture,
    status_sha256: Option<Sha256Text>,
    packages: Vec<MemberTable>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct MemberTable {
    name: PackageName,
    version: DebianVersion,
    #[serde(default)]
    requested: bool,
    #[serde(default)]
    depends: Vec<PackageName>,
    replaces: Option<DebianVersion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct PackageTable {
    name: PackageName,
    version: DebianVersion,
    architecture: DebianArchitecture,
    multi_arch: Option<String>,
    source: Option<PackageName>,
    source_version: Option<DebianVersion>,
    release: String,
    filename: String,
    size: u64,
    sha256: Sha256Text,
}

/// A digest as 64 hexadecimal digits, as archives write it.
struct Sha256Text(Sha256);

impl<'de> Deserialize<'de> for Sha256Text {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digest = format!("sha256:{text}").parse();
        digest.map(Self).map_err(|_| {
            serde::de::Error::custom(format!("`{}` is not a SHA-256 digest of 64 digits", text.escape_debug()))
        })
    }
}

/// A time as in RFC 3339.
struct TimestampText(Timestamp);

impl<'de> Deserialize<'de> for TimestampText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map(Self)
            .map_err(|_| serde::de::Error::custom(format!("`{}` is not a time in RFC 3339", text.escape_debug())))
    }
}

impl AptLock {
    /// Reads a lock; `None` if there is none.
    ///
    /// # Errors
    /// It cannot be read, or is invalid, see [`AptLock::parse`].
    pub fn read(path: &Path) -> Result<Option<Self>, AptLockError> {
        match limited_reader::read_regular_text(path, LARGEST_LOCK) {
            Ok(text) => Self::parse(&text, path).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(AptLockError::Io { path: path.to_owned(), source }),
        }
    }

    /// Parses a lock. `path` is for messages.
    ///
    /// # Errors
    /// It is not TOML, has unknown keys, or is not consistent: each package is there once, each member of a closure is a
    /// package, each package is in a closure and in a release, and paths stay in the archive.
    pub fn parse(text: &str, path: &Path) -> Result<Self, AptLockError> {
        let syntax = |error: toml::de::Error| AptLockError::Syntax {
            path: path.to_owned(),
            line: error.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1),
            reason: error.message().to_owned(),
        };
        let AptLockVersion { version } = toml::from_str(text).map_err(syntax)?;
        if version != 1 {
            return Err(AptLockError::Version { path: path.to_owned(), version });
        }
        let document: AptLockDocument = toml::from_str(text).map_err(syntax)?;
        let inconsistent = |reason| AptLockError::Inconsistent { path: path.to_owned(), reason };
        let lock = document.into_lock().map_err(inconsistent)?;
        lock.check().map_err(inconsistent)?;
        Ok(lock)
    }

    /// Returns what is not consistent.
    fn check(&self) -> Result<(), String> {
        let mut labels = HashSet::new();
        for release in &self.releases {
            if !labels.insert(release.label()) {
                return Err(format!("the release `{}` is listed twice", release.label()));
            }
            if release.signed_by.is_empty() {
                return Err(format!("the release `{}` is not signed", release.label()));
            }
        }
        let mut packages: HashMap<&PackageName, Vec<&LockedPackage>> = HashMap::new();
        for package in &self.packages {
            let label = format!("{} {} {}", package.name, package.version, package.architecture);
            if !labels.contains(&package.release) {
                return Err(format!("`{label}` is from the release `{}`, which is missing", package.release));
            }
            if !is_path_of_deb(&package.filename) {
                return Err(format!("`{label}` has the invalid path `{}`", package.filename.escape_debug()));
            }
            let same_name = packages.entry(&package.name).or_default();
            if same_name.iter().any(|other| {
                other.version == package.version
                    && (other.architecture == package.architecture
                        || other.architecture.is_all()
                        || package.architecture.is_all())
            }) {
                return Err(format!("`{label}` is listed twice"));
            }
            same_name.push(package);
        }
        let mut used: HashSet<*const LockedPackage> = HashSet::new();
        for closure in &self.closures {
            for (architecture, packages_of) in &closure.architectures {
                used.extend(packages_of.check(architecture, &packages)?);
            }
        }
        match self.packages.iter().find(|package| !used.contains(&std::ptr::from_ref(*package))) {
            Some(unused) => {
                Err(format!("`{} {} {}` is in no closure", unused.name, unused.version, unused.architecture))
            }
            None => Ok(()),
        }
    }
}

impl ArchitectureClosure {
    /// Returns the packages of the members, or what is not consistent.
    fn check(
        &self,
        architecture: &DebianArchitecture,
        packages: &HashMap<&PackageName, Vec<&LockedPackage>>,
    ) -> Result<Vec<*const LockedPackage>, String> {
        let mut names = BTreeSet::new();
        let mut used = Vec::new();
        for member in &self.members {
            let package = packages.get(&member.name).into_iter().flatten().find(|package| {
                package.version == member.version
                    && (package.architecture == *architecture || package.architecture.is_all())
            });
            let Some(package) = package else {
                return Err(format!(
                    "a closure has `{} {}` for {architecture}, which is missing",
                    member.name, member.version
                ));
            };
            used.push(std::ptr::from_ref(*package));
            if !names.insert(&member.name) {
                return Err(format!("a closure has `{}` twice for {architecture}", member.name));
            }
        }
        for member in &self.members {
            if let Some(missing) = member.depends.iter().find(|name| !names.contains(name)) {
                return Err(format!("`{}` depends on `{missing}`, which its closure does not contain", member.name));
            }
        }
        Ok(used)
    }
}

/// Tells whether a path stays below the archive's URI, and is that of a .deb file.
pub(in crate::apt) fn is_path_of_deb(path: &str) -> bool {
    path.ends_with(".deb")
        && path.split('/').all(|part| !part.is_empty() && part != ".." && part != ".")
        && !path.contains(|character: char| character.is_control() || "\\?#".contains(character))
}

impl AptLockDocument {
    fn into_lock(self) -> Result<AptLock, String> {
        let releases = self.release.into_iter().map(|table| LockedRelease {
            uri: table.uri,
            suite: table.suite,
            date: table.date.0,
            valid_until: table.valid_until.map(|time| time.0),
            inrelease_sha256: table.inrelease_sha256.0,
            signed_by: table.signed_by,
        });
        let packages = self.package.into_iter().map(|table| LockedPackage {
            source: table.source.unwrap_or_else(|| table.name.clone()),
            source_version: table.source_version.unwrap_or_else(|| table.version.clone()),
            name: table.name,
            version: table.version,
            architecture: table.architecture,
            multi_arch: table.multi_arch,
            release: table.release,
            filename: table.filename,
            size: table.size,
            sha256: table.sha256.0,
        });
        let closures: Result<Vec<LockedClosure>, String> =
            self.closure.into_iter().map(ClosureTable::into_closure).collect();
        Ok(AptLock { releases: releases.collect(), closures: closures?, packages: packages.collect() })
    }
}

impl ClosureTable {
    fn into_closure(self) -> Result<LockedClosure, String> {
        let mut architectures = BTreeMap::new();
        for table in self.architecture {
            let members = table.packages.into_iter().map(|member| ClosureMember {
                name: member.name,
                version: member.version,
                requested: member.requested,
                depends: member.depends,
                replaces: member.replaces,
            });
            let closure = ArchitectureClosure {
                status_sha256: table.status_sha256.map(|digest| digest.0),
                members: members.collect(),
            };
            if architectures.insert(table.architecture.clone(), closure).is_some() {
                return Err(format!("a closure has the architecture {} twice", table.architecture));
            }
        }
        if !self.requested.is_sorted_by(|one, next| one < next) {
            return Err("a closure has requests that are not sorted, or twice".to_owned());
        }
        Ok(LockedClosure { base: self.base, requested: self.requested, sources: self.sources, architectures })
    }
}

#[cfg(test)]
mod tests;
