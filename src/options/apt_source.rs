//! `[[tool.pybundle.apt-source]]`: archives of packages, in the terms of
//! [sources.list(5)](https://manpages.debian.org/sources.list.5).

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::texts::OneOrManyStrings;
use crate::debian::Fingerprint;
use crate::settings::{AptSourceSettings, SigningKeys};

/// An archive of packages, which replaces the distribution's own if it has the same suite.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct AptSourceOptions {
    /// The URIs, without a suite.
    #[serde(with = "one_or_many")]
    #[schemars(with = "OneOrManyStrings")]
    uris: Vec<String>,
    /// The suites, such as `bookworm`; one that ends with `/` is the directory of an archive without components.
    #[serde(with = "one_or_many")]
    #[schemars(with = "OneOrManyStrings")]
    suites: Vec<String>,
    /// The components, such as `main`.
    #[serde(with = "one_or_many")]
    #[schemars(with = "OneOrManyStrings")]
    components: Vec<String>,
    /// A file with keys, or their fingerprints, one of which must have signed the release [default: the keys of the base's
    /// distribution].
    #[serde(with = "one_or_many")]
    #[schemars(with = "OneOrManyStrings")]
    signed_by: Vec<String>,
    /// The URL of the archive's snapshots, each in a directory that is named by its time, such as `20261121T090000Z`.
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<String>,
}

/// An archive that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidAptSource {
    #[error("an entry of `apt-source` has no `{0}`")]
    Missing(&'static str),
    #[error("`{}` is not the URI of an archive of packages: {reason}", .text.escape_debug())]
    Uri { text: String, reason: String },
}

impl AptSourceOptions {
    /// Makes the path of a file of keys relative to a directory.
    pub(super) fn rebase(&mut self, directory: &Path) {
        for key in &mut self.signed_by {
            if key.parse::<Fingerprint>().is_err() {
                *key = directory.join(&*key).to_string_lossy().into_owned();
            }
        }
    }

    /// Returns the archive.
    ///
    /// # Errors
    /// A URI is invalid, or `uris`, `suites` or `components` are missing.
    pub(super) fn settings(self) -> Result<AptSourceSettings, InvalidAptSource> {
        let Self { uris, suites, components, signed_by, snapshot } = self;
        if uris.is_empty() {
            return Err(InvalidAptSource::Missing("uris"));
        }
        if suites.is_empty() {
            return Err(InvalidAptSource::Missing("suites"));
        }
        if components.is_empty() && !suites.iter().all(|suite| suite.ends_with('/')) {
            return Err(InvalidAptSource::Missing("components"));
        }
        let fingerprints: Vec<Fingerprint> = signed_by.iter().filter_map(|key| key.parse().ok()).collect();
        let signed_by = match &signed_by[..] {
            [] => SigningKeys::Distribution,
            keys if keys.len() == fingerprints.len() => SigningKeys::Fingerprints(fingerprints),
            files => SigningKeys::Files(files.iter().map(Into::into).collect()),
        };
        Ok(AptSourceSettings {
            uris: uris.iter().map(|text| uri(text)).collect::<Result<_, _>>()?,
            suites,
            components,
            signed_by,
            snapshot: snapshot.map(|text| uri(&text)).transpose()?,
        })
    }
}

fn uri(text: &str) -> Result<Url, InvalidAptSource> {
    let invalid = |reason: String| InvalidAptSource::Uri { text: text.to_owned(), reason };
    let url = Url::parse(text).map_err(|error| invalid(error.to_string()))?;
    if matches!(url.scheme(), "http" | "https") {
        Ok(url)
    } else {
        Err(invalid(format!("`{}` is not http or https", url.scheme())))
    }
}

/// Serde functions for a list of strings that may be a single one.
mod one_or_many {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::OneOrManyStrings;

    pub(super) fn serialize<S: Serializer>(values: &[String], serializer: S) -> Result<S::Ok, S::Error> {
        values.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
        Ok(match OneOrManyStrings::deserialize(deserializer)? {
            OneOrManyStrings::One(value) => vec![value],
            OneOrManyStrings::Several(values) => values,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(toml: &str) -> Result<AptSourceSettings, String> {
        let mut options: AptSourceOptions = toml::from_str(toml).map_err(|error| error.to_string())?;
        options.rebase(Path::new("shop"));
        options.settings().map_err(|error| error.to_string())
    }

    #[test]
    fn keys_are_files_or_fingerprints() {
        let archive = "uris = \"https://example.org/debian\"\nsuites = [\"bookworm\"]\ncomponents = \"main\"\n";
        let found = settings(archive).unwrap();
        assert_eq!(
            (found.uris[0].as_str(), found.signed_by),
            ("https://example.org/debian", SigningKeys::Distribution)
        );
        let fingerprint = "4CB50190207B4758A3F73A796ED0E7B82643E131";
        let found = settings(&format!("{archive}signed-by = \"{fingerprint}\"\n")).unwrap();
        assert_eq!(found.signed_by, SigningKeys::Fingerprints(vec![fingerprint.parse().unwrap()]));
        let found = settings(&format!("{archive}signed-by = \"keys.asc\"\n")).unwrap();
        assert_eq!(found.signed_by, SigningKeys::Files(vec!["shop/keys.asc".into()]));
    }

    #[test]
    fn incomplete_archives_are_refused() {
        for (toml, reason) in [
            ("", "has no `uris`"),
            ("uris = \"https://h/\"", "has no `suites`"),
            ("uris = \"https://h/\"\nsuites = \"bookworm\"", "has no `components`"),
            ("uris = \"ftp://h/\"\nsuites = \"./\"", "`ftp` is not http or https"),
            ("uris = \"h\"\nsuites = \"./\"", "is not the URI of an archive"),
            ("urls = \"https://h/\"", "unknown field `urls`"),
        ] {
            let error = settings(toml).unwrap_err();
            assert!(error.contains(reason), "{toml}: {error}");
        }
        assert!(settings("uris = \"https://h/\"\nsuites = \"./\"").is_ok());
    }
}
