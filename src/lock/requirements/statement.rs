//! What a logical line says: options of the file, or a requirement with its hashes.
//!
//! Specification: [pip, requirements file format, supported options](https://pip.pypa.io/en/stable/reference/requirements-file-format/#supported-options).
//! Where pip and uv differ the stricter is followed, but for `-e`, whose marker pip passes over and uv heeds.

use std::iter::Peekable;

/// What a logical line says.
#[derive(Debug, PartialEq, Eq)]
pub enum Statement {
    /// One or more options.
    Options(Vec<FileOption>),
    /// A requirement.
    Requirement {
        /// The requirement without its options.
        text: String,
        /// Whether it is editable (`-e`).
        is_editable: bool,
        /// Its hashes, as they are written.
        hashes: Vec<String>,
    },
}

/// An option of a file.
#[derive(Debug, PartialEq, Eq)]
pub enum FileOption {
    /// `--requirement`: a file whose requirements are required too.
    Requirements(String),
    /// `--constraint`: a file that says which versions are accepted of what is required.
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
    /// One that changes nothing of what is pinned: `--pre`, `--prefer-binary`, `--trusted-host` and `--use-feature`.
    Harmless,
}

/// The options of a requirement that only its build would see.
const OPTIONS_OF_BUILDS: [&str; 4] = ["--config-settings", "--config-setting", "--global-option", "--install-option"];

impl Statement {
    /// Reads a logical line.
    ///
    /// # Errors
    ///
    /// The reason, if the line is neither.
    pub fn parse(line: &str) -> Result<Self, String> {
        if let Some(rest) = editable(line) {
            return requirement(rest?, true);
        }
        if line.starts_with('-') { options(line).map(Self::Options) } else { requirement(line, false) }
    }
}

/// Returns what follows `-e`, to the end of the line.
fn editable(line: &str) -> Option<Result<&str, String>> {
    let rest = line.strip_prefix("--editable").or_else(|| line.strip_prefix("-e"))?;
    let separated = rest.strip_prefix('=').or_else(|| rest.starts_with(char::is_whitespace).then_some(rest));
    match separated.map(str::trim) {
        Some("") => Some(Err("-e must be followed by a folder or a repository".to_owned())),
        Some(rest) => {
            let quote = ['"', '\''].into_iter().find_map(|quote| rest.strip_prefix(quote)?.strip_suffix(quote));
            Some(Ok(quote.unwrap_or(rest)))
        }
        None if rest.is_empty() => Some(Err("-e must be followed by a folder or a repository".to_owned())),
        None => None,
    }
}

/// Reads a requirement, and the hashes after it.
fn requirement(line: &str, is_editable: bool) -> Result<Statement, String> {
    let starts_option = |(at, _): &(usize, &str)| line[..*at].ends_with(char::is_whitespace);
    let end = line.match_indices("--").find(starts_option).map_or(line.len(), |(at, _)| at);
    let (text, options) = line.split_at(end);
    let mut hashes = Vec::new();
    let mut words = words(options)?.into_iter().peekable();
    while let Some(word) = words.next() {
        let (name, value) = split(&word);
        match name {
            "--hash" => hashes.push(required(name, value, &mut words)?),
            _ if OPTIONS_OF_BUILDS.contains(&name) => {
                return Err(format!("{name} is not supported: it would say how a source distribution is built"));
            }
            _ if name.starts_with('-') => return Err(format!("`{name}` is not an option of a requirement: --hash is")),
            _ => return Err(format!("`{name}` is unexpected after a hash")),
        }
    }
    Ok(Statement::Requirement { text: text.trim().to_owned(), is_editable, hashes })
}

/// Reads a line of options.
fn options(line: &str) -> Result<Vec<FileOption>, String> {
    let mut options = Vec::new();
    let mut words = words(line)?.into_iter().peekable();
    while let Some(word) = words.next() {
        if !word.starts_with('-') {
            return Err(format!("`{word}` is unexpected: a value with spaces is put in quotation marks"));
        }
        let (name, value) = split(&word);
        let flag = |option| match value {
            Some(_) => Err(format!("{name} takes no value")),
            None => Ok(option),
        };
        let mut required = || required(name, value, &mut words);
        options.push(match name {
            "-r" | "--requirement" => FileOption::Requirements(required()?),
            "-c" | "--constraint" => FileOption::Constraints(required()?),
            "-i" | "--index-url" | "--pypi-url" => FileOption::IndexUrl(required()?),
            "--extra-index-url" => FileOption::ExtraIndexUrl(required()?),
            "-f" | "--find-links" => FileOption::FindLinks(required()?),
            "--only-binary" => FileOption::OnlyBinary(required()?),
            "--no-binary" => FileOption::NoBinary(required()?),
            "--trusted-host" | "--use-feature" => required().map(|_| FileOption::Harmless)?,
            "--no-index" => flag(FileOption::NoIndex)?,
            "--require-hashes" => flag(FileOption::RequireHashes)?,
            "--pre" | "--prefer-binary" => flag(FileOption::Harmless)?,
            "--hash" => return Err("--hash belongs on the line of its requirement".to_owned()),
            "-e" | "--editable" => return Err(format!("{name} belongs on a line of its own")),
            _ => return Err(format!("`{name}` is not an option of a file of requirements")),
        });
    }
    Ok(options)
}

/// Splits options as a POSIX shell does.
fn words(text: &str) -> Result<Vec<String>, String> {
    shlex::split(text).ok_or_else(|| "a quotation mark is not closed".to_owned())
}

/// Splits an option from a value that is written with it: `--name=value`, `-n=value` or `-nvalue`.
fn split(word: &str) -> (&str, Option<&str>) {
    if word.starts_with("--") || !word.starts_with('-') {
        return word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
    }
    let end = word.char_indices().nth(2).map_or(word.len(), |(at, _)| at);
    let (name, value) = word.split_at(end);
    (name, (!value.is_empty()).then(|| value.strip_prefix('=').unwrap_or(value)))
}

/// Returns an option's value: what is written with it, or the next word.
fn required(
    name: &str,
    value: Option<&str>,
    words: &mut Peekable<impl Iterator<Item = String>>,
) -> Result<String, String> {
    let value = match value {
        Some(value) => Some(value.to_owned()),
        None => words.next_if(|word| !word.starts_with('-')),
    };
    value.filter(|value| !value.is_empty()).ok_or_else(|| format!("{name} must be followed by a value"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_in_each_form() {
        let index = || FileOption::IndexUrl("https://a/s".to_owned());
        for (line, expected) in [
            ("-i https://a/s", vec![index()]),
            ("-ihttps://a/s", vec![index()]),
            ("-i=https://a/s", vec![index()]),
            ("--index-url=https://a/s --no-index", vec![index(), FileOption::NoIndex]),
            ("--index-url 'https://a/s'", vec![index()]),
            ("-r \"my file.txt\"", vec![FileOption::Requirements("my file.txt".to_owned())]),
            (
                "--pre --trusted-host a --use-feature=b",
                vec![FileOption::Harmless, FileOption::Harmless, FileOption::Harmless],
            ),
        ] {
            assert_eq!(Statement::parse(line), Ok(Statement::Options(expected)), "{line}");
        }
    }

    #[test]
    fn requirements_are_split_from_their_hashes() {
        let requirement = |text: &str, is_editable, hashes: &[&str]| Statement::Requirement {
            text: text.to_owned(),
            is_editable,
            hashes: hashes.iter().map(|hash| (*hash).to_owned()).collect(),
        };
        for (line, expected) in [
            ("a==1", requirement("a==1", false, &[])),
            (
                "a==1 ; os_name == 'x'  --hash=b:c\t--hash d:e",
                requirement("a==1 ; os_name == 'x'", false, &["b:c", "d:e"]),
            ),
            ("-e .", requirement(".", true, &[])),
            ("-e './a b'", requirement("./a b", true, &[])),
            ("--editable=./a--b[c, d] ; os_name == 'x'", requirement("./a--b[c, d] ; os_name == 'x'", true, &[])),
        ] {
            assert_eq!(Statement::parse(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn lines_that_are_neither_are_refused() {
        for (line, reason) in [
            ("--index-url", "followed by a value"),
            ("--index-url --pre", "followed by a value"),
            ("--index-url=", "followed by a value"),
            ("--pre=x", "takes no value"),
            ("-r a b", "quotation marks"),
            ("-r 'a", "not closed"),
            ("-e", "followed by a folder"),
            ("--ext https://a", "not an option"),
            ("--hash=sha256:a", "belongs on the line"),
            ("a==1 --hash", "followed by a value"),
            ("a==1 --hash=x y", "unexpected"),
            ("a==1 --pre", "not an option of a requirement"),
            ("a==1 --config-settings a=b", "not supported"),
            ("-", "not an option"),
            ("-é", "not an option"),
        ] {
            let error = Statement::parse(line).unwrap_err();
            assert!(error.contains(reason), "{line}: {error}");
        }
    }
}
