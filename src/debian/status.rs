//! dpkg's status: the packages that a system has.
//!
//! Debian's own images have one file, `/var/lib/dpkg/status`; those of distroless have one for each package, in
//! `/var/lib/dpkg/status.d`.

use std::collections::BTreeMap;

use super::{ControlError, InvalidStanza, PackageName, PackageStanza, ParagraphReader};

/// A status that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InvalidDpkgStatus {
    /// The syntax is wrong.
    #[error("the status of dpkg in the base is invalid: {0}")]
    Control(#[from] ControlError),
    /// The description of a package is invalid.
    #[error("the status of dpkg in the base is invalid: the package `{}`: {source}", .package.escape_debug())]
    Stanza {
        /// The package, as it is written.
        package: String,
        /// What is wrong.
        source: InvalidStanza,
    },
    /// A package is not, or not completely, installed.
    #[error("the package `{}` of the base has the status `{}` instead of `install ok installed`", .package, .status.escape_debug())]
    Incomplete {
        /// The package.
        package: PackageName,
        /// The field Status.
        status: String,
    },
}

/// The packages that a system has. Packages of foreign architectures are not listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DpkgStatus {
    packages: BTreeMap<PackageName, PackageStanza>,
}

impl DpkgStatus {
    /// Reads the paragraphs of a system's packages.
    ///
    /// # Errors
    /// The syntax is wrong, or a package is half installed.
    pub fn read(database: &[u8], architecture: &str) -> Result<Self, InvalidDpkgStatus> {
        let mut packages = BTreeMap::new();
        let mut reader = ParagraphReader::new(database);
        while let Some(paragraph) = reader.next_paragraph()? {
            // Without the field, it is distroless: what is there is installed.
            let status = paragraph.field("Status");
            if status.is_some_and(is_absent) {
                continue;
            }
            let stanza = PackageStanza::of(&paragraph).map_err(|source| InvalidDpkgStatus::Stanza {
                package: paragraph.field("Package").unwrap_or_default().to_owned(),
                source,
            })?;
            if let Some(status) = status.filter(|status| !is_usable(status)) {
                return Err(InvalidDpkgStatus::Incomplete { package: stanza.name, status: status.to_owned() });
            }
            if stanza.architecture.is_all() || stanza.architecture.as_str() == architecture {
                packages.insert(stanza.name.clone(), stanza);
            }
        }
        Ok(Self { packages })
    }

    /// Returns an installed package.
    pub fn get(&self, name: &PackageName) -> Option<&PackageStanza> {
        self.packages.get(name)
    }

    /// Returns all installed packages by name.
    pub fn packages(&self) -> impl Iterator<Item = &PackageStanza> {
        self.packages.values()
    }
}

/// Tells whether nothing of the package but its configuration is there.
fn is_absent(status: &str) -> bool {
    status.ends_with(" not-installed") || status.ends_with(" config-files")
}

/// Tells whether the package's files are complete. `unpacked` is what an image has whose scripts were not run.
fn is_usable(status: &str) -> bool {
    let words: Vec<&str> = status.split_whitespace().collect();
    matches!(words[..], [_, "ok", "installed" | "unpacked" | "triggers-pending" | "triggers-awaited"])
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "Package: libc6\nStatus: install ok installed\nVersion: 2.36\nArchitecture: amd64\n\nPackage: old\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: all\n\nPackage: libc6\nStatus: install ok installed\nVersion: 2.36\nArchitecture: i386\n";

    #[test]
    fn installed_packages_are_listed() {
        let status = DpkgStatus::read(BASE.as_bytes(), "amd64").unwrap();
        let architectures: Vec<_> = status.packages().map(|package| package.architecture.as_str()).collect();
        assert_eq!(architectures, ["amd64"]);
        assert!(status.get(&"libc6".parse().unwrap()).is_some());
        let distroless = b"Package: base-files\nVersion: 12\nArchitecture: amd64\n";
        assert_eq!(DpkgStatus::read(distroless, "amd64").unwrap().packages().count(), 1);
        assert_eq!(DpkgStatus::read(b"", "amd64").unwrap(), DpkgStatus::default());
    }

    #[test]
    fn what_is_half_installed_is_an_error() {
        for (from, to, expected) in [
            (
                "installed\nVersion: 2.36\nArchitecture: amd64",
                "half-configured\nVersion: 2.36\nArchitecture: amd64",
                "the package `libc6` of the base has the status `install ok half-configured` instead of `install ok installed`",
            ),
            ("install ok", "install reinstreq", "instead of `install ok installed`"),
            (
                "Version: 2.36\nArchitecture: amd64",
                "Architecture: amd64",
                "the status of dpkg in the base is invalid: the package `libc6`: the field Version is missing",
            ),
            ("Package: libc6", "Package libc6", "the status of dpkg in the base is invalid: line 1 is not a field"),
        ] {
            let error = DpkgStatus::read(BASE.replacen(from, to, 1).as_bytes(), "amd64").unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
