//! Parsing the requirement or constraint of a line.

use std::collections::BTreeSet;

use pep440_rs::{Operator, Version, VersionSpecifiers};

use super::RequirementsEnvironment;
use super::error::{RequirementLine, RequirementsError};
use super::reference::{self, DirectReference, ReferenceFragment};
use crate::digest::Digest;
use crate::hints::{Hints, did_you_mean};
use crate::lock::Dependent;
use crate::marker::{self, ActiveExtras, InvalidMarker, Marker, Requirement, VersionOrUrl};
use crate::name::{DistributionName, ExtraName, InvalidName};
use crate::platform::MarkerEnvironment;

/// A requirement or a constraint.
#[derive(Debug)]
pub(super) struct RequirementEntry {
    pub(super) line: RequirementLine,
    pub(super) name: DistributionName,
    pub(super) extras: BTreeSet<ExtraName>,
    pub(super) constraint: VersionOrReference,
    pub(super) marker: Option<Marker>,
    /// The file must have one of these digests; empty if the line has none.
    pub(super) digests: BTreeSet<Digest>,
    /// The dependents that comments name.
    pub(super) via: BTreeSet<Dependent>,
}

#[derive(Debug)]
pub(super) enum VersionOrReference {
    /// Every version, if there are no specifiers.
    Versions(VersionSpecifiers),
    Reference(Box<DirectReference>),
}

impl RequirementEntry {
    /// Returns the versions that the line pins: `==1.0` and `===1.0`, but not `==1.*`.
    pub(super) fn pinned_versions(&self) -> impl Iterator<Item = Version> {
        let specifiers = match &self.constraint {
            VersionOrReference::Versions(specifiers) => Some(specifiers),
            VersionOrReference::Reference(_) => None,
        };
        let specifiers = specifiers.into_iter().flat_map(|specifiers| specifiers.iter());
        specifiers
            .filter(|specifier| matches!(specifier.operator(), Operator::Equal | Operator::ExactEqual))
            .map(|specifier| specifier.version().clone())
    }

    /// Returns whether the line accepts a version. A direct reference accepts every version.
    pub(super) fn accepts(&self, version: &Version) -> bool {
        match &self.constraint {
            VersionOrReference::Versions(specifiers) => {
                specifiers.iter().all(|specifier| marker::contains(specifier, version))
            }
            VersionOrReference::Reference(_) => true,
        }
    }
}

/// The parts of a line, before the requirement itself is parsed.
pub(super) struct UnparsedRequirement<'a> {
    pub(super) line: RequirementLine,
    /// The requirement without its options.
    pub(super) text: &'a str,
    /// The text with its variables expanded, whose values may be secret.
    pub(super) expanded: &'a str,
    /// `-e`
    pub(super) is_editable: bool,
    /// `--hash`
    pub(super) digests: BTreeSet<Digest>,
    pub(super) via: BTreeSet<Dependent>,
}

impl RequirementEntry {
    /// Returns whether the line applies in an environment.
    pub(super) fn applies(&self, environment: &MarkerEnvironment) -> bool {
        self.marker.as_ref().is_none_or(|marker| marker.evaluate(environment, &ActiveExtras::default()))
    }

    /// Returns what the line pins the distribution `name` to, for messages.
    pub(super) fn pin_text(&self, name: &DistributionName) -> Option<String> {
        match &self.constraint {
            VersionOrReference::Versions(_) => self.pinned_versions().next().map(|version| format!("{name} {version}")),
            VersionOrReference::Reference(_) => Some(self.line.text.clone()),
        }
    }
}

impl UnparsedRequirement<'_> {
    /// Parses the requirement.
    pub(super) fn parse(self, environment: &RequirementsEnvironment) -> Result<RequirementEntry, RequirementsError> {
        if reference::is_unnamed(self.expanded) {
            return self.parse_unnamed(environment);
        }
        let requirement: Requirement = self.expanded.parse().map_err(|_| self.invalid_requirement())?;
        match requirement.constraint {
            // `-e foo` is the directory `foo`.
            VersionOrUrl::Any if self.is_editable => self.parse_unnamed(environment),
            VersionOrUrl::Specifiers(_) if self.is_editable => {
                Err(self.invalid("only a directory or a repository can be editable"))
            }
            VersionOrUrl::Any if [".txt", ".in"].iter().any(|ending| self.text.ends_with(ending)) => {
                let reason = format!("`{}` looks like a requirements file", self.line.text);
                let hint = Some(did_you_mean(&format!("-r {}", self.line.text)));
                Err(RequirementsError::syntax(&self.line.location, reason, hint))
            }
            _ => self.parse_named(requirement, environment),
        }
    }

    fn parse_named(
        self,
        requirement: Requirement,
        environment: &RequirementsEnvironment,
    ) -> Result<RequirementEntry, RequirementsError> {
        let Requirement { name, extras, constraint, marker } = requirement;
        let (constraint, digests) = match constraint {
            VersionOrUrl::Any => (VersionOrReference::Versions(VersionSpecifiers::empty()), self.digests),
            VersionOrUrl::Specifiers(specifiers) => (VersionOrReference::Versions(specifiers), self.digests),
            VersionOrUrl::Url(url) => {
                let (reference, fragment) = self.reference(&url, environment)?;
                // The name of an archive may differ from that of the distribution.
                if let DirectReference::Wheel(filename, _) = &reference
                    && filename.name != name
                {
                    return Err(self.invalid(&format!("the wheel is for `{}`", filename.name)));
                }
                let digests = self.combined_digests(&reference, &fragment)?;
                (VersionOrReference::Reference(Box::new(reference)), digests)
            }
        };
        Ok(RequirementEntry { line: self.line, name, extras, constraint, marker, digests, via: self.via })
    }

    /// Parses a reference without a name, which may end in extras, and may have a marker after a space.
    fn parse_unnamed(self, environment: &RequirementsEnvironment) -> Result<RequirementEntry, RequirementsError> {
        let (text, marker) = split_marker(self.expanded);
        if text.contains(';') && !text.contains("://") {
            return Err(self.invalid("the `;` of a marker must follow a space"));
        }
        let marker: Option<Marker> = marker
            .map(str::parse)
            .transpose()
            .map_err(|error: InvalidMarker| self.invalid(&format!("invalid marker: {}", error.reason)))?;
        let (text, extras) = split_extras(text).map_err(|reason| self.invalid(&reason))?;
        let (reference, fragment) = self.reference(text, environment)?;
        let name = match (&fragment.name, &reference) {
            (Some(name), _) => Some(name.clone()),
            (None, DirectReference::Directory(directory)) => (environment.name)(directory),
            (None, reference) => reference.name(),
        };
        let name: DistributionName = name.ok_or_else(|| {
            let hint = format!("add its name: `NAME @ {}`", self.line.text);
            let reason = format!("`{}` has no distribution name", self.line.text);
            RequirementsError::syntax(&self.line.location, reason, Some(hint))
        })?;
        let digests = self.combined_digests(&reference, &fragment)?;
        let constraint = VersionOrReference::Reference(Box::new(reference));
        Ok(RequirementEntry { line: self.line, name, extras, constraint, marker, digests, via: self.via })
    }

    fn reference(
        &self,
        text: &str,
        environment: &RequirementsEnvironment,
    ) -> Result<(DirectReference, ReferenceFragment), RequirementsError> {
        let (reference, fragment) =
            DirectReference::parse(text, environment.project).map_err(|reason| self.invalid(&reason))?;
        if self.is_editable && reference.is_file() {
            return Err(self.invalid("only a directory or a repository can be editable"));
        }
        Ok((reference, fragment))
    }

    /// Returns the digests of a reference: that of its URL, which must be consistent with those of `--hash`.
    fn combined_digests(
        &self,
        reference: &DirectReference,
        fragment: &ReferenceFragment,
    ) -> Result<BTreeSet<Digest>, RequirementsError> {
        let hashes = &self.digests;
        match &fragment.digest {
            None if hashes.is_empty() => Ok(BTreeSet::new()),
            _ if !reference.is_file() => Err(self.invalid("a directory or a repository cannot have a hash")),
            None => Ok(hashes.clone()),
            Some(own) if hashes.is_empty() || hashes.contains(own) => Ok([own.clone()].into()),
            Some(own) if hashes.iter().any(|digest| digest.algorithm() == own.algorithm()) => {
                Err(self.invalid("its --hash differs from the hash in its URL"))
            }
            Some(_) => Ok(hashes.clone()),
        }
    }

    /// Returns the error that the text is not a requirement. The reason is that of the unexpanded text, because the values of
    /// variables may be secret.
    fn invalid_requirement(&self) -> RequirementsError {
        let (reason, hint) = match self.text.parse::<Requirement>() {
            Err(error) => (error.reason.clone(), error.hints().into_iter().next()),
            Ok(_) => ("the values of its environment variables make it invalid".to_owned(), None),
        };
        let reason = format!("`{}` is not a valid requirement: {reason}", self.line.text);
        RequirementsError::syntax(&self.line.location, reason, hint)
    }

    fn invalid(&self, reason: &str) -> RequirementsError {
        RequirementsError::syntax(&self.line.location, format!("`{}`: {reason}", self.line.text), None)
    }
}

/// Splits a reference from its marker, whose `;` follows whitespace.
fn split_marker(text: &str) -> (&str, Option<&str>) {
    let mut semicolons = text.match_indices(';');
    match semicolons.find(|(at, _)| text[..*at].ends_with(char::is_whitespace)) {
        Some((at, _)) => (text[..at].trim(), Some(&text[at + 1..])),
        None => (text.trim(), None),
    }
}

/// Splits a reference from its extras.
fn split_extras(text: &str) -> Result<(&str, BTreeSet<ExtraName>), String> {
    let Some((reference, extras)) = text.strip_suffix(']').and_then(|text| text.rsplit_once('[')) else {
        return Ok((text, BTreeSet::new()));
    };
    if extras.trim().is_empty() {
        return Ok((reference.trim_end(), BTreeSet::new()));
    }
    let extras: Result<_, _> = extras.split(',').map(|extra| extra.trim().parse()).collect();
    Ok((reference.trim_end(), extras.map_err(|error: InvalidName| error.to_string())?))
}
