//! The text of a pyproject.toml, parsed once for everything that reads tables from it.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, Deserializer, Error};

use super::lines::KeyLines;

/// A TOML file: its values, and the lines of its keys. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct TomlDocument {
    /// The whole file.
    pub(crate) table: Arc<toml::Table>,
    /// The lines of its keys.
    pub(crate) lines: Arc<KeyLines>,
}

impl TomlDocument {
    /// Parses a text.
    ///
    /// # Errors
    /// It is not TOML.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        Self::parse_as::<toml::Table>(text).map(|(document, _)| document)
    }

    /// Removes all other keys from the top level.
    pub(super) fn retain(&mut self, keys: &[&str]) {
        Arc::make_mut(&mut self.table).retain(|key, _| keys.contains(&key));
    }

    /// Parses a text, and reads it as a type whose errors say where in the text they are.
    pub(super) fn parse_as<T: DeserializeOwned>(text: &str) -> Result<(Self, T), Error> {
        let root = DeTable::parse(text)?;
        let value = T::deserialize(Deserializer::from(root.clone()))?;
        let lines = KeyLines::of(Spanned::get_ref(&root), text);
        let table = toml::Table::deserialize(Deserializer::from(root))?;
        Ok((Self { table: Arc::new(table), lines: Arc::new(lines) }, value))
    }
}
