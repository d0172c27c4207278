//! Users that an image has and its base has not.
//!
//! What is laid over the base is what `useradd --create-home` would change: a line in `/etc/passwd`, one in `/etc/group`
//! unless the group is there, one in `/etc/shadow` where there is such a file, and a home. Nothing is copied into that.
//!
//! Specification: passwd(5), group(5), shadow(5).

use std::fmt;
use std::str::FromStr;

use super::filesystem::FileSystem;
use crate::archive::layer::LayerTree;
use crate::hints::Hints;
use crate::tree::access::id;
use crate::tree::{
    FileAccess, FileContent, FileMode, FileOrigin, FileOwner, InsertError, InvalidPath, TreeEntry, TreePath,
};

/// The user that is added if no number is given: the first that distributions of Linux give to people.
const FIRST: u32 = 1000;

/// The longest name of a user, in bytes (useradd(8)).
const LONGEST_NAME: usize = 32;

/// A user to be added: `NAME[:UID[:GID]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// The name.
    pub name: String,
    /// The number; 1000 if none is given.
    pub uid: u32,
    /// The number of the group; the user's if none is given.
    pub gid: u32,
}

/// A text that is no `NAME[:UID[:GID]]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no user of the form NAME[:UID[:GID]]: {reason}", .text.escape_debug())]
pub struct InvalidUser {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl FromStr for NewUser {
    type Err = InvalidUser;

    fn from_str(text: &str) -> Result<Self, InvalidUser> {
        let invalid = |reason| InvalidUser { text: text.to_owned(), reason };
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let is_start = |character: char| character.is_ascii_lowercase() || character == '_';
        let is_allowed = |character: char| is_start(character) || character.is_ascii_digit() || character == '-';
        if !name.starts_with(is_start) || !name.chars().all(is_allowed) || name.len() > LONGEST_NAME {
            return Err(invalid(
                "a name has at most 32 lower case letters, digits, `-` and `_`, and begins with a letter",
            ));
        }
        let mut number = |default: u32| match parts.next() {
            None => Ok(default),
            Some(text) => id(text).ok_or_else(|| invalid("UID and GID are numbers")),
        };
        let uid = number(FIRST)?;
        let gid = number(uid)?;
        if parts.next().is_some() {
            return Err(invalid("nothing follows the group"));
        }
        if uid == 0 {
            return Err(invalid("0 is root"));
        }
        Ok(Self { name: name.to_owned(), uid, gid })
    }
}

impl fmt::Display for NewUser {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.name, self.uid, self.gid)
    }
}

/// Why a user cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The name or the number is somebody else's.
    #[error("the user {user} cannot be added: the base's {file} has `{line}`")]
    Taken {
        /// The user.
        user: NewUser,
        /// The file.
        file: &'static str,
        /// The line that is in the way.
        line: String,
    },
    /// The base keeps its users elsewhere.
    #[error("the user {user} cannot be added: the base's /{file} is a symbolic link")]
    Link {
        /// The user.
        user: NewUser,
        /// The file.
        file: &'static str,
    },
    /// The home's path is no path of an image's.
    #[error(transparent)]
    Path(#[from] InvalidPath),
    /// Two of the files want one path.
    #[error(transparent)]
    Tree(#[from] InsertError),
}

impl Hints for UserError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Taken { .. } => {
                vec!["choose another name and number, or name the base's own user with --user".to_owned()]
            }
            Self::Link { .. } => vec!["name the user by number: --user UID:GID needs none of these files".to_owned()],
            Self::Path(_) | Self::Tree(_) => Vec::new(),
        }
    }
}

/// A file of lines, each of fields with colons between them.
struct AccountFile {
    file: &'static str,
    access: FileAccess,
    bytes: Vec<u8>,
    is_changed: bool,
}

impl AccountFile {
    fn of(files: &FileSystem, file: &'static str) -> Self {
        let (access, bytes) = files.text(file).unwrap_or((FileAccess::FILE, &[]));
        Self { file, access, bytes: bytes.to_vec(), is_changed: false }
    }

    /// Returns the fields of the first line that has a text in one of its fields. Bytes that are not UTF-8 stay where they
    /// are, and are compared with nothing.
    fn find(&self, field: usize, text: &str) -> Option<Vec<String>> {
        let lines = self.bytes.split(|byte| *byte == b'\n').map(String::from_utf8_lossy);
        let mut lines = lines.map(|line| line.split(':').map(str::to_owned).collect::<Vec<_>>());
        lines.find(|fields| fields.get(field).is_some_and(|found| found == text))
    }

    fn add(&mut self, line: &str) {
        if !self.bytes.is_empty() && !self.bytes.ends_with(b"\n") {
            self.bytes.push(b'\n');
        }
        self.bytes.extend_from_slice(line.as_bytes());
        self.bytes.push(b'\n');
        self.is_changed = true;
    }
}

/// Tells whether there is a user of a name, by the file that names them.
pub fn is_user(files: &FileSystem, name: &str) -> bool {
    AccountFile::of(files, "etc/passwd").find(0, name).is_some()
}

/// Returns what adding users changes in a file system. Who is there already, with the same numbers, is left alone.
///
/// # Errors
/// A name or a number is somebody else's, or the file system keeps its users elsewhere.
pub fn add(users: &[NewUser], files: &FileSystem) -> Result<LayerTree, UserError> {
    let mut tree = LayerTree::default();
    let [mut passwd, mut group, mut shadow] =
        ["etc/passwd", "etc/group", "etc/shadow"].map(|file| AccountFile::of(files, file));
    for user in users {
        if let Some(lines) = [&passwd, &group].into_iter().find(|lines| files.is_link(lines.file)) {
            return Err(UserError::Link { user: user.clone(), file: lines.file });
        }
        let NewUser { name, uid, gid } = user;
        let (uid_text, gid_text) = (uid.to_string(), gid.to_string());
        let taken = |lines: &AccountFile, fields: Vec<String>| {
            Err(UserError::Taken { user: user.clone(), file: lines.file, line: fields.join(":") })
        };
        match passwd.find(0, name).or_else(|| passwd.find(2, &uid_text)) {
            Some(fields) if [&fields[0], &fields[2]] == [name, &uid_text] && fields.get(3) == Some(&gid_text) => {
                continue;
            }
            Some(fields) => return taken(&passwd, fields),
            None => {}
        }
        match (group.find(2, &gid_text), group.find(0, name)) {
            (Some(_), _) => {}
            (None, Some(fields)) => return taken(&group, fields),
            (None, None) => group.add(&format!("{name}:x:{gid}:")),
        }
        passwd.add(&format!("{name}:x:{uid}:{gid}::/home/{name}:/bin/sh"));
        if files.text(shadow.file).is_some() && shadow.find(0, name).is_none() {
            // No password fits, and none expires.
            shadow.add(&format!("{name}:!:::::::"));
        }
        let home = files.resolve(&format!("home/{name}"), true).unwrap_or_else(|| format!("home/{name}"));
        let access = FileAccess { mode: FileMode::EXECUTABLE, owner: FileOwner { uid: *uid, gid: *gid } };
        tree.files.insert_directory(TreePath::new(&home)?, access, FileOrigin::Application)?;
    }
    for lines in [passwd, group, shadow].into_iter().filter(|lines| lines.is_changed) {
        let content = FileContent::Bytes(lines.bytes.into());
        let entry = TreeEntry { access: lines.access, content, origin: FileOrigin::Application };
        tree.files.insert(TreePath::new(lines.file)?, entry)?;
    }
    keep_directories(&mut tree, files)?;
    Ok(tree)
}

/// Leaves the directories of a file system whose they are.
fn keep_directories(tree: &mut LayerTree, files: &FileSystem) -> Result<(), UserError> {
    let homes: Vec<TreePath> = tree.files.directories().map(|(path, _)| path.clone()).collect();
    let etc = TreePath::new("etc/passwd")?;
    for parent in homes.iter().chain([&etc]).flat_map(TreePath::parents) {
        if let Some(access) = files.special_directory(parent).filter(|_| tree.files.is_directory(parent)) {
            tree.files.insert_directory(TreePath::new(parent)?, access, FileOrigin::Application)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
