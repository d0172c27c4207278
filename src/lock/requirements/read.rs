//! Reading a file of requirements with those that it names.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use pep440_rs::VersionSpecifiers;
use url::Url;

use super::error::{Place, RequirementsError, Stated, printable};
use super::lines::{Line, lines};
use super::reference::{self, Fragment, Reference};
use super::statement::{FileOption, Statement};
use super::{Accepts, Entry, FindLinks, Hashes, Options, Requirements, Surroundings};
use crate::digest::Digest;
use crate::lock::LockError;
use crate::lock::path::join;
use crate::marker::{Constraint, Marker, Requirement};
use crate::name::{DistributionName, ExtraName};

/// How deep files may name each other.
const MAX_DEPTH: usize = 64;

/// The variable that stands for the project's folder, unless the environment has it.
const PROJECT_ROOT: &str = "PROJECT_ROOT";

/// How a file is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mode {
    /// By the user or by `-r`: what it lists is required.
    Requirements,
    /// By `-c`, or by a file that is: what it lists is a constraint, as uv has it.
    Constraints,
}

struct Reader<'a> {
    surroundings: &'a Surroundings<'a>,
    requirements: Requirements,
    /// The files that were read: each is read once in each mode.
    seen: BTreeSet<(PathBuf, Mode)>,
    /// The lines that lead to the file that is being read, with the file that each is in.
    includes: Vec<Place>,
    index_url: Option<Place>,
}

impl Requirements {
    /// Reads a file with those that it names.
    ///
    /// # Errors
    ///
    /// [`LockError::Requirements`], if a file cannot be read, or is no file of requirements.
    pub fn read(path: &Path, surroundings: &Surroundings) -> Result<Self, LockError> {
        let requirements = Self {
            options: Options::default(),
            path: path.to_owned(),
            project: join(surroundings.project, ""),
            entries: Vec::new(),
            constraints: Vec::new(),
            hashes: Hashes::Absent,
        };
        let (seen, includes) = (BTreeSet::new(), Vec::new());
        let mut reader = Reader { surroundings, requirements, seen, includes, index_url: None };
        reader.file(path, Mode::Requirements)?;
        Ok(reader.requirements)
    }
}

impl Reader<'_> {
    /// Reads one file, and those that it names where it names them.
    fn file(&mut self, path: &Path, mode: Mode) -> Result<(), RequirementsError> {
        let unreadable = |reason: String| RequirementsError::Unreadable {
            path: path.to_owned(),
            named_by: self.includes.last().cloned(),
            reason,
        };
        if self.includes.iter().any(|place| place.path == path) {
            return Err(RequirementsError::Loop { path: path.to_owned(), includes: self.includes.clone() });
        }
        if self.includes.len() > MAX_DEPTH {
            return Err(unreadable(format!("it is named {MAX_DEPTH} files deep")));
        }
        if !self.seen.insert((path.to_owned(), mode)) {
            return Ok(());
        }
        let text = (self.surroundings.read)(path).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => unreadable("it is not encoded in UTF-8".to_owned()),
            _ => unreadable(error.to_string()),
        })?;
        if text.contains('\0') {
            return Err(unreadable("it is no text: it contains a zero byte".to_owned()));
        }
        for line in lines(&text) {
            self.line(path, line, mode)?;
        }
        Ok(())
    }

    fn line(&mut self, path: &Path, line: Line, mode: Mode) -> Result<(), RequirementsError> {
        let place = Place { path: path.to_owned(), line: line.number };
        let invalid = |reason| syntax(&place, reason, None);
        match Statement::parse(&line.text).map_err(invalid)? {
            Statement::Options(options) => options.into_iter().try_for_each(|option| self.option(option, &place, mode)),
            Statement::Requirement { text, is_editable, hashes } => {
                if !hashes.is_empty() {
                    self.requirements.hashes = self.requirements.hashes.max(Hashes::Present);
                }
                let hashes: Result<_, _> = hashes.iter().map(|hash| self.expand(hash).parse()).collect();
                let digests = hashes.map_err(|error: crate::digest::InvalidDigest| invalid(error.to_string()))?;
                let mut entry = self.entry(&text, is_editable, digests, &place)?;
                entry.via = line.via;
                if mode == Mode::Constraints {
                    if is_editable || reference::is_bare(&text) {
                        return Err(invalid("a constraint has a name, and is not editable".to_owned()));
                    }
                    self.requirements.constraints.push(entry);
                } else {
                    self.requirements.entries.push(entry);
                }
                Ok(())
            }
        }
    }

    fn option(&mut self, option: FileOption, place: &Place, mode: Mode) -> Result<(), RequirementsError> {
        let invalid = |reason| syntax(place, reason, None);
        match option {
            FileOption::Requirements(path) => self.include(&path, place, mode)?,
            FileOption::Constraints(path) => self.include(&path, place, Mode::Constraints)?,
            FileOption::IndexUrl(url) => {
                let url = self.url(&url).map_err(invalid)?;
                if let (Some(other), Some(earlier)) = (&self.requirements.options.index_url, &self.index_url)
                    && *other != url
                {
                    return Err(invalid(format!("--index-url names another index than {earlier}")));
                }
                self.requirements.options.index_url = Some(url);
                self.index_url = Some(place.clone());
            }
            FileOption::ExtraIndexUrl(url) => {
                let url = self.url(&url).map_err(invalid)?;
                self.requirements.options.extra_index_urls.push(url);
            }
            FileOption::NoIndex => self.requirements.options.no_index = true,
            FileOption::FindLinks(links) => {
                let links = self.find_links(&links, place).map_err(invalid)?;
                self.requirements.options.find_links.push(links);
            }
            FileOption::OnlyBinary(names) => {
                self.requirements
                    .options
                    .formats
                    .only_binary(&self.expand(&names))
                    .map_err(|error| invalid(error.to_string()))?;
            }
            FileOption::NoBinary(names) => {
                self.requirements
                    .options
                    .formats
                    .no_binary(&self.expand(&names))
                    .map_err(|error| invalid(error.to_string()))?;
            }
            FileOption::RequireHashes => self.requirements.hashes = Hashes::Required,
            FileOption::Harmless => {}
        }
        Ok(())
    }

    /// Reads a file that a line names. Its path is relative to the folder of the line's file.
    fn include(&mut self, named: &str, place: &Place, mode: Mode) -> Result<(), RequirementsError> {
        let expanded = self.expand(named);
        let invalid = |reason: String, hint| Err(syntax(place, format!("`{}`: {reason}", named), hint));
        let path = match expanded.split_once(':') {
            Some(("http" | "https", _)) => {
                let hint = "download it, and name the file".to_owned();
                return invalid("files of requirements are not fetched from a server".to_owned(), Some(hint));
            }
            Some(("file", _)) => match reference::path_of(&expanded) {
                Ok(path) => path,
                Err(reason) => return invalid(reason, None),
            },
            _ => expanded,
        };
        let path = join(folder_of(place), &path);
        self.includes.push(place.clone());
        self.file(&path, mode)?;
        self.includes.pop();
        Ok(())
    }

    /// Reads a requirement without its options.
    fn entry(
        &self,
        text: &str,
        is_editable: bool,
        digests: BTreeSet<Digest>,
        place: &Place,
    ) -> Result<Entry, RequirementsError> {
        let stated = Stated::new(text, place);
        let expanded = self.expand(text);
        if reference::is_bare(&expanded) {
            return self.bare(&expanded, is_editable, digests, stated);
        }
        let requirement: Requirement = expanded.parse().map_err(|_| no_requirement(text, &stated))?;
        match requirement.constraint {
            // `-e foo` is the folder `foo`.
            Constraint::Any if is_editable => self.bare(&expanded, is_editable, digests, stated),
            Constraint::Specifiers(_) if is_editable => {
                Err(fault(&stated, "only a folder or a repository can be editable"))
            }
            Constraint::Any if text.ends_with(".txt") || text.ends_with(".in") => {
                let hint = Some(format!("did you mean `-r {text}`?"));
                Err(syntax(place, format!("`{text}` looks like a file of requirements"), hint))
            }
            _ => self.named(requirement, is_editable, digests, stated),
        }
    }

    /// Makes an entry of a requirement with a name.
    fn named(
        &self,
        requirement: Requirement,
        is_editable: bool,
        digests: BTreeSet<Digest>,
        stated: Stated,
    ) -> Result<Entry, RequirementsError> {
        let Requirement { name, extras, constraint, marker } = requirement;
        let (accepts, digests) = match constraint {
            Constraint::Any => (Accepts::Versions(VersionSpecifiers::empty()), digests),
            Constraint::Specifiers(specifiers) => (Accepts::Versions(specifiers), digests),
            Constraint::Url(url) => {
                let (reference, fragment) = self.reference(&url, is_editable, &stated)?;
                if let Some(other) =
                    reference.name().filter(|other| *other != name && !matches!(reference, Reference::Archive(..)))
                {
                    return Err(fault(&stated, &format!("the file is of {other}")));
                }
                let digests = combine(&reference, digests, &fragment, &stated)?;
                (Accepts::Reference(reference), digests)
            }
        };
        Ok(Entry { stated, name, extras, accepts, marker, digests, via: BTreeSet::new() })
    }

    /// Makes an entry of a reference without a name, which may end in extras, and may have a marker after a space.
    fn bare(
        &self,
        text: &str,
        is_editable: bool,
        digests: BTreeSet<Digest>,
        stated: Stated,
    ) -> Result<Entry, RequirementsError> {
        let (place, marker) = split_marker(text);
        if place.contains(';') && !place.contains("://") {
            return Err(fault(&stated, "the `;` of a marker is written after a space"));
        }
        let marker: Option<Marker> =
            marker.map(|marker| marker.parse()).transpose().map_err(|error: crate::marker::InvalidMarker| {
                fault(&stated, &format!("its marker is none: {}", error.reason))
            })?;
        let (place, extras) = split_extras(place).map_err(|reason| fault(&stated, &reason))?;
        let (reference, fragment) = self.reference(place, is_editable, &stated)?;
        let name = match (&fragment.name, &reference) {
            (Some(name), _) => Some(name.clone()),
            (None, Reference::Folder(folder)) => (self.surroundings.name)(folder),
            (None, reference) => reference.name(),
        };
        let name: DistributionName = name.ok_or_else(|| {
            let hint = format!("write the name before it: `NAME @ {}`", stated.text);
            let reason = format!("`{}` does not tell which distribution it is", stated.text);
            syntax(&stated.place, reason, Some(hint))
        })?;
        let digests = combine(&reference, digests, &fragment, &stated)?;
        Ok(Entry {
            stated,
            name,
            extras,
            accepts: Accepts::Reference(reference),
            marker,
            digests,
            via: BTreeSet::new(),
        })
    }

    fn reference(
        &self,
        text: &str,
        is_editable: bool,
        stated: &Stated,
    ) -> Result<(Reference, Fragment), RequirementsError> {
        let (reference, fragment) =
            Reference::parse(text, self.surroundings.project).map_err(|reason| fault(stated, &reason))?;
        if is_editable && reference.is_file() {
            return Err(fault(stated, "only a folder or a repository can be editable"));
        }
        Ok((reference, fragment))
    }

    fn url(&self, text: &str) -> Result<Url, String> {
        let url = Url::parse(&self.expand(text)).map_err(|error| format!("`{}` is no URL: {error}", text))?;
        match url.scheme() {
            "http" | "https" | "file" => Ok(url),
            scheme => Err(format!("`{}`: an index is not reached by {scheme}", text)),
        }
    }

    /// Reads where files lie. A path is relative to the folder of the line's file.
    fn find_links(&self, text: &str, place: &Place) -> Result<FindLinks, String> {
        let expanded = self.expand(text);
        match expanded.split_once(':') {
            Some(("http" | "https", _)) => self.url(text).map(FindLinks::Page),
            Some(("file", _)) => Ok(FindLinks::Folder(join(folder_of(place), &reference::path_of(&expanded)?))),
            _ => Ok(FindLinks::Folder(join(folder_of(place), &expanded))),
        }
    }

    /// Puts the values of environment variables in the place of `${NAME}`; one that is not set is left as it is. A name
    /// consists of upper-case letters, digits and underscores.
    fn expand(&self, text: &str) -> String {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let (before, after) = rest.split_at(start);
            expanded.push_str(before);
            let is_name = |name: &&str| {
                !name.is_empty()
                    && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
            };
            let name = after.find('}').map(|end| &after[2..end]).filter(is_name);
            match name.and_then(|name| Some((name, self.variable(name)?))) {
                Some((name, value)) => {
                    expanded.push_str(&value);
                    rest = &after[name.len() + "${}".len()..];
                }
                None => {
                    expanded.push_str("${");
                    rest = &after[2..];
                }
            }
        }
        expanded + rest
    }

    fn variable(&self, name: &str) -> Option<String> {
        let is_project = name == PROJECT_ROOT;
        let project = || is_project.then(|| self.requirements.project.to_string_lossy().into_owned());
        (self.surroundings.variable)(name).or_else(project)
    }
}

/// Returns the digests that a reference's file must have one of: that of its URL must agree with those beside it.
fn combine(
    reference: &Reference,
    digests: BTreeSet<Digest>,
    fragment: &Fragment,
    stated: &Stated,
) -> Result<BTreeSet<Digest>, RequirementsError> {
    if !reference.is_file() {
        return match digests.is_empty() && fragment.digest.is_none() {
            true => Ok(digests),
            false => Err(fault(stated, "a folder or a repository has no hash")),
        };
    }
    let Some(own) = &fragment.digest else { return Ok(digests) };
    let is_other = |digest: &Digest| digest.algorithm() == own.algorithm() && digest != own;
    if digests.contains(own) || digests.is_empty() {
        return Ok([own.clone()].into());
    }
    if digests.iter().any(is_other) {
        return Err(fault(stated, "its --hash is not the hash of its URL"));
    }
    Ok(digests)
}

/// Says that a text is no requirement, in the words that are true of it before its variables have their values, which may
/// be secret.
fn no_requirement(text: &str, stated: &Stated) -> RequirementsError {
    let (reason, hint) = match text.parse::<Requirement>() {
        Err(error) => (error.reason.clone(), error.hints().into_iter().next()),
        Ok(_) => ("the values of its variables make it none".to_owned(), None),
    };
    syntax(&stated.place, format!("`{}` is not a requirement: {reason}", stated.text), hint)
}

fn folder_of(place: &Place) -> &Path {
    place.path.parent().unwrap_or(Path::new(""))
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
    let extras = extras.trim();
    let extras: Result<_, _> = if extras.is_empty() {
        Ok(BTreeSet::new())
    } else {
        extras.split(',').map(|extra| extra.trim().parse()).collect()
    };
    Ok((place.trim_end(), extras.map_err(|error: crate::name::InvalidName| error.to_string())?))
}

fn syntax(place: &Place, reason: String, hint: Option<String>) -> RequirementsError {
    RequirementsError::Syntax { place: place.clone(), reason: printable(&reason), hint }
}

fn fault(stated: &Stated, reason: &str) -> RequirementsError {
    syntax(&stated.place, format!("`{}`: {reason}", stated.text), None)
}
