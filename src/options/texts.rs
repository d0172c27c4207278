//! TOML values that have the syntax of their flags: strings.
//!
//! A list of one may be a single string, and a string that is a whole number may be an integer.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::Serializer;

#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
pub(super) enum StringOrNumber {
    String(String),
    Number(i64),
}

#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    One(StringOrNumber),
    Several(Vec<StringOrNumber>),
}

#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrManyStrings {
    One(String),
    Several(Vec<String>),
}

impl JsonSchema for OneOrManyStrings {
    fn schema_name() -> Cow<'static, str> {
        "OneOrManyStrings".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "array"], "items": { "type": "string" } })
    }
}

impl JsonSchema for StringOrNumber {
    fn schema_name() -> Cow<'static, str> {
        "StringOrNumber".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"] })
    }
}

impl JsonSchema for OneOrMany {
    fn schema_name() -> Cow<'static, str> {
        "OneOrMany".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer", "array"], "items": { "type": ["string", "integer"] } })
    }
}

impl StringOrNumber {
    fn parse<T: FromStr<Err: Display>, E: Error>(self) -> Result<T, E> {
        let text = match self {
            Self::String(text) => text,
            Self::Number(number) => number.to_string(),
        };
        text.parse().map_err(E::custom)
    }
}

/// Serde functions for a value that may be missing.
pub(super) mod one {
    use super::*;

    pub(crate) fn serialize<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let text = StringOrNumber::deserialize(deserializer).map_err(|_| D::Error::custom("expected a string"))?;
        text.parse().map(Some)
    }
}

/// Serde functions for a list of paths.
pub(super) mod paths {
    use std::path::PathBuf;

    use super::*;

    pub(crate) fn serialize<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(paths)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PathBuf>, D::Error> {
        let texts = OneOrManyStrings::deserialize(deserializer)
            .map_err(|_| D::Error::custom("expected a string or an array of strings"))?;
        Ok(match texts {
            OneOrManyStrings::One(path) => vec![path.into()],
            OneOrManyStrings::Several(paths) => paths.into_iter().map(PathBuf::from).collect(),
        })
    }
}

/// Serde functions for a list of values.
pub(super) mod many {
    use super::*;

    pub(crate) fn serialize<T: Display, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(ToString::to_string))
    }

    pub(crate) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<T>, D::Error> {
        let texts =
            OneOrMany::deserialize(deserializer).map_err(|_| D::Error::custom("expected an array of strings"))?;
        match texts {
            OneOrMany::One(text) => Ok(vec![text.parse()?]),
            OneOrMany::Several(texts) => texts.into_iter().map(StringOrNumber::parse).collect(),
        }
    }
}
