//! References to variables in the values that the user sets.
//!
//! Specification: [Dockerfile reference, environment replacement](https://docs.docker.com/reference/dockerfile/#environment-replacement).

use crate::hints::Hints;

/// A value with a `$` that is no reference to a variable of the image. The message has no value, which may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidEnvReference {
    /// Docker would silently put nothing there.
    #[error("the value of `{name}` refers to `${reference}`, which is not set in the image")]
    Unset { name: String, reference: String },
    #[error("the value of `{name}` has a `$` that is not followed by the name of a variable")]
    Malformed { name: String },
}

impl Hints for InvalidEnvReference {
    fn hints(&self) -> Vec<String> {
        vec![r"write `\$` for a literal `$`".to_owned()]
    }
}

/// Replaces `$NAME` and `${NAME}` in the value of a variable as a Dockerfile's `ENV` does; `\$` is a `$`.
///
/// # Errors
/// A reference is malformed, or `lookup` returns `None` for it.
pub(crate) fn substitute(
    name: &str,
    value: &str,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<String, InvalidEnvReference> {
    let (mut replaced, mut rest) = (String::new(), value);
    while let Some((text, after)) = rest.split_once('$') {
        if let Some(text) = text.strip_suffix('\\') {
            replaced.push_str(text);
            replaced.push('$');
            rest = after;
            continue;
        }
        replaced.push_str(text);
        let (reference, after) =
            split_name(after).ok_or_else(|| InvalidEnvReference::Malformed { name: name.to_owned() })?;
        let found = lookup(reference)
            .ok_or_else(|| InvalidEnvReference::Unset { name: name.to_owned(), reference: reference.to_owned() })?;
        replaced.push_str(&found);
        rest = after;
    }
    Ok(replaced + rest)
}

/// Splits `NAME` or `{NAME}` from the text after it.
fn split_name(text: &str) -> Option<(&str, &str)> {
    let (name, after) = match text.strip_prefix('{') {
        Some(inner) => inner.split_once('}')?,
        None => text.split_at(text.find(|character| !is_in_name(character)).unwrap_or(text.len())),
    };
    let is_name = name.chars().all(is_in_name) && !name.starts_with(|character: char| character.is_ascii_digit());
    (is_name && !name.is_empty()).then_some((name, after))
}

fn is_in_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        (name == "PATH").then(|| "/bin".to_owned())
    }

    #[test]
    fn references_are_replaced_as_in_a_dockerfile() {
        for (value, expected) in [
            ("/x:$PATH", "/x:/bin"),
            ("${PATH}:/x", "/bin:/x"),
            ("$PATH$PATH", "/bin/bin"),
            ("$PATH-x", "/bin-x"),
            (r"pa\$\$word \n", r"pa$$word \n"),
            ("", ""),
        ] {
            assert_eq!(substitute("A", value, lookup).unwrap(), expected, "{value}");
        }
        for (value, expected) in [
            ("$HOME", "the value of `A` refers to `$HOME`, which is not set in the image"),
            ("${PATHS}", "the value of `A` refers to `$PATHS`, which is not set in the image"),
            ("pa$$word", "the value of `A` has a `$` that is not followed by the name of a variable"),
            ("$1", "the value of `A` has a `$` that is not followed by the name of a variable"),
            ("${PATH", "the value of `A` has a `$` that is not followed by the name of a variable"),
            ("end$", "the value of `A` has a `$` that is not followed by the name of a variable"),
        ] {
            assert_eq!(substitute("A", value, lookup).unwrap_err().to_string(), expected, "{value}");
        }
    }
}
