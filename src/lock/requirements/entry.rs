//! A requirement or a constraint, as a line has it.

use std::collections::BTreeSet;

use pep440_rs::{Operator, Version, VersionSpecifiers};

use super::Surroundings;
use super::error::{RequirementsError, Stated};
use super::reference::{self, Fragment, Reference};
use crate::digest::Digest;
use crate::hints::{Hints, did_you_mean};
use crate::lock::Dependent;
use crate::marker::{self, Constraint, InvalidMarker, Marker, Requirement};
use crate::name::{DistributionName, ExtraName, InvalidName};

/// A requirement or a constraint.
#[derive(Debug)]
pub struct Entry {
    /// Its text and its place.
    pub stated: Stated,
    /// The distribution.
    pub name: DistributionName,
    /// Its extras.
    pub extras: BTreeSet<ExtraName>,
    /// Which of its versions.
    pub accepts: Accepts,
    /// When it applies; always, if there is none.
    pub marker: Option<Marker>,
    /// The digests of which the file must have one; empty if none is given.
    pub digests: BTreeSet<Digest>,
    /// Who asks for it, as comments say.
    pub via: BTreeSet<Dependent>,
}

/// What a requirement accepts.
#[derive(Debug)]
pub enum Accepts {
    /// The versions that satisfy all specifiers; every version, if there is none.
    Versions(VersionSpecifiers),
    /// What a direct reference leads to.
    Reference(Box<Reference>),
}

impl Entry {
    /// Returns the versions that the line names exactly: `==1.0` and `===1.0`, but not `==1.*`.
    pub fn exact(&self) -> impl Iterator<Item = Version> {
        let specifiers = match &self.accepts {
            Accepts::Versions(specifiers) => Some(specifiers),
            Accepts::Reference(_) => None,
        };
        let is_exact = |operator: &Operator| matches!(operator, Operator::Equal | Operator::ExactEqual);
        let exact = specifiers.into_iter().flat_map(|specifiers| specifiers.iter());
        exact.filter(move |specifier| is_exact(specifier.operator())).map(|specifier| specifier.version().clone())
    }

    /// Returns whether the line accepts a version; a direct reference is not asked.
    pub fn accepts(&self, version: &Version) -> bool {
        match &self.accepts {
            Accepts::Versions(specifiers) => specifiers.iter().all(|specifier| marker::contains(specifier, version)),
            Accepts::Reference(_) => true,
        }
    }
}

/// A line's parts, before the requirement itself is read.
pub struct Written<'a> {
    /// What messages say of it.
    pub stated: Stated,
    /// The requirement without its options.
    pub text: &'a str,
    /// The same with the values of its variables, which may be secret.
    pub expanded: &'a str,
    /// Whether it is editable (`-e`).
    pub is_editable: bool,
    /// The digests of its `--hash`.
    pub digests: BTreeSet<Digest>,
    /// Who asks for it, as comments say.
    pub via: BTreeSet<Dependent>,
}

impl Written<'_> {
    /// Reads the requirement.
    ///
    /// # Errors
    ///
    /// [`RequirementsError::Syntax`], if it is none, or does not tell which distribution it is of.
    pub fn entry(self, surroundings: &Surroundings) -> Result<Entry, RequirementsError> {
        if reference::is_bare(self.expanded) {
            return self.bare(surroundings);
        }
        let requirement: Requirement = self.expanded.parse().map_err(|_| self.no_requirement())?;
        match requirement.constraint {
            // `-e foo` is the folder `foo`.
            Constraint::Any if self.is_editable => self.bare(surroundings),
            Constraint::Specifiers(_) if self.is_editable => {
                Err(self.fault("only a folder or a repository can be editable"))
            }
            Constraint::Any if [".txt", ".in"].iter().any(|ending| self.text.ends_with(ending)) => {
                let reason = format!("`{}` looks like a file of requirements", self.stated.text);
                let hint = Some(did_you_mean(&format!("-r {}", self.stated.text)));
                Err(RequirementsError::syntax(&self.stated.place, reason, hint))
            }
            _ => self.named(requirement, surroundings),
        }
    }

    /// Makes an entry of a requirement with a name.
    fn named(self, requirement: Requirement, surroundings: &Surroundings) -> Result<Entry, RequirementsError> {
        let Requirement { name, extras, constraint, marker } = requirement;
        let (accepts, digests) = match constraint {
            Constraint::Any => (Accepts::Versions(VersionSpecifiers::empty()), self.digests),
            Constraint::Specifiers(specifiers) => (Accepts::Versions(specifiers), self.digests),
            Constraint::Url(url) => {
                let (reference, fragment) = self.reference(&url, surroundings)?;
                // The name of an archive need not be that of a distribution.
                if let Reference::Wheel(filename, _) = &reference
                    && filename.name != name
                {
                    return Err(self.fault(&format!("the file is of {}", filename.name)));
                }
                let digests = self.combine(&reference, &fragment)?;
                (Accepts::Reference(Box::new(reference)), digests)
            }
        };
        Ok(Entry { stated: self.stated, name, extras, accepts, marker, digests, via: self.via })
    }

    /// Makes an entry of a reference without a name, which may end in extras, and may have a marker after a space.
    fn bare(self, surroundings: &Surroundings) -> Result<Entry, RequirementsError> {
        let (place, marker) = split_marker(self.expanded);
        if place.contains(';') && !place.contains("://") {
            return Err(self.fault("the `;` of a marker is written after a space"));
        }
        let invalid = |error: InvalidMarker| self.fault(&format!("its marker is none: {}", error.reason));
        let marker: Option<Marker> = marker.map(str::parse).transpose().map_err(invalid)?;
        let (place, extras) = split_extras(place).map_err(|reason| self.fault(&reason))?;
        let (reference, fragment) = self.reference(place, surroundings)?;
        let name = match (&fragment.name, &reference) {
            (Some(name), _) => Some(name.clone()),
            (None, Reference::Folder(folder)) => (surroundings.name)(folder),
            (None, reference) => reference.name(),
        };
        let name: DistributionName = name.ok_or_else(|| {
            let hint = format!("write the name before it: `NAME @ {}`", self.stated.text);
            let reason = format!("`{}` does not tell which distribution it is", self.stated.text);
            RequirementsError::syntax(&self.stated.place, reason, Some(hint))
        })?;
        let digests = self.combine(&reference, &fragment)?;
        let accepts = Accepts::Reference(Box::new(reference));
        Ok(Entry { stated: self.stated, name, extras, accepts, marker, digests, via: self.via })
    }

    fn reference(&self, text: &str, surroundings: &Surroundings) -> Result<(Reference, Fragment), RequirementsError> {
        let (reference, fragment) =
            Reference::parse(text, surroundings.project).map_err(|reason| self.fault(&reason))?;
        if self.is_editable && reference.is_file() {
            return Err(self.fault("only a folder or a repository can be editable"));
        }
        Ok((reference, fragment))
    }

    /// Returns the digests of which a reference's file must have one: that of its URL must agree with those beside it.
    fn combine(&self, reference: &Reference, fragment: &Fragment) -> Result<BTreeSet<Digest>, RequirementsError> {
        let beside = &self.digests;
        match &fragment.digest {
            None if beside.is_empty() => Ok(BTreeSet::new()),
            _ if !reference.is_file() => Err(self.fault("a folder or a repository has no hash")),
            None => Ok(beside.clone()),
            Some(own) if beside.is_empty() || beside.contains(own) => Ok([own.clone()].into()),
            Some(own) if beside.iter().any(|digest| digest.algorithm() == own.algorithm()) => {
                Err(self.fault("its --hash is not the hash of its URL"))
            }
            Some(_) => Ok(beside.clone()),
        }
    }

    /// Says that the text is no requirement, in the words that are true of it before its variables have their values.
    fn no_requirement(&self) -> RequirementsError {
        let (reason, hint) = match self.text.parse::<Requirement>() {
            Err(error) => (error.reason.clone(), error.hints().into_iter().next()),
            Ok(_) => ("the values of its variables make it none".to_owned(), None),
        };
        let reason = format!("`{}` is not a requirement: {reason}", self.stated.text);
        RequirementsError::syntax(&self.stated.place, reason, hint)
    }

    fn fault(&self, reason: &str) -> RequirementsError {
        RequirementsError::syntax(&self.stated.place, format!("`{}`: {reason}", self.stated.text), None)
    }
}

/// Splits a reference from its marker, whose `;` stands after whitespace.
fn split_marker(text: &str) -> (&str, Option<&str>) {
    let mut semicolons = text.match_indices(';');
    match semicolons.find(|(at, _)| text[..*at].ends_with(char::is_whitespace)) {
        Some((at, _)) => (text[..at].trim(), Some(&text[at + 1..])),
        None => (text.trim(), None),
    }
}

/// Splits a reference from the extras at its end.
fn split_extras(text: &str) -> Result<(&str, BTreeSet<ExtraName>), String> {
    let Some((place, extras)) = text.strip_suffix(']').and_then(|text| text.rsplit_once('[')) else {
        return Ok((text, BTreeSet::new()));
    };
    if extras.trim().is_empty() {
        return Ok((place.trim_end(), BTreeSet::new()));
    }
    let extras: Result<_, _> = extras.split(',').map(|extra| extra.trim().parse()).collect();
    Ok((place.trim_end(), extras.map_err(|error: InvalidName| error.to_string())?))
}
