//! The system packages in an image, as dpkg's database lists them.

use std::collections::BTreeMap;

use crate::debian::deb::field_of;

const STATUS: &str = "var/lib/dpkg/status";

/// Where images that are built without dpkg have a file for each package.
const STATUS_DIRECTORY: &str = "var/lib/dpkg/status.d/";

/// Returns whether a file is a part of the database.
pub(super) fn is_database(path: &str) -> bool {
    path == STATUS || path.starts_with(STATUS_DIRECTORY) && !path.ends_with(".md5sums")
}

/// Takes the database out of the files that were read, and returns the versions of the packages in it by name. A package that
/// is there for several architectures has several.
pub(super) fn take(records: &mut Vec<(String, Vec<u8>)>) -> BTreeMap<String, String> {
    let database: Vec<_> = records.extract_if(.., |(path, _)| is_database(path)).collect();
    let mut versions: BTreeMap<String, String> = BTreeMap::new();
    for (_, bytes) in database {
        for paragraph in String::from_utf8_lossy(&bytes).split("\n\n") {
            let status = field_of(paragraph, "Status").unwrap_or_default();
            let is_removed = status.ends_with(" not-installed") || status.ends_with(" config-files");
            if let (Some(name), Some(version), false) =
                (field_of(paragraph, "Package"), field_of(paragraph, "Version"), is_removed)
            {
                let known = versions.entry(name.to_owned());
                known.and_modify(|known| *known = format!("{known}, {version}")).or_insert_with(|| version.to_owned());
            }
        }
    }
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installed_packages_have_versions() {
        let status = b"Package: tini\nStatus: install ok installed\nVersion: 0.19\n\nPackage: old\nStatus: deinstall ok \
                       config-files\nVersion: 1\n\nPackage: libc6\nStatus: install ok unpacked\nArchitecture: amd64\nVersion: \
                       2.36\n\nPackage: libc6\nStatus: install ok installed\nArchitecture: i386\nVersion: 2.37\n\n";
        let record = ("usr/x-1.dist-info/RECORD".to_owned(), Vec::new());
        let mut records = vec![
            (STATUS.to_owned(), status.to_vec()),
            record.clone(),
            ("var/lib/dpkg/status.d/netbase".to_owned(), b"Package: netbase\nVersion: 6.4\n".to_vec()),
        ];
        let found: Vec<(String, String)> = take(&mut records).into_iter().collect();
        let expected = [("libc6", "2.36, 2.37"), ("netbase", "6.4"), ("tini", "0.19")];
        assert_eq!(found, expected.map(|(name, version)| (name.to_owned(), version.to_owned())));
        assert_eq!(records, [record]);
        assert!(!is_database("var/lib/dpkg/status.d/netbase.md5sums") && !is_database("var/lib/dpkg/status-old"));
    }
}
