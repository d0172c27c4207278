//! What an alias pointed to before, kept in its description: it changes in the same request as the version, so it is never
//! about another move.

/// The longest description, in characters.
const LONGEST: usize = 256;

/// A move of an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AliasRecord {
    pub(super) from: String,
    /// If the alias points to another version, somebody else moved it since, and the record is void.
    pub(super) to: String,
}

impl AliasRecord {
    /// Returns the record in a description.
    pub(super) fn of(description: &str) -> Option<Self> {
        let (_, record) = split(description)?;
        let (from, to) = record.split_once(" -> ")?;
        Some(Self { from: from.to_owned(), to: to.to_owned() })
    }

    /// Returns a description with the record of a move after the text that others wrote, unless there is no space for it.
    pub(super) fn describe(description: Option<&str>, from: Option<&str>, to: &str) -> String {
        let description = description.unwrap_or_default();
        let text = split(description).map_or(description, |(text, _)| text).trim_end();
        let Some(from) = from else { return text.to_owned() };
        let described = format!("{text} [pybundle: {from} -> {to}]").trim_start().to_owned();
        if described.chars().count() > LONGEST { text.to_owned() } else { described }
    }
}

/// Splits a description into the text of others and the record.
fn split(description: &str) -> Option<(&str, &str)> {
    let (text, record) = description.rsplit_once("[pybundle: ")?;
    Some((text, record.strip_suffix(']')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_move_is_recorded_after_what_others_wrote() {
        let described = AliasRecord::describe(Some("For customers"), Some("3"), "4");
        assert_eq!(described, "For customers [pybundle: 3 -> 4]");
        let again = AliasRecord::describe(Some(&described), Some("4"), "3");
        assert_eq!(again, "For customers [pybundle: 4 -> 3]");
        assert_eq!(AliasRecord::of(&again), Some(AliasRecord { from: "4".to_owned(), to: "3".to_owned() }));
        assert_eq!(AliasRecord::describe(None, Some("3"), "4"), "[pybundle: 3 -> 4]");
        assert_eq!(AliasRecord::describe(None, None, "1"), "");
        for text in ["", "For customers", "[pybundle: 3]", "[pybundle: 3 -> 4] and more"] {
            assert_eq!(AliasRecord::of(text), None, "{text}");
        }
    }

    #[test]
    fn a_text_that_leaves_no_space_stays_as_it_is() {
        let text = "ü".repeat(LONGEST - 5);
        assert_eq!(AliasRecord::describe(Some(&text), Some("3"), "4"), text);
    }
}
