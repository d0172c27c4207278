//! Reading a file of requirements with those that it names.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use url::Url;

use super::entry::Written;
use super::error::{Place, RequirementsError, Stated};
use super::lines::{Line, lines};
use super::reference;
use super::statement::{FileOption, Statement};
use super::{FindLinks, Hashes, Options, Requirements, Surroundings};
use crate::digest::InvalidDigest;
use crate::lock::LockError;
use crate::lock::path::join;

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
        let invalid = |reason| RequirementsError::syntax(&place, reason, None);
        match Statement::parse(&line.text).map_err(invalid)? {
            Statement::Options(options) => options.into_iter().try_for_each(|option| self.option(option, &place, mode)),
            Statement::Requirement { text, is_editable, hashes } => {
                if !hashes.is_empty() {
                    self.requirements.hashes = self.requirements.hashes.max(Hashes::Present);
                }
                let hashes: Result<_, _> = hashes.iter().map(|hash| self.expand(hash).parse()).collect();
                let digests = hashes.map_err(|error: InvalidDigest| invalid(error.to_string()))?;
                if mode == Mode::Constraints && (is_editable || reference::is_bare(&text)) {
                    return Err(invalid("a constraint has a name, and is not editable".to_owned()));
                }
                let stated = Stated::new(&text, &place);
                let expanded = self.expand(&text);
                let written = Written { stated, text: &text, expanded: &expanded, is_editable, digests, via: line.via };
                let entry = written.entry(self.surroundings)?;
                match mode {
                    Mode::Requirements => self.requirements.entries.push(entry),
                    Mode::Constraints => self.requirements.constraints.push(entry),
                }
                Ok(())
            }
        }
    }

    fn option(&mut self, option: FileOption, place: &Place, mode: Mode) -> Result<(), RequirementsError> {
        let invalid = |reason| RequirementsError::syntax(place, reason, None);
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
                    .apply_only_binary(&self.expand(&names))
                    .map_err(|error| invalid(error.to_string()))?;
            }
            FileOption::NoBinary(names) => {
                self.requirements
                    .options
                    .formats
                    .apply_no_binary(&self.expand(&names))
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
        let invalid =
            |reason: String, hint| Err(RequirementsError::syntax(place, format!("`{}`: {reason}", named), hint));
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

    fn url(&self, text: &str) -> Result<Url, String> {
        let url = Url::parse(&self.expand(text)).map_err(|error| format!("`{text}` is no URL: {error}"))?;
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

fn folder_of(place: &Place) -> &Path {
    place.path.parent().unwrap_or(Path::new(""))
}
