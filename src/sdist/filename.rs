//! Source distribution file names.
//!
//! Specification: [PyPA, source distribution format, file name](https://packaging.python.org/en/latest/specifications/source-distribution-format/#source-distribution-file-name).
//! Older files do not follow it: their names are not normalized, and both names and versions may contain dashes.

use std::fmt;
use std::str::FromStr;

use pep440_rs::Version;

use crate::name::DistributionName;

/// An invalid source distribution file name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid source distribution file name: it must end in .tar.gz, .tgz or .zip", .0.escape_debug())]
pub struct InvalidSdistFilename(String);

/// The archive format of a source distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names of the formats")]
pub enum SdistFormat {
    TarGz,
    Zip,
}

/// The file name of a source distribution or of another archive that a project can be built from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SdistFilename {
    text: String,
    /// The length of the part before the extension.
    stem: usize,
    format: SdistFormat,
}

impl FromStr for SdistFilename {
    type Err = InvalidSdistFilename;

    fn from_str(filename: &str) -> Result<Self, InvalidSdistFilename> {
        let extensions = [(".tar.gz", SdistFormat::TarGz), (".tgz", SdistFormat::TarGz), (".zip", SdistFormat::Zip)];
        let is_file_name = !filename.contains(['/', '\\', '\0']);
        let found = extensions.into_iter().find_map(|(extension, format)| {
            let stem = filename.strip_suffix(extension).filter(|stem| is_file_name && !stem.is_empty())?;
            Some(Self { text: filename.to_owned(), stem: stem.len(), format })
        });
        found.ok_or_else(|| InvalidSdistFilename(filename.to_owned()))
    }
}

impl SdistFilename {
    /// Returns the file name as it was parsed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the archive format, from the extension.
    pub fn format(&self) -> SdistFormat {
        self.format
    }

    /// Returns the version if this is a source distribution of `name`. Without the name, the dash between name and version
    /// would be ambiguous.
    pub fn version_of(&self, name: &DistributionName) -> Option<Version> {
        let stem = &self.text[..self.stem];
        stem.match_indices('-').find_map(|(dash, _)| {
            let is_name = stem[..dash].parse::<DistributionName>().is_ok_and(|found| found == *name);
            if is_name { stem[dash + 1..].parse().ok() } else { None }
        })
    }
}

impl fmt::Display for SdistFilename {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_separated_from_names() {
        for (filename, name, version) in [
            ("foo_bar-1.0.tar.gz", "foo-bar", Some("1.0")),
            ("Foo.Bar-1.0-1.zip", "foo-bar", Some("1.0.post1")),
            ("foo-bar-1.0rc1.tgz", "foo-bar", Some("1.0rc1")),
            ("foo-2-1.0.tar.gz", "foo-2", Some("1.0")),
            ("foo-bar-1.0.tar.gz", "foo", None),
            ("v1.0.zip", "foo", None),
        ] {
            let filename: SdistFilename = filename.parse().unwrap();
            let found = filename.version_of(&name.parse().unwrap());
            assert_eq!(found, version.map(|version| version.parse().unwrap()), "{filename}");
        }
    }

    #[test]
    fn names_that_are_not_archives_are_refused() {
        for filename in ["foo-1.0.whl", ".tar.gz", "foo-1.0.tar.bz2", "a/foo-1.0.zip", "foo", "..\\foo.zip"] {
            assert_eq!(filename.parse::<SdistFilename>(), Err(InvalidSdistFilename(filename.to_owned())));
        }
    }
}
