//! Users that an image adds to its base.
//!
//! The changes are those of `useradd --create-home`: a line in `/etc/passwd`, one in `/etc/group` unless the group exists,
//! one in `/etc/shadow` if that file exists, and a home directory. Nothing is copied from `/etc/skel`.
//!
//! Specification: passwd(5), group(5), shadow(5).

use std::fmt;
use std::str::FromStr;

use super::config::user::LARGEST_ID;
use super::filesystem::{FileSystem, LARGEST_ACCOUNT_FILE};
use crate::archive::layer::LayerTree;
use crate::hints::Hints;
use crate::tree::access::id;
use crate::tree::{
    FileAccess, FileContent, FileMode, FileOrigin, FileOwner, InsertError, InvalidPath, TreeEntry, TreePath,
};

/// The default UID: the first one for regular users in Linux distributions (login.defs(5), `UID_MIN`).
const FIRST: u32 = 1000;

/// The longest user name, in bytes (useradd(8)).
const LONGEST_NAME: usize = 32;

/// A user to add: `NAME[:UID[:GID]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewUser {
    pub(crate) name: String,
    /// The user ID; by default 1000.
    pub(crate) uid: u32,
    /// The group ID; by default the user ID.
    pub(crate) gid: u32,
}

/// A string that is not `NAME[:UID[:GID]]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid user, expected NAME[:UID[:GID]]: {reason}", .text.escape_debug())]
pub(crate) struct InvalidUser {
    pub(crate) text: String,
    pub(crate) reason: &'static str,
}

impl FromStr for NewUser {
    type Err = InvalidUser;

    fn from_str(text: &str) -> Result<Self, InvalidUser> {
        Self::parse(text).map_err(|reason| InvalidUser { text: text.to_owned(), reason })
    }
}

impl NewUser {
    /// Parses `NAME[:UID[:GID]]`, or returns the reason why the string is invalid.
    fn parse(text: &str) -> Result<Self, &'static str> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        if !is_user_name(name) {
            return Err(
                "a name has at most 32 lowercase letters, digits, `-` and `_`, and begins with a letter or `_`",
            );
        }
        let uid = parts.next().map_or(Some(FIRST), id).ok_or("the UID is not a number")?;
        let gid = parts.next().map_or(Some(uid), id).ok_or("the GID is not a number")?;
        if parts.next().is_some() {
            return Err("it has more than three fields");
        }
        if uid == 0 {
            return Err("UID 0 is root");
        }
        if uid.max(gid) > LARGEST_ID {
            return Err("a UID or GID is at most 2147483647");
        }
        Ok(Self { name: name.to_owned(), uid, gid })
    }
}

impl fmt::Display for NewUser {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.name, self.uid, self.gid)
    }
}

fn is_user_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME
        && name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

/// Why a user cannot be added.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UserError {
    /// The name or the ID belongs to a different user or group.
    #[error("cannot add user {user}: the base's /{file} has `{line}`")]
    Conflict {
        user: NewUser,
        /// The file of the user database, relative to the root.
        file: &'static str,
        line: String,
    },
    /// A file of the user database is a symbolic link, which a layer would replace.
    #[error("cannot add user {user}: the base's /{file} is a symbolic link")]
    Link {
        user: NewUser,
        /// The file of the user database, relative to the root.
        file: &'static str,
    },
    /// A file of the user database is too large to be read and replaced.
    #[error("cannot add user {user}: the base's /{file} is larger than {} MiB", LARGEST_ACCOUNT_FILE >> 20)]
    Large {
        user: NewUser,
        /// The file of the user database, relative to the root.
        file: &'static str,
    },
    /// The path of the home directory is invalid.
    #[error(transparent)]
    Path(#[from] InvalidPath),
    /// A home directory has the path of a file.
    #[error(transparent)]
    Tree(#[from] InsertError),
}

impl Hints for UserError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Conflict { .. } => {
                vec!["choose another name and UID, or use the base's user with --user".to_owned()]
            }
            Self::Link { .. } | Self::Large { .. } => {
                vec!["use --user UID:GID, which needs no entry in these files".to_owned()]
            }
            Self::Path(_) | Self::Tree(_) => Vec::new(),
        }
    }
}

/// A file of the user database: lines of fields that are separated by colons.
struct AccountFile {
    file: &'static str,
    access: FileAccess,
    bytes: Vec<u8>,
    is_changed: bool,
}

impl AccountFile {
    fn of(files: &FileSystem, file: &'static str) -> Self {
        let (access, bytes) = files.account_file(file).unwrap_or((FileAccess::FILE, &[]));
        Self { file, access, bytes: bytes.to_vec(), is_changed: false }
    }

    /// Returns the fields of the first line with this text in a field. Bytes that are not UTF-8 match nothing, and are kept.
    fn find(&self, field: usize, text: &str) -> Option<Vec<String>> {
        let lines = self.bytes.split(|byte| *byte == b'\n').map(String::from_utf8_lossy);
        let mut lines = lines.map(|line| line.split(':').map(str::to_owned).collect::<Vec<_>>());
        lines.find(|fields| fields.get(field).is_some_and(|found| found == text))
    }

    /// Returns the error for a user who cannot be added because of a line.
    fn conflict(&self, user: &NewUser, fields: &[String]) -> UserError {
        UserError::Conflict { user: user.clone(), file: self.file, line: fields.join(":") }
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

/// Returns whether `/etc/passwd` has a user, or may have it because it is too large to be read.
pub(crate) fn is_user(files: &FileSystem, name: &str) -> bool {
    files.is_large_account_file("etc/passwd") || AccountFile::of(files, "etc/passwd").find(0, name).is_some()
}

/// Returns the user ID and the group ID of a user of `/etc/passwd`.
pub(crate) fn ids(files: &FileSystem, name: &str) -> Option<(u32, u32)> {
    let fields = AccountFile::of(files, "etc/passwd").find(0, name)?;
    Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
}

/// Returns the ID of a group of `/etc/group`.
pub(crate) fn group_id(files: &FileSystem, name: &str) -> Option<u32> {
    AccountFile::of(files, "etc/group").find(0, name)?.get(2)?.parse().ok()
}

/// Returns the files that adding users changes. A user that exists with the same IDs is skipped.
///
/// # Errors
/// A name or an ID belongs to a different user, or a file of the user database is a symbolic link or too large.
pub(crate) fn add(users: &[NewUser], files: &FileSystem) -> Result<LayerTree, UserError> {
    let mut tree = LayerTree::default();
    let [mut passwd, mut group, mut shadow] =
        ["etc/passwd", "etc/group", "etc/shadow"].map(|file| AccountFile::of(files, file));
    for user in users {
        if let Some(lines) = [&passwd, &group].into_iter().find(|lines| files.is_link(lines.file)) {
            return Err(UserError::Link { user: user.clone(), file: lines.file });
        }
        if let Some(lines) =
            [&passwd, &group, &shadow].into_iter().find(|lines| files.is_large_account_file(lines.file))
        {
            return Err(UserError::Large { user: user.clone(), file: lines.file });
        }
        let NewUser { name, uid, gid } = user;
        let (uid_text, gid_text) = (uid.to_string(), gid.to_string());
        match passwd.find(0, name).or_else(|| passwd.find(2, &uid_text)) {
            Some(fields) if [&fields[0], &fields[2]] == [name, &uid_text] && fields.get(3) == Some(&gid_text) => {
                continue;
            }
            Some(fields) => return Err(passwd.conflict(user, &fields)),
            None => {}
        }
        match (group.find(2, &gid_text), group.find(0, name)) {
            (Some(_), _) => {}
            (None, Some(fields)) => return Err(group.conflict(user, &fields)),
            (None, None) => group.add(&format!("{name}:x:{gid}:")),
        }
        passwd.add(&format!("{name}:x:{uid}:{gid}::/home/{name}:/bin/sh"));
        if files.account_file(shadow.file).is_some() && shadow.find(0, name).is_none() {
            // `!` matches no password, and the empty fields mean that nothing expires (shadow(5)).
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
    keep_access(&mut tree, files)?;
    Ok(tree)
}

/// Gives the directories above the changed files the access that they have in the base.
fn keep_access(tree: &mut LayerTree, files: &FileSystem) -> Result<(), UserError> {
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
