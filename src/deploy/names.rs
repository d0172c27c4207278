//! The names of functions, aliases and layers.

use std::fmt;
use std::str::FromStr;

/// A function, by its name or its ARN.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FunctionName(String);

/// A text that names no function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidFunctionName {
    #[error(
        "`{0}` is not a valid function name: expected at most 64 ASCII letters, digits, `-` and `_`, or a function's ARN"
    )]
    Malformed(String),
    #[error("`{name}` names a version or an alias: expected the function alone, with `alias = \"{qualifier}\"`")]
    Qualified { name: String, qualifier: String },
}

impl FunctionName {
    /// Returns the name or the ARN, as Lambda's API takes it.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// Returns the name without account and region.
    pub(crate) fn short(&self) -> &str {
        self.0.rsplit(':').next().unwrap_or(&self.0)
    }

    /// Returns the region of an ARN.
    pub(super) fn region(&self) -> Option<&str> {
        self.0.split(':').nth(3)
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for FunctionName {
    type Err = InvalidFunctionName;

    fn from_str(text: &str) -> Result<Self, InvalidFunctionName> {
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            [name] if is_name(name, 64) => Ok(Self(text.to_owned())),
            ["arn", partition, "lambda", region, account, "function", name]
                if partition.starts_with("aws") && is_name(region, 64) && is_name(account, 12) && is_name(name, 64) =>
            {
                Ok(Self(text.to_owned()))
            }
            [name, qualifier] | ["arn", _, "lambda", _, _, "function", name, qualifier] if is_name(name, 64) => {
                Err(InvalidFunctionName::Qualified { name: text.to_owned(), qualifier: qualifier.to_owned() })
            }
            _ => Err(InvalidFunctionName::Malformed(text.to_owned())),
        }
    }
}

/// The alias that serves the function's callers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AliasName(String);

/// A text that is not the name of an alias.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid alias: expected at most 128 ASCII letters, digits, `-` and `_`, not only digits")]
pub(crate) struct InvalidAliasName(String);

impl AliasName {
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AliasName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for AliasName {
    type Err = InvalidAliasName;

    fn from_str(text: &str) -> Result<Self, InvalidAliasName> {
        // Digits alone are a version.
        if is_name(text, 128) && !text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidAliasName(text.to_owned()))
        }
    }
}

/// A layer, whose versions are published.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LayerName(String);

/// A text that is not the name of a layer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid layer name: expected at most 64 ASCII letters, digits, `-` and `_`")]
pub(crate) struct InvalidLayerName(String);

impl LayerName {
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LayerName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for LayerName {
    type Err = InvalidLayerName;

    fn from_str(text: &str) -> Result<Self, InvalidLayerName> {
        // AWS takes 140 characters of a name or an ARN; an ARN around 64 has less.
        if is_name(text, 64) { Ok(Self(text.to_owned())) } else { Err(InvalidLayerName(text.to_owned())) }
    }
}

/// A version of a layer that exists, by its ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LayerVersionArn(String);

/// A text that is not the ARN of a layer's version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a version of a layer: expected arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION")]
pub(crate) struct InvalidLayerVersion(String);

impl LayerVersionArn {
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    pub(super) fn region(&self) -> &str {
        self.0.split(':').nth(3).unwrap_or_default()
    }
}

impl fmt::Display for LayerVersionArn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for LayerVersionArn {
    type Err = InvalidLayerVersion;

    fn from_str(text: &str) -> Result<Self, InvalidLayerVersion> {
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            ["arn", partition, "lambda", region, account, "layer", name, version]
                if partition.starts_with("aws")
                    && is_name(region, 64)
                    && is_name(account, 12)
                    && is_name(name, 140)
                    && version.parse::<u64>().is_ok_and(|version| version > 0) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(InvalidLayerVersion(text.to_owned())),
        }
    }
}

/// A layer that a function names: a target, or a version that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NamedLayer {
    Target(String),
    Version(LayerVersionArn),
}

impl fmt::Display for NamedLayer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(name) => formatter.write_str(name),
            Self::Version(version) => version.fmt(formatter),
        }
    }
}

impl FromStr for NamedLayer {
    type Err = InvalidLayerVersion;

    fn from_str(text: &str) -> Result<Self, InvalidLayerVersion> {
        if text.starts_with("arn:") { text.parse().map(Self::Version) } else { Ok(Self::Target(text.to_owned())) }
    }
}

/// What is said of a version that is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VersionDescription(String);

/// A text that cannot describe a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a description has 1 to {LONGEST_DESCRIPTION} characters, and this one has {0}")]
pub(crate) struct InvalidDescription(usize);

/// The most characters that Lambda accepts.
const LONGEST_DESCRIPTION: usize = 256;

impl VersionDescription {
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl FromStr for VersionDescription {
    type Err = InvalidDescription;

    fn from_str(text: &str) -> Result<Self, InvalidDescription> {
        let length = text.chars().count();
        let is_valid = (1..=LONGEST_DESCRIPTION).contains(&length);
        if is_valid { Ok(Self(text.to_owned())) } else { Err(InvalidDescription(length)) }
    }
}

fn is_name(text: &str, longest: usize) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=longest).contains(&text.len()) && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_have_a_name_or_an_arn() {
        let arn = "arn:aws-cn:lambda:cn-north-1:123456789012:function:shop";
        for (text, short, region) in [("shop_1-a", "shop_1-a", None), (arn, "shop", Some("cn-north-1"))] {
            let name: FunctionName = text.parse().unwrap();
            assert_eq!((name.to_string().as_str(), name.short(), name.region()), (text, short, region));
        }
        for text in ["", "a b", "shop/../x", "ü", &"a".repeat(65), "arn:aws:s3:::bucket", "a:b:c", "arn:aws:lambda::"]
        {
            let malformed = InvalidFunctionName::Malformed(text.to_owned());
            assert_eq!(text.parse::<FunctionName>(), Err(malformed), "{text}");
        }
        for text in ["shop:live", &format!("{arn}:live")] {
            let error = text.parse::<FunctionName>().unwrap_err().to_string();
            assert!(error.contains("`alias = \"live\"`") || error.contains("alias = \"live\""), "{error}");
        }
    }

    #[test]
    fn a_layer_is_a_target_or_a_version() {
        let arn = "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:layer:extras:7";
        let NamedLayer::Version(version) = arn.parse().unwrap() else { panic!() };
        assert_eq!((version.to_string().as_str(), version.region()), (arn, "us-gov-west-1"));
        assert_eq!("common".parse(), Ok(NamedLayer::Target("common".to_owned())));
        let layer = arn.trim_end_matches(":7");
        for text in [layer, &format!("{layer}:0"), &format!("{layer}:x"), "arn:aws:lambda:eu-west-1:1:function:a:1"] {
            assert_eq!(text.parse::<NamedLayer>(), Err(InvalidLayerVersion(text.to_owned())));
        }
    }

    #[test]
    fn an_alias_is_not_a_version() {
        assert_eq!("live-2".parse::<AliasName>().unwrap().text(), "live-2");
        for text in ["", "12", "$LATEST", "a.b"] {
            assert!(text.parse::<AliasName>().is_err(), "{text}");
        }
    }
}
