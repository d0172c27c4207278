//! A strict reader of .deb files.
//!
//! Only what a layer can hold is accepted: files, directories, hard and symbolic links. Content is streamed.
//!
//! Specification: [deb(5)](https://manpages.debian.org/deb.5).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::ar::{self, ArMember};
use super::member_stream::MemberStream;
use crate::hints::Hints;
use crate::tree::{FileAccess, FileMode, FileOwner, TreePath};

/// The version of the format in `debian-binary`, of which only the major number matters.
const FORMAT: &[u8] = b"2.0\n";

/// The most members that a .deb has: three, and such as begin with an underscore, for instance signatures.
const MOST_MEMBERS: usize = 16;

/// The most entries of a data archive, and the largest sum of their sizes, in bytes.
const MOST_ENTRIES: usize = 1 << 20;
const LARGEST_DATA: u64 = 32 << 30;

/// The largest control archive, uncompressed, and the largest of its files, in bytes.
const LARGEST_CONTROL: u64 = 64 << 20;
const LARGEST_CONTROL_FILE: u64 = 16 << 20;

/// The largest header of an entry with its long names, in bytes.
const LARGEST_HEADERS: u64 = 1 << 20;

/// Why a .deb cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}", .path.display())]
pub struct DebError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub source: DebErrorKind,
}

/// What is wrong with a .deb.
#[derive(Debug, thiserror::Error)]
pub enum DebErrorKind {
    /// The file, or one of the archives in it, cannot be read.
    #[error("its content cannot be read")]
    Read(#[source] io::Error),
    /// The file is not an ar archive.
    #[error("it is not a .deb: it does not begin with `!<arch>`")]
    NotAr,
    /// A member of the ar archive ends after the file.
    #[error("it is cut off")]
    Truncated,
    /// The header of a member is malformed.
    #[error("the header of the member at byte {0} is malformed")]
    MemberHeader(u64),
    /// A member is missing, has an unknown compression, or is at another position.
    #[error("{0}")]
    Members(String),
    /// The first member has another version.
    #[error("its format is `{}`, expected 2.0", .0.escape_debug())]
    Format(String),
    /// The control archive has no control file, or one that is no paragraph.
    #[error("its control file is malformed: {0}")]
    Control(String),
    /// A field of the control file differs from what was locked.
    #[error("its control file has `{field}: {}`, but `{}` was locked", .found.escape_debug(), .locked)]
    OtherPackage {
        /// The name of the field.
        field: &'static str,
        /// The value in the control file.
        found: String,
        /// The locked value.
        locked: String,
    },
    /// A path is absolute, leads out of the root, or is below a link.
    #[error("it contains `{}`: {}", .path.escape_debug(), .reason)]
    Entry {
        /// The path in the archive.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There are more entries, or more bytes, than any package has.
    #[error("its archive is larger than that of any package: {0}")]
    Large(String),
}

impl Hints for DebError {
    fn hints(&self) -> Vec<String> {
        match self.source {
            DebErrorKind::Read(_) | DebErrorKind::Truncated => {
                vec!["run pybundle again: a damaged file is downloaded anew".to_owned()]
            }
            _ => Vec::new(),
        }
    }
}

/// What identifies a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DebIdentity<'a> {
    /// The field `Package`.
    pub name: &'a str,
    /// The field `Version`.
    pub version: &'a str,
    /// The field `Architecture`.
    pub architecture: &'a str,
}

/// A file of a control archive besides `control`: a maintainer script, `md5sums`, `conffiles`, `triggers`…
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ControlFile {
    /// The permissions, which dpkg keeps.
    pub mode: FileMode,
    /// The content.
    pub bytes: Vec<u8>,
}

/// An entry of a data archive. Paths are relative to the root.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum DebEntryKind {
    /// A directory.
    Directory,
    /// A regular file of this size, in bytes.
    File(u64),
    /// A symbolic link with its target, which may lead anywhere.
    Link(String),
    /// Another name of a file before it, with the path of that file.
    HardLink(String),
}

/// An entry of a data archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebEntry {
    /// The path, relative to the root; `None` for the root itself.
    pub path: Option<TreePath>,
    /// The permissions and the owner.
    pub access: FileAccess,
    /// The kind.
    pub kind: DebEntryKind,
}

/// A .deb whose control archive was read.
pub struct Deb<'a> {
    file: &'a File,
    path: &'a Path,
    data: ArMember,
    /// The control file.
    pub control: String,
    /// The other files of the control archive.
    pub control_files: BTreeMap<String, ControlFile>,
}

impl<'a> Deb<'a> {
    /// Opens a .deb and reads its control archive.
    ///
    /// # Errors
    /// The file is not a valid .deb.
    pub fn open(path: &'a Path, file: &'a File) -> Result<Self, DebError> {
        Self::read(path, file).map_err(|source| DebError { path: path.to_owned(), source })
    }

    fn read(path: &'a Path, file: &'a File) -> Result<Self, DebErrorKind> {
        let mut members = ar::members(file, MOST_MEMBERS)?.into_iter();
        check_format(file, members.next())?;
        let mut members = members.filter(|member| !member.name.starts_with('_'));
        let control = expect(members.next(), "control.tar")?;
        let data = expect(members.next(), "data.tar")?;
        if let Some(member) = members.next() {
            return Err(DebErrorKind::Members(format!("it has an unknown member `{}`", member.name.escape_debug())));
        }
        let (control, control_files) = read_control(file, &control)?;
        Ok(Self { file, path, data, control, control_files })
    }

    /// Checks that the control file is that of a package.
    ///
    /// # Errors
    /// The name, the version or the architecture is another one.
    pub fn check(&self, locked: DebIdentity<'_>) -> Result<(), DebError> {
        let DebIdentity { name, version, architecture } = locked;
        for (field, locked) in [("Package", name), ("Version", version), ("Architecture", architecture)] {
            let found = field_of(&self.control, field).unwrap_or_default();
            if found != locked {
                let (found, locked) = (found.to_owned(), locked.to_owned());
                return Err(self.failed(DebErrorKind::OtherPackage { field, found, locked }));
            }
        }
        Ok(())
    }

    /// Calls `visit` with each entry of the data archive, in its order, and with the content of files.
    ///
    /// # Errors
    /// The data archive is malformed, has an entry that a layer cannot hold, or `visit` fails.
    pub fn entries<E: From<DebError>>(
        &self,
        mut visit: impl FnMut(DebEntry, &mut dyn Read) -> Result<(), E>,
    ) -> Result<(), E> {
        let headers = std::cell::Cell::new(u64::MAX);
        let stream = MemberStream::open(self.file, &self.data).map_err(|kind| self.failed(kind))?;
        let stream = crate::limited_reader::LimitedReader { inner: stream, remaining: &headers };
        let mut archive = tar::Archive::new(stream);
        let mut known = KnownEntries::default();
        let read = |error| self.failed(DebErrorKind::Read(error));
        headers.set(LARGEST_HEADERS);
        for entry in archive.entries().map_err(read)? {
            let mut entry = entry.map_err(read)?;
            // What of the entry is not read by `visit` is skipped, with its padding, before the next header is read.
            headers.set(entry.size().saturating_add(LARGEST_HEADERS));
            let found = known.entry(&entry).map_err(|kind| self.failed(kind))?;
            let expected = match &found.kind {
                DebEntryKind::File(size) => *size,
                _ => 0,
            };
            let mut content = ExactReader { inner: &mut entry, remaining: expected };
            visit(found, &mut content)?;
            headers.set(headers.get().saturating_add(LARGEST_HEADERS));
        }
        Ok(())
    }

    fn failed(&self, source: DebErrorKind) -> DebError {
        DebError { path: self.path.to_owned(), source }
    }
}

/// Fails at the end of a content that is shorter than its header says.
struct ExactReader<'a, R> {
    inner: &'a mut R,
    remaining: u64,
}

impl<R: Read> Read for ExactReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        if length == 0 && self.remaining > 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.remaining = self.remaining.saturating_sub(length as u64);
        Ok(length)
    }
}

/// The entries so far, by which the next one is checked.
#[derive(Default)]
struct KnownEntries {
    count: usize,
    size: u64,
    directories: BTreeSet<String>,
    files: BTreeSet<String>,
    links: BTreeSet<String>,
}

impl KnownEntries {
    fn entry(&mut self, entry: &tar::Entry<'_, impl Read>) -> Result<DebEntry, DebErrorKind> {
        let shown = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let refuse = |reason: String| DebErrorKind::Entry { path: shown.clone(), reason };
        self.count += 1;
        if self.count > MOST_ENTRIES {
            return Err(DebErrorKind::Large(format!("more than {MOST_ENTRIES} entries")));
        }
        let path = entry_path(&entry.path_bytes()).map_err(refuse)?;
        let header = entry.header();
        let kind = header.entry_type();
        let (mode, uid, gid) =
            header.mode().and_then(|mode| Ok((mode, header.uid()?, header.gid()?))).map_err(DebErrorKind::Read)?;
        let (Ok(uid), Ok(gid)) = (u32::try_from(uid), u32::try_from(gid)) else {
            return Err(refuse("its owner is not a 32-bit number".to_owned()));
        };
        let access = FileAccess { mode: FileMode::from(mode), owner: FileOwner { uid, gid } };
        let Some(path) = path else {
            return if kind.is_dir() {
                Ok(DebEntry { path: None, access, kind: DebEntryKind::Directory })
            } else {
                Err(refuse("the root is a directory".to_owned()))
            };
        };
        self.check_position(&path, kind.is_dir()).map_err(refuse)?;
        let target = || -> Result<String, DebErrorKind> {
            let target = entry.link_name_bytes().ok_or_else(|| refuse("it is a link without a target".to_owned()))?;
            String::from_utf8(target.into_owned()).map_err(|_| refuse("its target is not UTF-8".to_owned()))
        };
        let kind = if kind.is_dir() {
            self.directories.insert(path.as_str().to_owned());
            DebEntryKind::Directory
        } else if kind.is_file() {
            self.size = self.size.saturating_add(entry.size());
            if self.size > LARGEST_DATA {
                return Err(DebErrorKind::Large(format!("more than {} GiB", LARGEST_DATA >> 30)));
            }
            self.files.insert(path.as_str().to_owned());
            DebEntryKind::File(entry.size())
        } else if kind.is_symlink() {
            let target = target()?;
            if target.is_empty() || target.contains('\0') {
                return Err(refuse("its target is empty or has a null byte".to_owned()));
            }
            self.links.insert(path.as_str().to_owned());
            DebEntryKind::Link(target)
        } else if kind.is_hard_link() {
            let target = entry_path(target()?.as_bytes()).map_err(refuse)?;
            let target = target.map(|target| target.as_str().to_owned()).unwrap_or_default();
            if !self.files.contains(&target) {
                return Err(refuse(format!("it is a hard link to `{target}`, which is not a file before it")));
            }
            self.files.insert(path.as_str().to_owned());
            DebEntryKind::HardLink(target)
        } else {
            let what = match kind {
                tar::EntryType::Char | tar::EntryType::Block => "a device",
                tar::EntryType::Fifo => "a pipe",
                _ => "neither a file, a directory nor a link",
            };
            return Err(refuse(format!("it is {what}")));
        };
        Ok(DebEntry { path: Some(path), access, kind })
    }

    /// Checks that an entry does not replace another one, and is not below a file or a link.
    fn check_position(&self, path: &TreePath, is_directory: bool) -> Result<(), String> {
        if let Some(parent) = path.parents().find(|parent| self.links.contains(*parent)) {
            return Err(format!("it is below the symbolic link `{parent}`"));
        }
        if let Some(parent) = path.parents().find(|parent| self.files.contains(*parent)) {
            return Err(format!("it is below the file `{parent}`"));
        }
        let is_file = self.files.contains(path.as_str()) || self.links.contains(path.as_str());
        if is_file || self.directories.contains(path.as_str()) && !is_directory {
            return Err("it is in the archive twice".to_owned());
        }
        Ok(())
    }
}

/// Parses the path of an entry, which begins with `./`; `None` is the root.
fn entry_path(bytes: &[u8]) -> Result<Option<TreePath>, String> {
    let path = std::str::from_utf8(bytes).map_err(|_| "its path is not UTF-8".to_owned())?;
    let path = path.strip_prefix("./").unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() || path == "." {
        return Ok(None);
    }
    TreePath::of_system(path).map(Some).map_err(|invalid| invalid.reason.to_owned())
}

fn check_format(file: &File, member: Option<ArMember>) -> Result<(), DebErrorKind> {
    let member = member.filter(|member| member.name == "debian-binary");
    let member = member.ok_or_else(|| DebErrorKind::Members("its first member is not `debian-binary`".to_owned()))?;
    let mut format = vec![0; member.size.min(64) as usize];
    file.read_exact_at(&mut format, member.offset).map_err(DebErrorKind::Read)?;
    if format.starts_with(b"2.") && format.contains(&b'\n') || format == FORMAT {
        return Ok(());
    }
    Err(DebErrorKind::Format(String::from_utf8_lossy(&format).trim_end().to_owned()))
}

/// Checks that a member is an archive with this name, whatever its compression.
fn expect(member: Option<ArMember>, name: &str) -> Result<ArMember, DebErrorKind> {
    match member {
        Some(member) if member.name == name || member.name.starts_with(&format!("{name}.")) => Ok(member),
        Some(member) => {
            let found = member.name.escape_debug();
            Err(DebErrorKind::Members(format!("its member `{found}` is where `{name}` should be")))
        }
        None => Err(DebErrorKind::Members(format!("it has no member `{name}`"))),
    }
}

/// Reads the control archive: the control file, and all other files.
fn read_control(file: &File, member: &ArMember) -> Result<(String, BTreeMap<String, ControlFile>), DebErrorKind> {
    let stream = MemberStream::open(file, member)?;
    let mut archive = tar::Archive::new(stream.take(LARGEST_CONTROL));
    let mut files = BTreeMap::new();
    for entry in archive.entries().map_err(DebErrorKind::Read)? {
        let mut entry = entry.map_err(DebErrorKind::Read)?;
        let shown = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let refuse = |reason: String| DebErrorKind::Entry { path: format!("control archive: {shown}"), reason };
        let Some(path) = entry_path(&entry.path_bytes()).map_err(refuse)? else { continue };
        if entry.header().entry_type().is_dir() {
            continue;
        }
        if !entry.header().entry_type().is_file() || path.as_str().contains('/') {
            return Err(refuse("a control archive may only contain files".to_owned()));
        }
        let mode = FileMode::from(entry.header().mode().map_err(DebErrorKind::Read)?);
        let mut bytes = Vec::new();
        entry.by_ref().take(LARGEST_CONTROL_FILE + 1).read_to_end(&mut bytes).map_err(DebErrorKind::Read)?;
        if bytes.len() as u64 > LARGEST_CONTROL_FILE {
            return Err(DebErrorKind::Large(format!("`{path}` of the control archive")));
        }
        if files.insert(path.as_str().to_owned(), ControlFile { mode, bytes }).is_some() {
            return Err(refuse("it is in the archive twice".to_owned()));
        }
    }
    let control = files.remove("control").ok_or_else(|| DebErrorKind::Control("it is missing".to_owned()))?;
    let control = String::from_utf8(control.bytes);
    let control = control.map_err(|_| DebErrorKind::Control("it is not UTF-8".to_owned()))?;
    if control.trim().lines().any(|line| line.trim().is_empty()) {
        return Err(DebErrorKind::Control("it has more than one paragraph".to_owned()));
    }
    Ok((control, files))
}

/// Returns the value of a field of one line in a control paragraph. Names have no case (Debian Policy 5.1).
pub fn field_of<'a>(paragraph: &'a str, field: &str) -> Option<&'a str> {
    paragraph.lines().filter(|line| !line.starts_with([' ', '\t', '#'])).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case(field).then_some(value.trim())
    })
}

#[cfg(test)]
mod tests;
