//! The system packages that were put on a base.

use super::origin;
use crate::digest::Sha256;

/// A package of Debian or of a system like it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SystemPackageComponent {
    pub(crate) name: String,
    pub(crate) version: String,
    /// By Debian's name, or `all`.
    pub(crate) architecture: String,
    /// The system and its version, as os-release has them: `debian` and `13`.
    pub(crate) system: (String, Option<String>),
    /// The name and the version of the source package, which advisories name.
    pub(crate) source: (String, String),
    /// The URL of the .deb.
    pub(crate) url: String,
    /// The digest of the .deb.
    pub(crate) sha256: Sha256,
    /// Whether the project names it.
    pub(crate) is_requested: bool,
    /// The names of the packages that it depends on.
    pub(crate) requires: Vec<String>,
    /// The short names of its files' licences, if its copyright file is machine-readable.
    pub(crate) licenses: Vec<String>,
}

impl SystemPackageComponent {
    /// Returns the package URL
    /// ([type deb](https://github.com/package-url/purl-spec/blob/main/types/deb-definition.json)).
    pub(super) fn purl(&self) -> String {
        let (system, version) = &self.system;
        let mut qualifiers = vec![("arch", self.architecture.clone())];
        qualifiers.extend(version.as_ref().map(|version| ("distro", format!("{system}-{version}"))));
        let (source, source_version) = &self.source;
        let upstream = match (*source != self.name, *source_version != self.version) {
            (false, false) => None,
            (true, false) => Some(source.clone()),
            (_, true) => Some(format!("{source}@{source_version}")),
        };
        qualifiers.extend(upstream.map(|upstream| ("upstream", upstream)));
        origin::purl_of("deb", Some(system), &self.name, Some(&self.version), &qualifiers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_urls_name_the_system_and_the_source() {
        let mut package = SystemPackageComponent {
            name: "libpq5".to_owned(),
            version: "15.20-0+deb12u1".to_owned(),
            architecture: "amd64".to_owned(),
            system: ("debian".to_owned(), Some("12".to_owned())),
            source: ("postgresql-15".to_owned(), "15.20-0+deb12u1".to_owned()),
            url: "http://deb.debian.org/debian/pool/libpq5.deb".to_owned(),
            sha256: Sha256::of(b""),
            is_requested: true,
            requires: Vec::new(),
            licenses: Vec::new(),
        };
        let url = "pkg:deb/debian/libpq5@15.20-0%2Bdeb12u1?arch=amd64&distro=debian-12";
        assert_eq!(package.purl(), format!("{url}&upstream=postgresql-15"));
        package.source = ("libpq5".to_owned(), package.version.clone());
        assert_eq!(package.purl(), url);
        package.source.1 = "15.20-0".to_owned();
        assert_eq!(package.purl(), format!("{url}&upstream=libpq5%4015.20-0"));
    }
}
