//! Wheel file names.
//!
//! Specification: [PyPA, binary distribution format, file name convention](https://packaging.python.org/en/latest/specifications/binary-distribution-format/#file-name-convention).

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use pep440_rs::Version;

use crate::name::DistributionName;

/// An invalid wheel file name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid wheel file name: {reason}", .filename.escape_debug())]
pub struct InvalidWheelFilename {
    filename: String,
    reason: String,
}

/// A build tag: digits, then anything. It breaks ties between wheels that have the same other tags.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BuildTag {
    number: u64,
    rest: String,
}

/// The parsed file name of a wheel. Clones share its text and tags, because a lock may list 100,000 of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WheelFilename {
    text: Arc<str>,
    /// The normalized name of the distribution.
    pub name: DistributionName,
    /// The version of the distribution.
    pub version: Version,
    /// The build tag.
    pub build: Option<BuildTag>,
    /// The Python tags, for instance `py2` and `py3`.
    pub python_tags: Arc<[String]>,
    /// The ABI tags, for instance `cp312`, `abi3` or `none`.
    pub abi_tags: Arc<[String]>,
    /// The platform tags, for instance `manylinux_2_17_x86_64` or `any`.
    pub platform_tags: Arc<[String]>,
}

impl FromStr for WheelFilename {
    type Err = InvalidWheelFilename;

    fn from_str(filename: &str) -> Result<Self, InvalidWheelFilename> {
        parse(filename).map_err(|reason| InvalidWheelFilename { filename: filename.to_owned(), reason })
    }
}

/// Parses a file name, or returns the reason why it is invalid.
fn parse(filename: &str) -> Result<WheelFilename, String> {
    let stem = filename.strip_suffix(".whl").ok_or("it does not end in `.whl`")?;
    let parts: Vec<&str> = stem.split('-').collect();
    let (name, version, build, python, abi, platform) = match parts[..] {
        [name, version, python, abi, platform] => (name, version, None, python, abi, platform),
        [name, version, build, python, abi, platform] => (name, version, Some(build), python, abi, platform),
        _ => return Err(format!("it has {} parts separated by dashes, expected 5 or 6", parts.len())),
    };
    Ok(WheelFilename {
        text: filename.into(),
        name: name.parse().map_err(|_| format!("`{name}` is not a valid distribution name"))?,
        version: version.parse().map_err(|_| format!("`{version}` is not a valid version"))?,
        build: build.map(parse_build_tag).transpose()?,
        python_tags: parse_tag_set(python)?,
        abi_tags: parse_tag_set(abi)?,
        platform_tags: parse_tag_set(platform)?,
    })
}

fn parse_build_tag(text: &str) -> Result<BuildTag, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, rest) = text.split_at(digits);
    match number.parse() {
        Ok(number) => Ok(BuildTag { number, rest: rest.to_owned() }),
        Err(_) => Err(format!("the build tag `{text}` does not start with digits")),
    }
}

/// The tags of most wheels, which share them.
static COMMON_TAGS: LazyLock<[Arc<[String]>; 3]> =
    LazyLock::new(|| ["py3", "none", "any"].map(|tag| Arc::from([tag.to_owned()])));

/// Parses a compressed tag set (PEP 425), for instance `py2.py3`.
fn parse_tag_set(set: &str) -> Result<Arc<[String]>, String> {
    if let Some(common) = COMMON_TAGS.iter().find(|common| common[0] == set) {
        return Ok(Arc::clone(common));
    }
    if set.split('.').all(is_tag) {
        Ok(set.split('.').map(str::to_ascii_lowercase).collect())
    } else {
        Err(format!("`{set}` is not a set of compatibility tags"))
    }
}

fn is_tag(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl WheelFilename {
    /// Returns the file name as it was parsed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether the wheel's only platform tag is `any`.
    pub fn is_any(&self) -> bool {
        self.platform_tags.iter().all(|tag| tag == "any")
    }
}

impl fmt::Display for WheelFilename {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_parsed() {
        let wheel: WheelFilename = "Foo.Bar-1.0-2b-py2.py3-none-any.whl".parse().unwrap();
        assert_eq!(wheel.name.as_str(), "foo-bar");
        assert_eq!(wheel.version, "1.0".parse().unwrap());
        assert_eq!(wheel.build, Some(BuildTag { number: 2, rest: "b".to_owned() }));
        assert_eq!(*wheel.python_tags, ["py2", "py3"]);
        assert!(wheel.is_any());
        assert_eq!(wheel.to_string(), "Foo.Bar-1.0-2b-py2.py3-none-any.whl");
    }

    #[test]
    fn build_tags_order_by_number_then_text() {
        let [one, one_a, one_b, nine, ten] = ["1", "1a", "1b", "9", "10"].map(|tag| parse_build_tag(tag).unwrap());
        assert!(one < one_a && one_a < one_b && one_b < nine && nine < ten);
    }

    #[test]
    fn invalid_names_are_refused() {
        for (filename, reason) in [
            ("a-1.tar.gz", "`.whl`"),
            ("a-1-py3-none.whl", "4 parts"),
            ("a-1-b-py3-none-any.whl", "build tag"),
            ("a-x-py3-none-any.whl", "not a valid version"),
            ("a b-1-py3-none-any.whl", "not a valid distribution name"),
            ("a-1-py3..py2-none-any.whl", "compatibility tags"),
            ("a-1-py3-none-../any.whl", "compatibility tags"),
        ] {
            let error = filename.parse::<WheelFilename>().unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
