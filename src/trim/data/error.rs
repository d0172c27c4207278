//! What keeps a rule about data from being applied.

use std::fmt;

use super::{DataLibrary, SlimRule};
use crate::hints::{self, Hints};
use crate::syntax::SourceLine;

/// Which data is needed is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DataError {
    /// Code computes names, and no list is given.
    Computed { rule: SlimRule, first: SourceLine, others: usize },
    /// The artifact has no application whose code could name anything, and no list is given.
    NoApplication { rule: SlimRule },
    /// A list contains what the library does not have. `distribution` is the library with its version.
    UnknownName { rule: SlimRule, name: String, distribution: String, nearest: Option<String> },
    /// The code of a function names what a layer of it omits.
    OmittedByLayer { rule: SlimRule, name: String, location: SourceLine, layer: String },
}

impl DataError {
    fn library(&self) -> &'static DataLibrary {
        let (Self::Computed { rule, .. }
        | Self::NoApplication { rule }
        | Self::UnknownName { rule, .. }
        | Self::OmittedByLayer { rule, .. }) = self;
        DataLibrary::of(*rule).unwrap_or(&super::LIBRARIES[0])
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DataLibrary { rule, noun, .. } = self.library();
        match self {
            Self::Computed { first, others, .. } => {
                let more = match others {
                    0 => String::new(),
                    1 => " (and 1 other line)".to_owned(),
                    others => format!(" (and {others} other lines)"),
                };
                write!(formatter, "cannot tell which {noun}s the code uses: {first} computes the name{more}")
            }
            Self::NoApplication { .. } => {
                write!(
                    formatter,
                    "cannot tell which {noun}s are used: the artifact contains no application that names them"
                )
            }
            Self::UnknownName { name, distribution, .. } => {
                write!(formatter, "{distribution} has no {noun} `{}`, which --{rule} names", name.escape_debug())
            }
            Self::OmittedByLayer { name, location, layer, .. } => {
                write!(formatter, "{location} names the {noun} `{name}`, which layer `{layer}` omits")
            }
        }
    }
}

impl std::error::Error for DataError {}

impl Hints for DataError {
    fn hints(&self) -> Vec<String> {
        let DataLibrary { rule, noun, example, .. } = self.library();
        match self {
            Self::Computed { .. } => {
                vec![format!("pass every {noun} whose name is computed, such as --{rule} {example}")]
            }
            Self::NoApplication { .. } => vec![format!("pass every {noun} that is used, such as --{rule} {example}")],
            Self::OmittedByLayer { name, layer, .. } => {
                vec![format!("add `{name}` to `{rule}` of the target `{layer}`")]
            }
            Self::UnknownName { nearest, .. } => nearest.iter().map(|nearest| hints::did_you_mean(nearest)).collect(),
        }
    }
}
