//! Parsing a logical line: options of the file, or a requirement with its hashes.
//!
//! Specification: [pip, requirements file format, supported options](https://pip.pypa.io/en/stable/reference/requirements-file-format/#supported-options).
//! Where pip and uv differ, the stricter is followed, except that the marker of `-e` is respected as by uv and not ignored as
//! by pip.

use std::iter::Peekable;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum RequirementsTxtStatement {
    /// One or more options.
    Options(Vec<FileOption>),
    Requirement {
        /// The requirement without its options.
        text: String,
        /// `-e`
        is_editable: bool,
        /// The values of `--hash`.
        hashes: Vec<String>,
    },
}

/// An option of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FileOption {
    /// `--requirement`
    Requirements(String),
    /// `--constraint`
    Constraints(String),
    /// `--index-url`
    IndexUrl(String),
    /// `--extra-index-url`
    ExtraIndexUrl(String),
    /// `--no-index`
    NoIndex,
    /// `--find-links`
    FindLinks(String),
    /// `--only-binary`
    OnlyBinary(String),
    /// `--no-binary`
    NoBinary(String),
    /// `--require-hashes`
    RequireHashes,
    /// An option that does not affect pinned requirements: `--pre`, `--prefer-binary`, `--trusted-host` and `--use-feature`.
    Ignored,
}

/// The options of a requirement that configure its build.
const BUILD_OPTIONS: [&str; 4] = ["--config-settings", "--config-setting", "--global-option", "--install-option"];

impl RequirementsTxtStatement {
    /// Parses a logical line, or returns why it is invalid.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        if let Some(rest) = editable(line) {
            return requirement(rest?, true);
        }
        if line.starts_with('-') { options(line).map(Self::Options) } else { requirement(line, false) }
    }
}

/// Returns the text after `-e`, if the line starts with it.
fn editable(line: &str) -> Option<Result<&str, String>> {
    let rest = line.strip_prefix("--editable").or_else(|| line.strip_prefix("-e"))?;
    let separated = rest.strip_prefix('=').or_else(|| rest.starts_with(char::is_whitespace).then_some(rest));
    match separated.map(str::trim) {
        Some("") => Some(Err("-e requires a directory or a repository".to_owned())),
        Some(rest) => {
            let quote = ['"', '\''].into_iter().find_map(|quote| rest.strip_prefix(quote)?.strip_suffix(quote));
            Some(Ok(quote.unwrap_or(rest)))
        }
        None if rest.is_empty() => Some(Err("-e requires a directory or a repository".to_owned())),
        None => None,
    }
}

/// Parses a requirement and its hashes.
fn requirement(line: &str, is_editable: bool) -> Result<RequirementsTxtStatement, String> {
    let mut dashes = line.match_indices("--");
    let end = dashes.find(|(at, _)| line[..*at].ends_with(char::is_whitespace)).map_or(line.len(), |(at, _)| at);
    let (text, options) = line.split_at(end);
    let mut hashes = Vec::new();
    let mut arguments = split_arguments(options)?.into_iter().peekable();
    while let Some(argument) = arguments.next() {
        let (name, value) = split_value(&argument);
        match name {
            "--hash" => hashes.push(required_value(name, value, &mut arguments)?),
            _ if BUILD_OPTIONS.contains(&name) => {
                return Err(format!("{name} is not supported: builds cannot be configured in a requirements file"));
            }
            _ if name.starts_with('-') => {
                return Err(format!("`{name}` is not an option of a requirement; expected --hash"));
            }
            _ => return Err(format!("unexpected `{name}` after a hash")),
        }
    }
    Ok(RequirementsTxtStatement::Requirement { text: text.trim().to_owned(), is_editable, hashes })
}

/// Parses a line of options.
fn options(line: &str) -> Result<Vec<FileOption>, String> {
    let mut options = Vec::new();
    let mut arguments = split_arguments(line)?.into_iter().peekable();
    while let Some(argument) = arguments.next() {
        if !argument.starts_with('-') {
            return Err(format!("unexpected `{argument}`; put values with spaces in quotation marks"));
        }
        let (name, value) = split_value(&argument);
        options.push(match option_with_value(name) {
            Some(option) => option(required_value(name, value, &mut arguments)?),
            None => option_without_value(name, value)?,
        });
    }
    Ok(options)
}

/// Returns the option with a name, if it takes a value.
fn option_with_value(name: &str) -> Option<fn(String) -> FileOption> {
    match name {
        "-r" | "--requirement" => Some(FileOption::Requirements),
        "-c" | "--constraint" => Some(FileOption::Constraints),
        "-i" | "--index-url" | "--pypi-url" => Some(FileOption::IndexUrl),
        "--extra-index-url" => Some(FileOption::ExtraIndexUrl),
        "-f" | "--find-links" => Some(FileOption::FindLinks),
        "--only-binary" => Some(FileOption::OnlyBinary),
        "--no-binary" => Some(FileOption::NoBinary),
        "--trusted-host" | "--use-feature" => Some(|_| FileOption::Ignored),
        _ => None,
    }
}

fn option_without_value(name: &str, value: Option<&str>) -> Result<FileOption, String> {
    match name {
        "--no-index" => flag(name, value, FileOption::NoIndex),
        "--require-hashes" => flag(name, value, FileOption::RequireHashes),
        "--pre" | "--prefer-binary" => flag(name, value, FileOption::Ignored),
        "--hash" => Err("--hash must be on the line of its requirement".to_owned()),
        "-e" | "--editable" => Err(format!("{name} must be on a separate line")),
        _ => Err(format!("`{name}` is not an option of a requirements file")),
    }
}

/// Returns an option that takes no value.
fn flag(name: &str, value: Option<&str>, option: FileOption) -> Result<FileOption, String> {
    match value {
        Some(_) => Err(format!("{name} takes no value")),
        None => Ok(option),
    }
}

/// Splits options as a POSIX shell does.
fn split_arguments(text: &str) -> Result<Vec<String>, String> {
    shlex::split(text).ok_or_else(|| "unclosed quotation mark".to_owned())
}

/// Splits an option from a value in the same argument: `--name=value`, `-n=value` or `-nvalue`.
fn split_value(argument: &str) -> (&str, Option<&str>) {
    if argument.starts_with("--") || !argument.starts_with('-') {
        return argument.split_once('=').map_or((argument, None), |(name, value)| (name, Some(value)));
    }
    let end = argument.char_indices().nth(2).map_or(argument.len(), |(at, _)| at);
    let (name, value) = argument.split_at(end);
    (name, (!value.is_empty()).then(|| value.strip_prefix('=').unwrap_or(value)))
}

/// Returns an option's value: that in the same argument, or the next argument.
fn required_value(
    name: &str,
    value: Option<&str>,
    arguments: &mut Peekable<impl Iterator<Item = String>>,
) -> Result<String, String> {
    let value = match value {
        Some(value) => Some(value.to_owned()),
        None => arguments.next_if(|argument| !argument.starts_with('-')),
    };
    value.filter(|value| !value.is_empty()).ok_or_else(|| format!("{name} requires a value"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_parsed_in_every_syntax() {
        fn index() -> FileOption {
            FileOption::IndexUrl("https://a/s".to_owned())
        }

        for (line, expected) in [
            ("-i https://a/s", vec![index()]),
            ("-ihttps://a/s", vec![index()]),
            ("-i=https://a/s", vec![index()]),
            ("--index-url=https://a/s --no-index", vec![index(), FileOption::NoIndex]),
            ("--index-url 'https://a/s'", vec![index()]),
            ("-r \"my file.txt\"", vec![FileOption::Requirements("my file.txt".to_owned())]),
            (
                "--pre --trusted-host a --use-feature=b",
                vec![FileOption::Ignored, FileOption::Ignored, FileOption::Ignored],
            ),
        ] {
            assert_eq!(
                RequirementsTxtStatement::parse(line),
                Ok(RequirementsTxtStatement::Options(expected)),
                "{line}"
            );
        }
    }

    #[test]
    fn requirements_are_split_from_their_hashes() {
        for (line, text, is_editable, hashes) in [
            ("a==1", "a==1", false, &[][..]),
            ("a==1 ; os_name == 'x'  --hash=b:c\t--hash d:e", "a==1 ; os_name == 'x'", false, &["b:c", "d:e"]),
            ("-e .", ".", true, &[]),
            ("-e './a b'", "./a b", true, &[]),
            ("--editable=./a--b[c, d] ; os_name == 'x'", "./a--b[c, d] ; os_name == 'x'", true, &[]),
        ] {
            let expected = RequirementsTxtStatement::Requirement {
                text: text.to_owned(),
                is_editable,
                hashes: hashes.iter().copied().map(str::to_owned).collect(),
            };
            assert_eq!(RequirementsTxtStatement::parse(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn invalid_lines_are_refused() {
        for (line, reason) in [
            ("--index-url", "requires a value"),
            ("--index-url --pre", "requires a value"),
            ("--index-url=", "requires a value"),
            ("--pre=x", "takes no value"),
            ("-r a b", "quotation marks"),
            ("-r 'a", "unclosed"),
            ("-e", "requires a directory"),
            ("--ext https://a", "not an option"),
            ("--hash=sha256:a", "must be on the line"),
            ("a==1 --hash", "requires a value"),
            ("a==1 --hash=x y", "unexpected"),
            ("a==1 --pre", "not an option of a requirement"),
            ("a==1 --config-settings a=b", "not supported"),
            ("-", "not an option"),
            ("-é", "not an option"),
        ] {
            let error = RequirementsTxtStatement::parse(line).unwrap_err();
            assert!(error.contains(reason), "{line}: {error}");
        }
    }
}
