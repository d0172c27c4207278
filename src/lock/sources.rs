//! Indexes that a lock or its project lists.

use url::Url;

use super::PYPI;
use crate::redact;

/// An index that a lock or its project lists.
#[derive(Debug)]
pub(crate) struct LockSource {
    /// The name, by which distributions refer to it.
    pub(crate) name: Option<String>,
    /// The URL, which may contain credentials.
    pub(crate) url: Url,
    /// Whether it is asked in place of PyPI.
    pub(crate) is_default: bool,
    /// The environment variables in the URL that are not set.
    pub(crate) unset: Vec<String>,
}

impl LockSource {
    /// Parses the URL of an index that does not replace PyPI, or returns why it is invalid. `variable` returns the value of an
    /// environment variable.
    pub(super) fn parse(
        name: Option<&str>,
        url: &str,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let (text, unset) = expanded(url, variable);
        let url =
            Url::parse(&text).map_err(|error| format!("the source `{}` is invalid: {error}", redact::text(&text)))?;
        Ok(Self { name: name.map(str::to_owned), url, is_default: false, unset })
    }

    pub(super) fn is_pypi(&self) -> bool {
        self.url.as_str().trim_end_matches('/') == PYPI
    }
}

/// Expands `${NAME}` and `$NAME`, as pipenv does with `os.path.expandvars`: an unset variable is left as it is, and its name
/// returned, too.
fn expanded(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> (String, Vec<String>) {
    let (mut result, mut unset) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        result.push_str(before);
        let (name, end) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((name, _)) => (name, name.len() + 2),
            None => {
                let end = after.find(|character| !is_of_name(character)).unwrap_or(after.len());
                (&after[..end], end)
            }
        };
        match variable(name).filter(|_| !name.is_empty()) {
            Some(value) => result.push_str(&value),
            None => {
                result.extend(["$", &after[..end]]);
                unset.extend((!name.is_empty()).then(|| name.to_owned()));
            }
        }
        rest = &after[end..];
    }
    (result + rest, unset)
}

/// Returns whether a character may be part of the name of a variable.
fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn variables_are_expanded_as_python_expands_them() {
        for (text, expected, unset) in [
            ("https://${USER}:$PASS@host/simple", "https://u:p@host/simple", &[][..]),
            ("https://${UNSET}@host/$", "https://${UNSET}@host/$", &["UNSET"]),
            ("${USER", "${USER", &[]),
            ("$USER_x/${}", "$USER_x/${}", &["USER_x"]),
        ] {
            let variables = BTreeMap::from([("USER", "u"), ("PASS", "p")]);
            let (value, names) = expanded(text, &|name| variables.get(name).map(|value| (*value).to_owned()));
            assert_eq!(
                (value.as_str(), &names[..]),
                (expected, &unset.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()[..]),
                "{text}"
            );
        }
    }
}
