//! Reading a requirements file with the files that it includes.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use url::Url;

use super::entry::UnparsedRequirement;
use super::error::{LineLocation, NOT_UTF8, RequirementLine, RequirementsError};
use super::lines::{LogicalLine, lines};
use super::reference;
use super::statement::{FileOption, RequirementsTxtStatement};
use super::{FindLinks, HashPolicy, RequirementsEnvironment, RequirementsTxt, RequirementsTxtOptions, UnsetVariable};
use crate::digest::{Digest, InvalidDigest};
use crate::lock::LockError;
use crate::lock::path::join;

/// The maximum depth of nested includes.
const DEEPEST: usize = 64;

/// The variable for the project's directory, unless the environment sets it.
const PROJECT_ROOT: &str = "PROJECT_ROOT";

/// How a file is included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum FileRole {
    /// By the user or with `-r`: its lines are required.
    Requirements,
    /// With `-c`, or by such a file: its lines are constraints, as with uv.
    Constraints,
}

struct RequirementsTxtReader<'a> {
    environment: &'a RequirementsEnvironment<'a>,
    requirements: RequirementsTxt,
    /// The files that have been read: each is read once in each role.
    seen: BTreeSet<(PathBuf, FileRole)>,
    /// The including lines, from the first file to the current one.
    includes: Vec<LineLocation>,
    index_url: Option<LineLocation>,
}

impl RequirementsTxt {
    /// Reads files with the files that they include, as pip reads those of several `-r`.
    ///
    /// # Errors
    ///
    /// Returns [`LockError::Requirements`] if a file cannot be read, or is not a valid requirements file.
    pub fn read(paths: &[impl AsRef<Path>], environment: &RequirementsEnvironment) -> Result<Self, LockError> {
        let requirements = Self {
            options: RequirementsTxtOptions::default(),
            path: paths.first().map(|path| path.as_ref().to_owned()).unwrap_or_default(),
            project: join(environment.project, ""),
            entries: Vec::new(),
            constraints: Vec::new(),
            hashes: HashPolicy::Absent,
            unset: Vec::new(),
        };
        let (seen, includes) = (BTreeSet::new(), Vec::new());
        let mut reader = RequirementsTxtReader { environment, requirements, seen, includes, index_url: None };
        for path in paths {
            reader.file(path.as_ref(), FileRole::Requirements)?;
        }
        Ok(reader.requirements)
    }
}

impl RequirementsTxtReader<'_> {
    /// Reads a file, and the files that it includes in between.
    fn file(&mut self, path: &Path, role: FileRole) -> Result<(), RequirementsError> {
        if self.includes.iter().any(|location| location.path == path) {
            return Err(RequirementsError::IncludeLoop { path: path.to_owned(), includes: self.includes.clone() });
        }
        if self.includes.len() > DEEPEST {
            let reason = format!("includes are nested more than {DEEPEST} levels deep");
            return Err(self.unreadable(path, reason));
        }
        if !self.seen.insert((path.to_owned(), role)) {
            return Ok(());
        }
        let text = (self.environment.read)(path).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => self.unreadable(path, NOT_UTF8.to_owned()),
            _ => self.unreadable(path, error.to_string()),
        })?;
        if text.contains('\0') {
            return Err(self.unreadable(path, "it contains a NUL byte".to_owned()));
        }
        for line in lines(&text) {
            self.line(path, line, role)?;
        }
        Ok(())
    }

    fn unreadable(&self, path: &Path, reason: String) -> RequirementsError {
        let included_at = self.includes.last().cloned();
        RequirementsError::Unreadable { path: path.to_owned(), included_at, reason }
    }

    fn line(&mut self, path: &Path, line: LogicalLine, role: FileRole) -> Result<(), RequirementsError> {
        let location = LineLocation { path: path.to_owned(), line: line.number };
        let unset = self.note_unset(&line.text, &location);
        self.statement(line, &location, role).map_err(|error| match unset {
            Some(variable) => error.with_unset(&variable),
            None => error,
        })
    }

    fn statement(
        &mut self,
        line: LogicalLine,
        location: &LineLocation,
        role: FileRole,
    ) -> Result<(), RequirementsError> {
        let statement = RequirementsTxtStatement::parse(&line.text)
            .map_err(|reason| RequirementsError::syntax(location, reason, None))?;
        match statement {
            RequirementsTxtStatement::Options(options) => {
                options.into_iter().try_for_each(|option| self.option(option, location, role))
            }
            RequirementsTxtStatement::Requirement { text, is_editable, hashes } => {
                if !hashes.is_empty() {
                    self.requirements.hashes = self.requirements.hashes.max(HashPolicy::Present);
                }
                let digests =
                    self.digests(&hashes).map_err(|reason| RequirementsError::syntax(location, reason, None))?;
                if role == FileRole::Constraints && (is_editable || reference::is_unnamed(&text)) {
                    let reason = "a constraint must have a name, and cannot be editable".to_owned();
                    return Err(RequirementsError::syntax(location, reason, None));
                }
                let expanded = self.expand(&text);
                let requirement = UnparsedRequirement {
                    line: RequirementLine::new(&text, location),
                    text: &text,
                    expanded: &expanded,
                    is_editable,
                    digests,
                    via: line.via,
                };
                let entry = requirement.parse(self.environment)?;
                match role {
                    FileRole::Requirements => self.requirements.entries.push(entry),
                    FileRole::Constraints => self.requirements.constraints.push(entry),
                }
                Ok(())
            }
        }
    }

    fn digests(&self, hashes: &[String]) -> Result<BTreeSet<Digest>, String> {
        hashes.iter().map(|hash| self.expand(hash).parse().map_err(|error: InvalidDigest| error.to_string())).collect()
    }

    fn option(&mut self, option: FileOption, location: &LineLocation, role: FileRole) -> Result<(), RequirementsError> {
        match option {
            FileOption::Requirements(path) => self.include(&path, location, role),
            FileOption::Constraints(path) => self.include(&path, location, FileRole::Constraints),
            option => self.set(option, location).map_err(|reason| RequirementsError::syntax(location, reason, None)),
        }
    }

    /// Applies an option that does not include a file, or returns the reason why its value is invalid.
    fn set(&mut self, option: FileOption, location: &LineLocation) -> Result<(), String> {
        match option {
            FileOption::IndexUrl(url) => {
                let url = self.url(&url)?;
                if let (Some(other), Some(earlier)) = (&self.requirements.options.index_url, &self.index_url)
                    && *other != url
                {
                    return Err(format!("--index-url differs from the one at {earlier}"));
                }
                self.requirements.options.index_url = Some(url);
                self.index_url = Some(location.clone());
            }
            FileOption::ExtraIndexUrl(url) => {
                let url = self.url(&url)?;
                self.requirements.options.extra_index_urls.push(url);
            }
            FileOption::NoIndex => self.requirements.options.no_index = true,
            FileOption::FindLinks(links) => {
                let links = self.find_links(&links, location)?;
                self.requirements.options.find_links.push(links);
            }
            FileOption::OnlyBinary(names) => {
                let names = self.expand(&names);
                let formats = &mut self.requirements.options.formats;
                formats.apply_only_binary(&names).map_err(|error| error.to_string())?;
            }
            FileOption::NoBinary(names) => {
                let names = self.expand(&names);
                let formats = &mut self.requirements.options.formats;
                formats.apply_no_binary(&names).map_err(|error| error.to_string())?;
            }
            FileOption::RequireHashes => self.requirements.hashes = HashPolicy::Required,
            FileOption::Requirements(_) | FileOption::Constraints(_) | FileOption::Ignored => {}
        }
        Ok(())
    }

    /// Reads an included file, whose path is relative to the directory of the including file.
    fn include(&mut self, included: &str, location: &LineLocation, role: FileRole) -> Result<(), RequirementsError> {
        let expanded = self.expand(included);
        let path = match expanded.split_once(':') {
            Some(("http" | "https", _)) => {
                let reason = format!("`{included}`: remote requirements files are not supported");
                let hint = "download the file, and include the local copy".to_owned();
                return Err(RequirementsError::syntax(location, reason, Some(hint)));
            }
            Some(("file", _)) => reference::path_of(&expanded)
                .map_err(|reason| RequirementsError::syntax(location, format!("`{included}`: {reason}"), None))?,
            _ => expanded,
        };
        if self.requirements.unset.iter().any(|unset| unset.location == *location) {
            let reason = format!("`{included}` refers to an environment variable that is not set");
            return Err(RequirementsError::syntax(location, reason, None));
        }
        let path = join(directory_of(location), &path);
        self.includes.push(location.clone());
        self.file(&path, role)?;
        self.includes.pop();
        Ok(())
    }

    fn url(&self, text: &str) -> Result<Url, String> {
        let url = Url::parse(&self.expand(text)).map_err(|error| format!("`{text}` is not a valid URL: {error}"))?;
        match url.scheme() {
            "http" | "https" | "file" => Ok(url),
            scheme => Err(format!("`{text}` has the unsupported scheme `{scheme}`; expected https, http or file")),
        }
    }

    /// Reads a value of `--find-links`. A path is relative to the directory of the line's file.
    fn find_links(&self, text: &str, location: &LineLocation) -> Result<FindLinks, String> {
        let expanded = self.expand(text);
        match expanded.split_once(':') {
            Some(("http" | "https", _)) => self.url(text).map(FindLinks::Page),
            Some(("file", _)) => {
                Ok(FindLinks::Directory(join(directory_of(location), &reference::path_of(&expanded)?)))
            }
            _ => Ok(FindLinks::Directory(join(directory_of(location), &expanded))),
        }
    }

    /// Notes the variables of a line that are not set; returns the first.
    fn note_unset(&mut self, text: &str, location: &LineLocation) -> Option<String> {
        let names = references(text).filter_map(|(_, name)| name).filter(|name| self.variable(name).is_none());
        let unset: Vec<_> =
            names.map(|name| UnsetVariable { location: location.clone(), name: name.to_owned() }).collect();
        let first = unset.first().map(|unset| unset.name.clone());
        self.requirements.unset.extend(unset);
        first
    }

    /// Expands environment variables (`${NAME}`), whose names consist of upper-case letters, digits and underscores. Variables
    /// that are not set are not expanded.
    fn expand(&self, text: &str) -> String {
        let mut expanded = String::with_capacity(text.len());
        for (before, name) in references(text) {
            expanded.push_str(before);
            if let Some(name) = name {
                expanded.push_str(&self.variable(name).unwrap_or_else(|| format!("${{{name}}}")));
            }
        }
        expanded
    }

    fn variable(&self, name: &str) -> Option<String> {
        let value = (self.environment.variable)(name);
        if value.is_none() && name == PROJECT_ROOT {
            return Some(self.requirements.project.to_string_lossy().into_owned());
        }
        value
    }
}

fn directory_of(location: &LineLocation) -> &Path {
    location.path.parent().unwrap_or(Path::new(""))
}

/// Splits a text at its references to variables: returns each name with the text before it, and at last the rest without one.
fn references(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut starts = text.match_indices("${").map(|(start, _)| start);
        let found = starts.find_map(|start| {
            let end = start + text[start..].find('}')?;
            is_variable_name(&text[start + 2..end]).then_some((start, end))
        });
        rest = found.map(|(_, end)| &text[end + 1..]);
        Some(found.map_or((text, None), |(start, end)| (&text[..start], Some(&text[start + 2..end]))))
    })
}

fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}
