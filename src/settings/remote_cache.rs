//! Where records of what is known of wheels are kept.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::registry::{ImageReference, InvalidReference};

/// Which remote cache is used, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RemoteCacheChoice {
    Off,
    On(RecordPlace, RecordPolicy),
}

/// Where records are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RecordPlace {
    /// The repository that the image is pushed to.
    Own,
    Repository(ImageReference),
    /// A bucket of S3 or a store with the same API.
    Bucket(BucketPrefix),
    Directory(PathBuf),
}

/// What is done with records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordPolicy {
    Read,
    /// As [`Read`](Self::Read), and something of what was read is compared with what is found out here.
    Sample,
    ReadAndWrite,
    /// Nothing is believed: what records say is compared with what is found out here.
    Verify,
}

/// A bucket, and what the keys of objects in it begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BucketPrefix {
    pub(crate) bucket: String,
    /// Without a slash at its end; may be empty.
    prefix: String,
}

impl BucketPrefix {
    /// Parses what follows `s3://`.
    fn parse(text: &str) -> Result<Self, InvalidRemoteCache> {
        let (bucket, prefix) = text.split_once('/').unwrap_or((text, ""));
        let is_permitted = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(is_permitted) || bucket.starts_with('.') {
            return Err(InvalidRemoteCache::Bucket);
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let is_resolved = |part: &str| matches!(part, "" | "." | "..");
        if !prefix.is_empty() && prefix.split('/').any(is_resolved) {
            return Err(InvalidRemoteCache::Prefix(prefix.to_owned()));
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }

    /// Returns the key of the object of a name.
    pub(crate) fn key(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) }
    }
}

impl fmt::Display for BucketPrefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bucket, prefix } = self;
        let slash = if prefix.is_empty() { "" } else { "/" };
        write!(formatter, "s3://{bucket}{slash}{prefix}")
    }
}

/// A text that is not a remote cache.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidRemoteCache {
    /// A URL has another scheme than S3's.
    #[error("`{0}://` is not supported: use a repository, s3://BUCKET/PREFIX, or a directory")]
    Scheme(String),
    /// The name of a bucket has too few or too many characters, or others than S3 permits.
    #[error("s3:// is not followed by a valid bucket name: 3 to 63 letters, digits, dots, hyphens and underscores")]
    Bucket,
    /// A prefix of objects would be changed on the way: HTTP clients resolve `.` and `..`.
    #[error("`{0}` is not a valid prefix: an empty part, `.` and `..` are not permitted")]
    Prefix(String),
    /// A repository has a tag or a digest.
    #[error("`{0}` has a tag or a digest: name the repository alone")]
    Tagged(String),
    /// A text is not the name of a repository.
    #[error(transparent)]
    Reference(#[from] InvalidReference),
}

impl FromStr for RemoteCacheChoice {
    type Err = InvalidRemoteCache;

    fn from_str(text: &str) -> Result<Self, InvalidRemoteCache> {
        Ok(match text {
            "off" => Self::Off,
            "auto" => Self::On(RecordPlace::Own, RecordPolicy::ReadAndWrite),
            "read" => Self::On(RecordPlace::Own, RecordPolicy::Read),
            "sample" => Self::On(RecordPlace::Own, RecordPolicy::Sample),
            "verify" => Self::On(RecordPlace::Own, RecordPolicy::Verify),
            _ => match text.split_once('=') {
                Some(("read", place)) => Self::On(place.parse()?, RecordPolicy::Read),
                Some(("sample", place)) => Self::On(place.parse()?, RecordPolicy::Sample),
                Some(("verify", place)) => Self::On(place.parse()?, RecordPolicy::Verify),
                _ => Self::On(text.parse()?, RecordPolicy::ReadAndWrite),
            },
        })
    }
}

impl FromStr for RecordPlace {
    type Err = InvalidRemoteCache;

    fn from_str(text: &str) -> Result<Self, InvalidRemoteCache> {
        if text.starts_with(['/', '.']) {
            return Ok(Self::Directory(text.into()));
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            return match scheme {
                "s3" => Ok(Self::Bucket(BucketPrefix::parse(rest)?)),
                _ => Err(InvalidRemoteCache::Scheme(scheme.to_owned())),
            };
        }
        if text.rsplit('/').next().is_some_and(|name| name.contains([':', '@'])) {
            return Err(InvalidRemoteCache::Tagged(text.to_owned()));
        }
        Ok(Self::Repository(text.parse()?))
    }
}

impl fmt::Display for RemoteCacheChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (place, policy) = match self {
            Self::Off => return formatter.write_str("off"),
            Self::On(place, policy) => (place, policy),
        };
        let policy = match policy {
            RecordPolicy::Read => "read",
            RecordPolicy::Sample => "sample",
            RecordPolicy::ReadAndWrite if *place == RecordPlace::Own => "auto",
            RecordPolicy::ReadAndWrite => "",
            RecordPolicy::Verify => "verify",
        };
        formatter.write_str(policy)?;
        if *place != RecordPlace::Own && !policy.is_empty() {
            formatter.write_str("=")?;
        }
        match place {
            RecordPlace::Own => Ok(()),
            RecordPlace::Repository(reference) => formatter.write_str(&reference.repository_name()),
            RecordPlace::Bucket(place) => place.fmt(formatter),
            RecordPlace::Directory(path) => path.display().fmt(formatter),
        }
    }
}

impl RemoteCacheChoice {
    /// Makes a relative path relative to a directory.
    pub(crate) fn in_directory(self, directory: &Path) -> Self {
        match self {
            Self::On(RecordPlace::Directory(path), policy) => {
                Self::On(RecordPlace::Directory(directory.join(path)), policy)
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_has_a_prefix_that_is_kept_as_it_is() {
        for (text, shown, key) in [
            ("s3://records", "s3://records", "name"),
            ("s3://records/", "s3://records", "name"),
            ("s3://my.records/team/app/", "s3://my.records/team/app", "team/app/name"),
            ("s3://records/a b/ü?#%2e", "s3://records/a b/ü?#%2e", "a b/ü?#%2e/name"),
        ] {
            let choice: RemoteCacheChoice = text.parse().unwrap();
            assert_eq!(choice.to_string(), shown);
            let RemoteCacheChoice::On(RecordPlace::Bucket(place), RecordPolicy::ReadAndWrite) = choice else {
                panic!("{text}")
            };
            assert_eq!(place.key("name"), key);
        }
    }

    #[test]
    fn every_place_is_read_or_verified_instead_on_request() {
        for text in [
            "off",
            "auto",
            "read",
            "sample",
            "verify",
            "registry.example.com/team/app",
            "read=registry.example.com:5000/team/app",
            "verify=s3://records/app",
            "sample=s3://records/app",
            "read=./shared",
            "/a=b",
        ] {
            assert_eq!(text.parse::<RemoteCacheChoice>().unwrap().to_string(), text);
        }
        for text in ["auto=./shared", "off=s3://records/app", "verify=", "read=verify=./shared"] {
            assert!(text.parse::<RemoteCacheChoice>().is_err(), "{text}");
        }
    }

    #[test]
    fn other_urls_are_refused_without_what_may_be_a_secret() {
        for (text, said) in [
            ("gs://records/app", "`gs://` is not supported: use a repository, s3://BUCKET/PREFIX, or a directory"),
            ("s3://", "s3:// is not followed by a valid bucket name"),
            ("s3://AKIA:secret@records/app", "s3:// is not followed by a valid bucket name"),
            ("s3://../records", "s3:// is not followed by a valid bucket name"),
            ("s3://records/../other", "`../other` is not a valid prefix"),
            ("s3://records//app", "`/app` is not a valid prefix"),
        ] {
            let error = text.parse::<RemoteCacheChoice>().unwrap_err().to_string();
            assert!(error.starts_with(said) && !error.contains("secret"), "{text}: {error}");
        }
    }
}
