//! The packages that archives offer for one architecture, by name and by what they provide.

use std::collections::HashMap;
use std::io::BufRead;
use std::ops::Range;

use crate::debian::{
    ControlError, ControlParagraph, DebianVersion, InvalidStanza, PackageName, PackageStanza, ParagraphReader,
};
use crate::digest::Sha256;

/// The fields that are kept. Descriptions and tags are more than half of an index.
const FIELDS: [&str; 16] = [
    "Package",
    "Source",
    "Version",
    "Architecture",
    "Essential",
    "Priority",
    "Multi-Arch",
    "Pre-Depends",
    "Depends",
    "Conflicts",
    "Breaks",
    "Provides",
    "Filename",
    "Size",
    "SHA256",
    "Phased-Update-Percentage",
];

/// The packages of several archives. Their descriptions are kept as text, which is a fifth of what they are parsed.
#[derive(Debug, Default)]
pub struct PackageIndex {
    /// The paragraphs, one after another.
    text: String,
    offers: Vec<PackageOffer>,
    names: HashMap<PackageName, Vec<OfferId>>,
    /// Names that are provided, with the packages that do.
    provided: HashMap<String, Vec<OfferId>>,
}

/// A package in a [`PackageIndex`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OfferId(usize);

/// A package of an archive.
#[derive(Debug)]
struct PackageOffer {
    name: PackageName,
    version: DebianVersion,
    text: Range<usize>,
    release: usize,
}

/// The file of a package in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageFile {
    /// The path below the archive's URI.
    pub filename: String,
    /// In bytes.
    pub size: u64,
    /// The digest of the .deb file.
    pub sha256: Sha256,
}

/// An index that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPackageIndex {
    /// The syntax is wrong.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// A package is invalid.
    #[error("the package `{}`: {source}", .package.escape_debug())]
    Stanza {
        /// Its name, as it is written.
        package: String,
        /// What is wrong.
        source: InvalidStanza,
    },
}

impl InvalidPackageIndex {
    fn stanza(package: &str, source: InvalidStanza) -> Self {
        Self::Stanza { package: package.to_owned(), source }
    }
}

impl PackageIndex {
    /// Reads the packages of an index; `release` is the position of its release among all.
    ///
    /// # Errors
    /// The index is invalid. What only matters for some packages, for instance their dependencies, is not read yet.
    pub fn add(&mut self, index: impl BufRead, release: usize) -> Result<(), InvalidPackageIndex> {
        let mut reader = ParagraphReader::new(index);
        while let Some(paragraph) = reader.next_paragraph()? {
            self.add_paragraph(&paragraph, release)?;
        }
        Ok(())
    }

    fn add_paragraph(&mut self, paragraph: &ControlParagraph<'_>, release: usize) -> Result<(), InvalidPackageIndex> {
        let written = paragraph.field("Package").unwrap_or_default();
        let name =
            written.parse::<PackageName>().map_err(|error| InvalidPackageIndex::stanza(written, error.into()))?;
        let version = paragraph.field("Version").unwrap_or_default();
        let version =
            version.parse::<DebianVersion>().map_err(|error| InvalidPackageIndex::stanza(written, error.into()))?;
        let start = self.text.len();
        for (field, value) in paragraph.fields().filter(|(field, _)| FIELDS.contains(field)) {
            self.text.extend([field, ":", value, "\n"]);
        }
        let id = OfferId(self.offers.len());
        self.offers.push(PackageOffer { name: name.clone(), version, text: start..self.text.len(), release });
        self.names.entry(name).or_default().push(id);
        for provided in paragraph.field("Provides").unwrap_or_default().split(',') {
            let end = provided.trim_start().find([' ', '(', ':']).unwrap_or(provided.trim_start().len());
            let provided = &provided.trim_start()[..end];
            if !provided.is_empty() {
                let providers = self.provided.entry(provided.trim_end().to_owned()).or_default();
                if providers.last() != Some(&id) {
                    providers.push(id);
                }
            }
        }
        Ok(())
    }

    /// Returns the packages with a name, in the order of the archives.
    pub fn named(&self, name: &PackageName) -> &[OfferId] {
        self.names.get(name).map_or(&[], Vec::as_slice)
    }

    /// Returns the package with the latest version of a name; of several archives that have it, that of the first.
    pub fn latest(&self, name: &PackageName) -> Option<OfferId> {
        // `max_by` returns the last of equals.
        self.named(name).iter().rev().copied().max_by(|one, other| self.version(*one).cmp(self.version(*other)))
    }

    /// Returns the packages that may provide a name.
    pub fn providers(&self, name: &PackageName) -> &[OfferId] {
        self.provided.get(name.as_str()).map_or(&[], Vec::as_slice)
    }

    /// Returns the names of all packages.
    pub fn names(&self) -> impl Iterator<Item = &PackageName> {
        self.names.keys()
    }

    /// Returns the name of a package.
    pub fn name(&self, id: OfferId) -> &PackageName {
        &self.offers[id.0].name
    }

    /// Returns the version of a package.
    pub fn version(&self, id: OfferId) -> &DebianVersion {
        &self.offers[id.0].version
    }

    /// Returns the position of the release that a package is from.
    pub fn release(&self, id: OfferId) -> usize {
        self.offers[id.0].release
    }

    /// Returns the description of a package.
    ///
    /// # Errors
    /// It is invalid.
    pub fn stanza(&self, id: OfferId) -> Result<PackageStanza, InvalidPackageIndex> {
        let stanza = PackageStanza::of(&self.paragraph(id)?);
        stanza.map_err(|error| InvalidPackageIndex::stanza(self.name(id).as_str(), error))
    }

    /// Returns the file of a package.
    ///
    /// # Errors
    /// A field is missing or invalid.
    pub fn file(&self, id: OfferId) -> Result<PackageFile, InvalidPackageIndex> {
        let paragraph = self.paragraph(id)?;
        let field = |field| {
            let value = paragraph.field(field).ok_or(InvalidStanza::Missing(field));
            value.map_err(|error| InvalidPackageIndex::stanza(self.name(id).as_str(), error))
        };
        let invalid = |field, value: &str| {
            let invalid = InvalidStanza::Value { field, value: value.to_owned() };
            InvalidPackageIndex::stanza(self.name(id).as_str(), invalid)
        };
        let (filename, size, sha256) = (field("Filename")?, field("Size")?, field("SHA256")?);
        let filename = filename.strip_prefix("./").unwrap_or(filename);
        if !super::lock::is_path_of_deb(filename) {
            return Err(invalid("Filename", filename));
        }
        Ok(PackageFile {
            filename: filename.to_owned(),
            size: size.parse().map_err(|_| invalid("Size", size))?,
            sha256: format!("sha256:{sha256}").parse().map_err(|_| invalid("SHA256", sha256))?,
        })
    }

    fn paragraph(&self, id: OfferId) -> Result<ControlParagraph<'_>, InvalidPackageIndex> {
        Ok(ControlParagraph::parse(&self.text[self.offers[id.0].text.clone()])?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_version_is_that_of_the_first_archive() {
        let mut index = PackageIndex::default();
        let package = |version: &str, path: &str| {
            format!(
                "Package: a\nVersion: {version}\nArchitecture: all\nDescription: x\n y\nProvides: v (= 1), w:any,u\nFilename: {path}\nSize: 3\nSHA256: {}\n\n",
                "5".repeat(64)
            )
        };
        index.add((package("1", "a_1.deb") + &package("2", "./a_2.deb")).as_bytes(), 0).unwrap();
        index.add(package("2", "../a_2.deb").as_bytes(), 1).unwrap();
        let latest = index.latest(&"a".parse().unwrap()).unwrap();
        assert_eq!((index.version(latest).as_str(), index.release(latest)), ("2", 0));
        assert_eq!(index.file(latest).unwrap().filename, "a_2.deb");
        for provided in ["u", "v", "w"] {
            assert_eq!(index.providers(&provided.parse().unwrap()).len(), 3);
        }
        let error = index.file(OfferId(2)).unwrap_err().to_string();
        assert_eq!(error, "the package `a`: the field Filename has the invalid value `../a_2.deb`");
        let error = index.add(&b"Package: b c\nVersion: 1\n"[..], 0).unwrap_err().to_string();
        assert!(error.starts_with("the package `b c`: `b c` is not a valid package name"), "{error}");
    }
}
