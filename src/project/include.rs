//! The files that the user includes in the application, and their destinations.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::tree::{FileMode, FileOwner};

/// A path to include: `PATH[:DEST]`, or a table with the keys `path`, `to`, `mode` and `owner`.
///
/// `PATH` is a file or a directory, absolute or relative to the project. Without `DEST` it keeps its name at the artifact's
/// root, as after `cp -r PATH .`; `.` stands for the contents of the project's directory. `DEST` is the path in the artifact
/// of the file, or of the directory's contents; `.` is the root. A `DEST` that ends in `/` is a directory that `PATH` is put
/// into under its own name. A `DEST` that begins with `/` starts at the root of an image's file system; a Lambda zip cannot
/// contain it.
///
/// `mode` applies to the file, or to every file in the directory; by default it is 0755 for executable files and 0644 for
/// others. `owner` applies to files and directories, even to empty ones; by default all are owned by root. Directories
/// have the mode 0755.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Include {
    pub(super) source: PathBuf,
    pub(super) destination: IncludeDestination,
    pub(super) mode: Option<FileMode>,
    pub(super) owner: Option<FileOwner>,
}

/// A path in the artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IncludeDestination {
    pub(super) start: DestinationRoot,
    /// Relative to the start, without leading or trailing slashes; empty for the start itself.
    pub(super) path: String,
    /// Whether the path is a directory that the source is put into under its own name.
    pub(super) is_directory: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DestinationRoot {
    /// At the application directory, which is the root of a zip.
    Application,
    /// At the root of an image's file system.
    Root,
}

/// A text that is not a valid `PATH[:DEST]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid PATH[:DEST]: {reason}")]
pub(crate) struct InvalidInclude {
    pub(crate) text: String,
    pub(crate) reason: &'static str,
}

impl Include {
    /// Includes a file or a directory under its own name at the artifact's root.
    pub(super) fn of(path: &Path) -> Self {
        Self { source: path.to_owned(), destination: IncludeDestination::unstated(), mode: None, owner: None }
    }

    /// Resolves a relative path against a directory.
    pub(crate) fn rebase(&mut self, directory: &Path) {
        self.source = directory.join(&self.source);
    }

    /// Parses `PATH[:DEST]`, or returns the reason why the string is invalid.
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (source, to) = text.rsplit_once(':').map_or((text, None), |(source, to)| (source, Some(to)));
        if source.is_empty() {
            return Err("the path is empty");
        }
        let destination = to.map_or_else(|| Ok(IncludeDestination::unstated()), str::parse)?;
        Ok(Self { source: PathBuf::from(source), destination, mode: None, owner: None })
    }

    /// Returns `PATH[:DEST]`, without mode and owner.
    fn text(&self) -> String {
        let source = self.source.to_string_lossy();
        self.destination.text().map_or_else(|| source.to_string(), |to| format!("{source}:{to}"))
    }
}

impl IncludeDestination {
    /// Returns the default: the application directory.
    fn unstated() -> Self {
        Self { start: DestinationRoot::Application, path: String::new(), is_directory: true }
    }

    /// Returns `DEST`, or `None` for the default.
    pub(super) fn text(&self) -> Option<String> {
        let Self { start, path, is_directory } = self;
        match (start, path.as_str(), is_directory) {
            (DestinationRoot::Application, "", true) => None,
            (DestinationRoot::Application, "", false) => Some(".".to_owned()),
            (DestinationRoot::Application, path, _) => Some(format!("{path}{}", if *is_directory { "/" } else { "" })),
            (DestinationRoot::Root, "", true) => Some("/".to_owned()),
            (DestinationRoot::Root, "", false) => Some("/.".to_owned()),
            (DestinationRoot::Root, path, _) => Some(format!("/{path}{}", if *is_directory { "/" } else { "" })),
        }
    }
}

impl FromStr for IncludeDestination {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        if text.is_empty() {
            Err("the destination is empty")
        } else if parts.contains(&"..") {
            Err("the destination has the component `..`")
        } else {
            let start = if text.starts_with('/') { DestinationRoot::Root } else { DestinationRoot::Application };
            Ok(Self { start, path: parts.join("/"), is_directory: text.ends_with('/') })
        }
    }
}

impl FromStr for Include {
    type Err = InvalidInclude;

    fn from_str(text: &str) -> Result<Self, InvalidInclude> {
        Self::parse(text).map_err(|reason| InvalidInclude { text: text.to_owned(), reason })
    }
}

/// The form of an include that has more to say than a text can.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "IncludeTable")]
struct IncludeTable {
    /// A file or a directory, relative to the directory of the configuration file.
    #[schemars(length(min = 1))]
    path: String,
    /// Its path in the artifact, or, with a slash at its end, the folder that it goes into by its own name. In images, a
    /// slash at its beginning stands for the root of the file system. Without it, its own name at the artifact's root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    to: Option<String>,
    /// The mode of the file, or of every file in the folder: three octal digits. Without it, 0755 for what is executable
    /// and 0644 for the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", regex(pattern = "^0?[0-7]{3}$"))]
    mode: Option<DigitString>,
    /// The owner in an image, by numbers: UID or UID:GID. Without it, root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", regex(pattern = "^[0-9]+(:[0-9]+)?$"))]
    owner: Option<DigitString>,
}

impl IncludeTable {
    /// Returns the include, or the reason why a value is invalid.
    fn include(&self) -> Result<Include, String> {
        let destination = match &self.to {
            Some(to) => to.parse::<IncludeDestination>()?,
            None => IncludeDestination::unstated(),
        };
        let mode = self.mode.as_ref().map(|DigitString(text)| text.parse::<FileMode>()).transpose();
        let owner = self.owner.as_ref().map(|DigitString(text)| text.parse::<FileOwner>()).transpose();
        Ok(Include {
            source: PathBuf::from(&self.path),
            destination,
            mode: mode.map_err(|error| error.to_string())?,
            owner: owner.map_err(|error| error.to_string())?,
        })
    }
}

/// A string of digits: TOML would read `0644` without quotation marks as a number.
#[derive(Serialize)]
struct DigitString(String);

impl<'de> Deserialize<'de> for DigitString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DigitStringVisitor;
        impl Visitor<'_> for DigitStringVisitor {
            type Value = DigitString;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string: put the digits in quotation marks")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<DigitString, E> {
                Ok(DigitString(text.to_owned()))
            }
        }
        deserializer.deserialize_any(DigitStringVisitor)
    }
}

impl<'de> Deserialize<'de> for Include {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IncludeVisitor;
        impl<'de> Visitor<'de> for IncludeVisitor {
            type Value = Include;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string PATH[:DEST], or a table with the keys path, to, mode and owner")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Include, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Include, A::Error> {
                let table = IncludeTable::deserialize(MapAccessDeserializer::new(map))?;
                if table.path.is_empty() {
                    return Err(de::Error::custom("the path of an include is empty"));
                }
                table
                    .include()
                    .map_err(|reason| de::Error::custom(format!("`{}` cannot be included: {reason}", table.path)))
            }
        }
        deserializer.deserialize_any(IncludeVisitor)
    }
}

impl Serialize for Include {
    /// Serializes as a string if that is enough, else as a table.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.text();
        if text.parse().as_ref() == Ok(self) {
            return text.serialize(serializer);
        }
        let table = IncludeTable {
            path: self.source.to_string_lossy().into_owned(),
            to: self.destination.text(),
            mode: self.mode.map(|mode| DigitString(mode.to_string())),
            owner: self.owner.map(|owner| DigitString(owner.to_string())),
        };
        table.serialize(serializer)
    }
}

impl JsonSchema for Include {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Include".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "A file or a directory of the application, and where it goes.",
            "anyOf": [
                { "description": "PATH[:DEST]", "type": "string", "minLength": 1 },
                generator.subschema_for::<IncludeTable>(),
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn include(value: Value) -> Result<Include, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn a_text_and_a_table_mean_the_same() {
        for (text, to) in [
            ("src", None),
            ("src:app", Some("app")),
            ("src:app/", Some("app/")),
            ("src:.", Some(".")),
            ("src:/", Some("/")),
            ("src:/.", Some("/.")),
            ("src:/usr/local/bin/", Some("/usr/local/bin/")),
            ("src:/usr/local/bin/run", Some("/usr/local/bin/run")),
        ] {
            let parsed = include(json!(text)).unwrap();
            assert_eq!(parsed, text.parse().unwrap());
            assert_eq!(parsed, include(json!({ "path": "src", "to": to })).unwrap(), "{text}");
            assert_eq!(json!(parsed), json!(text));
        }
    }

    #[test]
    fn what_a_text_cannot_say_is_written_as_a_table() {
        for table in [
            json!({ "path": "run.sh", "mode": "0755" }),
            json!({ "path": "run.sh", "to": "/usr/bin/", "mode": "0640", "owner": "1000:50" }),
            json!({ "path": "a:b" }),
        ] {
            assert_eq!(json!(include(table.clone()).unwrap()), table);
        }
        assert_eq!(json!(include(json!({ "path": "a:b", "to": "c" })).unwrap()), "a:b:c");
        let parsed = include(json!({ "path": "run.sh", "mode": "755", "owner": "7" })).unwrap();
        assert_eq!(json!(parsed), json!({ "path": "run.sh", "mode": "0755", "owner": "7:7" }));
        let mut moved = parsed;
        moved.rebase(Path::new("/project"));
        assert_eq!(moved.source, Path::new("/project/run.sh"));
    }

    #[test]
    fn what_is_no_include_is_refused() {
        for (value, expected) in [
            (json!(""), "`` is not a valid PATH[:DEST]: the path is empty"),
            (json!("a:"), "the destination is empty"),
            (json!("a:../b"), "the destination has the component `..`"),
            (json!(1), "expected a string PATH[:DEST], or a table with the keys path, to, mode and owner"),
            (json!({ "to": "a" }), "missing field `path`"),
            (json!({ "path": "" }), "the path of an include is empty"),
            (
                json!({ "path": "a", "dest": "b" }),
                "unknown field `dest`, expected one of `path`, `to`, `mode`, `owner`",
            ),
            (json!({ "path": "a", "to": "" }), "`a` cannot be included: the destination is empty"),
            (json!({ "path": "a", "mode": 755 }), "expected a string: put the digits in quotation marks"),
            (json!({ "path": "a", "mode": "u+x" }), "`a` cannot be included: `u+x` is not a valid mode"),
            (json!({ "path": "a", "mode": "4755" }), "the mode `4755` sets the setuid, setgid or sticky bit"),
            (json!({ "path": "a", "owner": "app" }), "`app` is not a valid owner: expected UID or UID:GID"),
        ] {
            let error = include(value).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn the_schema_has_both_forms() {
        let schema = schemars::schema_for!(Include).to_value();
        assert_eq!(schema["anyOf"][0]["type"], "string");
        let table = &schema["$defs"]["IncludeTable"];
        assert_eq!((&table["additionalProperties"], &table["required"]), (&json!(false), &json!(["path"])));
        assert_eq!(table["properties"]["mode"]["pattern"], "^0?[0-7]{3}$");
    }
}
