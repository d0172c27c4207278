//! Kubernetes manifests and ECS task definitions, whose values `pybundle://TARGET` stand for the image of a target.
//!
//! Both are YAML 1.2, of which JSON is a part. Only the references are replaced, at their positions in the text: a file that
//! is written anew from its values would lose comments, some of which are functional (Flux's image policies), and quotes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use granit_parser::{Event, Parser, ScalarStyle, ScanError};

use crate::hints::Hints;
use crate::limited_reader::{self, LARGEST_PROJECT_FILE, read_regular_file};

/// What a reference begins with.
const SCHEME: &str = "pybundle://";

/// A file with references to targets.
#[derive(Debug)]
pub(crate) struct DeploymentFile {
    /// The name of the file for messages.
    name: PathBuf,
    text: String,
    references: Vec<TargetReference>,
    /// The lines that have what looks like a reference and is not replaced.
    kept: Vec<KeptReference>,
}

/// A value that names a target.
#[derive(Debug)]
struct TargetReference {
    target: String,
    /// The position of the value with its quotes, in bytes.
    span: Range<usize>,
    quote: &'static str,
    line: usize,
}

/// What looks like a reference and is not replaced, because it is not a value of its own.
#[derive(Debug)]
struct KeptReference {
    line: usize,
    reason: &'static str,
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidDeploymentFile {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot read {}: it is not UTF-8", .0.display())]
    NotUtf8(PathBuf),
    #[error("cannot parse {}", path.display())]
    Parse {
        path: PathBuf,
        /// Whether the text has the actions of a template of Helm or Go.
        is_template: bool,
        source: Box<ScanError>,
    },
    #[error("`{SCHEME}` in {}, line {line}, names no target", path.display())]
    NoName { path: PathBuf, line: usize },
}

impl Hints for InvalidDeploymentFile {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Parse { is_template: true, .. } => {
                vec!["render the template first: `helm template CHART | pybundle resolve -`".to_owned()]
            }
            Self::NoName { .. } => vec![format!("name a target of [tool.pybundle]: `{SCHEME}NAME`")],
            Self::Read { .. } | Self::NotUtf8(_) | Self::Parse { .. } => Vec::new(),
        }
    }
}

impl DeploymentFile {
    /// Reads a file, of at most [`LARGEST_PROJECT_FILE`] bytes.
    ///
    /// # Errors
    /// The file cannot be read, is not YAML in UTF-8, or has a reference without a name.
    pub(crate) fn read(path: &Path) -> Result<Self, InvalidDeploymentFile> {
        let bytes = read_regular_file(path, LARGEST_PROJECT_FILE);
        let bytes = bytes.map_err(|source| InvalidDeploymentFile::Read { path: path.to_owned(), source })?;
        Self::new(path, bytes)
    }

    /// Reads a stream with the name `path`, of at most [`LARGEST_PROJECT_FILE`] bytes.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(crate) fn read_stream(path: &Path, stream: impl Read) -> Result<Self, InvalidDeploymentFile> {
        let bytes = limited_reader::read_stream(stream, path, LARGEST_PROJECT_FILE);
        let bytes = bytes.map_err(|source| InvalidDeploymentFile::Read { path: path.to_owned(), source })?;
        Self::new(path, bytes)
    }

    fn new(name: &Path, bytes: Vec<u8>) -> Result<Self, InvalidDeploymentFile> {
        let text = String::from_utf8(bytes).map_err(|_| InvalidDeploymentFile::NotUtf8(name.to_owned()))?;
        let mut file = Self { name: name.to_owned(), text, references: Vec::new(), kept: Vec::new() };
        let mut position = NodePosition::default();
        for event in Parser::new_from_str(&file.text) {
            let (event, span) = event.map_err(|source| InvalidDeploymentFile::Parse {
                path: name.to_owned(),
                is_template: file.text.contains("{{"),
                source: Box::new(source),
            })?;
            let is_key = position.advance(&event);
            let Event::Scalar(value, style, ..) = &event else { continue };
            let line = span.start.line();
            let (Some((before, target)), Some(span)) = (value.split_once(SCHEME), span.byte_range()) else { continue };
            let quote = match style {
                ScalarStyle::Plain => Some(""),
                ScalarStyle::SingleQuoted => Some("'"),
                ScalarStyle::DoubleQuoted => Some("\""),
                // What is in a block is text, such as a file of a ConfigMap, which may mean something else by it.
                _ => None,
            };
            match quote.filter(|_| before.is_empty() && !is_key) {
                Some(_) if target.is_empty() => {
                    return Err(InvalidDeploymentFile::NoName { path: name.to_owned(), line });
                }
                Some(quote) => file.references.push(TargetReference { target: target.to_owned(), span, quote, line }),
                None if is_key => file.kept.push(KeptReference { line, reason: "it is a key" }),
                None => file.kept.push(KeptReference { line, reason: "it is a part of a longer text" }),
            }
        }
        Ok(file)
    }

    /// Returns the names of the targets.
    pub(crate) fn targets(&self) -> BTreeSet<&str> {
        self.references.iter().map(|reference| reference.target.as_str()).collect()
    }

    /// Returns where a target is named, for messages.
    pub(crate) fn position(&self, target: &str) -> Option<String> {
        let reference = self.references.iter().find(|reference| reference.target == target)?;
        Some(format!("{}, line {}", self.name.display(), reference.line))
    }

    /// Returns a warning for each reference that is not replaced.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = String> {
        self.kept.iter().map(|KeptReference { line, reason }| {
            format!("`{SCHEME}` in {}, line {line}, is not replaced: {reason}", self.name.display())
        })
    }

    /// Returns the text with references replaced by images, which have the names of their targets. Others are left as they are.
    pub(crate) fn resolved(&self, images: &BTreeMap<String, String>) -> String {
        let mut resolved = String::with_capacity(self.text.len());
        let mut end = 0;
        for TargetReference { target, span, quote, .. } in &self.references {
            let Some(image) = images.get(target) else { continue };
            resolved.push_str(&self.text[end..span.start]);
            // The characters of an image reference have no meaning in YAML, whatever the style of the scalar.
            resolved.extend([quote, image.as_str(), quote]);
            end = span.end;
        }
        resolved.push_str(&self.text[end..]);
        resolved
    }
}

/// Where in the collections that contain it a node is.
#[derive(Debug, Default)]
struct NodePosition {
    /// For each collection, from the outermost: whether its next node is a key; `None` for a sequence.
    collections: Vec<Option<bool>>,
}

impl NodePosition {
    /// Passes an event, and returns whether it begins a key of a mapping.
    fn advance(&mut self, event: &Event) -> bool {
        if matches!(event, Event::SequenceEnd | Event::MappingEnd) {
            self.collections.pop();
            return false;
        }
        if !event.is_node() {
            return false;
        }
        let is_key = match self.collections.last_mut() {
            Some(Some(is_key)) => std::mem::replace(is_key, !*is_key),
            _ => false,
        };
        match event {
            Event::SequenceStart(..) => self.collections.push(None),
            Event::MappingStart(..) => self.collections.push(Some(true)),
            _ => {}
        }
        is_key
    }
}

#[cfg(test)]
mod tests;
