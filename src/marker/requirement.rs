//! Requirements of distributions.
//!
//! Specification: [PyPA, dependency specifiers](https://packaging.python.org/en/latest/specifications/dependency-specifiers/#names).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use pep440_rs::{VersionSpecifier, VersionSpecifiers};

use super::Marker;
use super::cursor::{self, Cursor, DependencySyntaxError};
use super::parse::MarkerExpression;
use crate::hints::{Hints, did_you_mean};
use crate::name::{DistributionName, ExtraName};
use crate::redact;

/// A parsed requirement, for instance `uvicorn[standard]>=0.30; sys_platform == "linux"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The distribution.
    pub name: DistributionName,
    /// Its extras.
    pub extras: BTreeSet<ExtraName>,
    /// The accepted versions.
    pub constraint: VersionOrUrl,
    /// The environments in which the requirement applies; all, if it is `None`.
    pub marker: Option<Marker>,
}

/// The versions that a requirement accepts, or a direct reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionOrUrl {
    /// Every version.
    Any,
    /// The versions that satisfy all specifiers.
    Specifiers(VersionSpecifiers),
    /// The distribution at this URL, which may contain credentials.
    Url(String),
}

/// An invalid requirement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid requirement: {reason}, at character {position}", cursor::printable(&redact::text(.requirement)))]
pub struct InvalidRequirement {
    /// The text. Messages redact credentials in its URL.
    pub requirement: String,
    /// What is wrong.
    pub reason: String,
    /// The position of the error, in characters from 0.
    pub position: usize,
    hint: Option<String>,
}

impl Hints for InvalidRequirement {
    fn hints(&self) -> Vec<String> {
        self.hint.iter().cloned().collect()
    }
}

impl FromStr for Requirement {
    type Err = InvalidRequirement;

    fn from_str(text: &str) -> Result<Self, InvalidRequirement> {
        Self::parse(&mut Cursor::new(text)).map_err(|DependencySyntaxError { offset, reason, hint }| {
            InvalidRequirement {
                requirement: text.to_owned(),
                reason,
                position: cursor::characters_before(text, offset),
                hint,
            }
        })
    }
}

impl Requirement {
    /// `specification`
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, DependencySyntaxError> {
        cursor.skip_whitespace();
        let name = parse_name(cursor, "distribution name")?;
        cursor.skip_whitespace();
        let extras = parse_extras(cursor)?;
        cursor.skip_whitespace();
        let constraint = if cursor.eat("@") { parse_url(cursor)? } else { parse_specifiers(cursor)? };
        cursor.skip_whitespace();
        let marker = if cursor.eat(";") { Some(Marker(MarkerExpression::parse(cursor)?)) } else { None };
        cursor.expect_end(if marker.is_some() { "`and`, `or` or the end" } else { "a version, `;` or the end" })?;
        Ok(Self { name, extras, constraint, marker })
    }
}

/// `identifier`
fn parse_name<N: FromStr>(cursor: &mut Cursor<'_>, kind: &str) -> Result<N, DependencySyntaxError> {
    let missing = cursor.expected(&format!("{} {kind}", if kind.starts_with('e') { "an" } else { "a" }));
    let text = cursor.take_while(|character| character.is_ascii_alphanumeric() || "-_.".contains(character));
    if text.is_empty() {
        return Err(missing);
    }
    text.parse().map_err(|_| DependencySyntaxError { reason: format!("`{text}` is not a valid {kind}"), ..missing })
}

/// `extras`
fn parse_extras(cursor: &mut Cursor<'_>) -> Result<BTreeSet<ExtraName>, DependencySyntaxError> {
    let mut extras = BTreeSet::new();
    if !cursor.eat("[") {
        return Ok(extras);
    }
    cursor.skip_whitespace();
    if cursor.eat("]") {
        return Ok(extras);
    }
    loop {
        cursor.skip_whitespace();
        extras.insert(parse_name(cursor, "extra name")?);
        cursor.skip_whitespace();
        if cursor.eat("]") {
            return Ok(extras);
        }
        if !cursor.eat(",") {
            return Err(cursor.expected("`,` or `]`"));
        }
    }
}

/// `urlspec`. The URL ends at the first whitespace, because it may contain a `;`.
fn parse_url(cursor: &mut Cursor<'_>) -> Result<VersionOrUrl, DependencySyntaxError> {
    cursor.skip_whitespace();
    let url = cursor.take_while(|character| !matches!(character, ' ' | '\t'));
    if url.is_empty() {
        return Err(cursor.expected("a URL"));
    }
    Ok(VersionOrUrl::Url(url.to_owned()))
}

/// `versionspec`: any number of version specifiers, which may be in parentheses.
fn parse_specifiers(cursor: &mut Cursor<'_>) -> Result<VersionOrUrl, DependencySyntaxError> {
    let opening = cursor.error("unclosed parenthesis");
    let is_parenthesised = cursor.eat("(");
    let mut specifiers = vec![];
    loop {
        cursor.skip_whitespace();
        let start = cursor.offset();
        let text = cursor.take_while(|character| !matches!(character, ',' | ';' | ')' | '\r' | '\n')).trim_end();
        if text.is_empty() {
            break;
        }
        let specifier = text.parse::<VersionSpecifier>().map_err(|error| DependencySyntaxError {
            offset: start,
            reason: format!("`{text}` is not a valid version specifier ({})", first_line(&error.to_string())),
            hint: starts_with_digit(text).then(|| did_you_mean(&format!("=={text}"))),
        })?;
        specifiers.push(specifier);
        if !cursor.eat(",") {
            break;
        }
    }
    if is_parenthesised && !cursor.eat(")") {
        return Err(if cursor.rest().is_empty() { opening } else { cursor.expected("`)`") });
    }
    Ok(if specifiers.is_empty() {
        VersionOrUrl::Any
    } else {
        VersionOrUrl::Specifiers(specifiers.into_iter().collect())
    })
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|character: char| character.is_ascii_digit())
}

impl fmt::Display for Requirement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.name)?;
        if !self.extras.is_empty() {
            let extras: Vec<&str> = self.extras.iter().map(ExtraName::as_str).collect();
            write!(formatter, "[{}]", extras.join(","))?;
        }
        match &self.constraint {
            VersionOrUrl::Any => {}
            VersionOrUrl::Specifiers(specifiers) => write!(formatter, "{specifiers}")?,
            VersionOrUrl::Url(url) => write!(formatter, " @ {url}")?,
        }
        match (&self.marker, &self.constraint) {
            (None, _) => Ok(()),
            (Some(marker), VersionOrUrl::Url(_)) => write!(formatter, " ; {marker}"),
            (Some(marker), _) => write!(formatter, "; {marker}"),
        }
    }
}
