//! Permissions and owners of files.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The permissions of a file or a directory: the lower twelve bits of a Unix mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "u32", into = "u32")]
pub struct FileMode(u16);

impl FileMode {
    /// 0644: the default of files.
    pub const REGULAR: Self = Self(0o644);
    /// 0755: the default of executable files and directories.
    pub const EXECUTABLE: Self = Self(0o755);

    /// Returns a default mode, which keeps of the permissions only whether anyone may execute the file.
    pub fn from_permissions(bits: u32) -> Self {
        if bits & 0o111 == 0 { Self::REGULAR } else { Self::EXECUTABLE }
    }

    /// Returns the permission bits.
    pub fn permissions(self) -> u32 {
        self.0.into()
    }

    /// Returns whether anyone may execute the file.
    pub fn is_executable(self) -> bool {
        self.0 & 0o111 != 0
    }

    /// Returns the mode without the permissions to execute.
    pub(crate) fn without_execution(self) -> Self {
        Self(self.0 & !0o111)
    }

    /// Returns whether everyone may read the file.
    pub(crate) fn is_readable_by_all(self) -> bool {
        self.0 & 0o004 != 0
    }

    /// Returns whether this is the default mode of files or of executables.
    pub(crate) fn is_default(self) -> bool {
        matches!(self, Self::REGULAR | Self::EXECUTABLE)
    }
}

/// Drops the file type.
impl From<u32> for FileMode {
    fn from(bits: u32) -> Self {
        Self((bits & 0o7777) as u16)
    }
}

impl From<FileMode> for u32 {
    fn from(mode: FileMode) -> Self {
        mode.permissions()
    }
}

/// Four octal digits.
impl fmt::Display for FileMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04o}", self.0)
    }
}

/// A string that is not a valid mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMode {
    /// The string is not an octal number of three digits.
    #[error("`{}` is not a valid mode: expected three octal digits, for instance \"0755\" or \"640\"", .0.escape_debug())]
    Malformed(String),
    /// The mode sets more than permissions to read, write and execute.
    #[error("the mode `{0}` sets the setuid, setgid or sticky bit, which is not supported")]
    Special(String),
}

/// Parses three octal digits, optionally after a zero. Special bits are rejected: a setuid executable would run as another
/// user than `--user`, and Lambda ignores them.
impl FromStr for FileMode {
    type Err = InvalidMode;

    fn from_str(text: &str) -> Result<Self, InvalidMode> {
        let is_octal = matches!(text.len(), 3 | 4) && text.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
        match u16::from_str_radix(text, 8) {
            Ok(bits) if is_octal && bits <= 0o777 => Ok(Self(bits)),
            Ok(_) if is_octal => Err(InvalidMode::Special(text.to_owned())),
            _ => Err(InvalidMode::Malformed(text.to_owned())),
        }
    }
}

/// The user ID and the group ID of a file or a directory. The default is root.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileOwner {
    /// The user ID.
    pub uid: u32,
    /// The group ID.
    pub gid: u32,
}

impl FileOwner {
    /// User 0 and group 0.
    pub const ROOT: Self = Self { uid: 0, gid: 0 };
}

impl fmt::Display for FileOwner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.uid, self.gid)
    }
}

/// A string that is not a valid owner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is not a valid owner: expected UID or UID:GID, for instance \"1000:1000\", since names have different IDs in each image",
    .0.escape_debug()
)]
pub struct InvalidOwner(pub String);

/// Parses `UID` or `UID:GID`. The default of GID is UID.
impl FromStr for FileOwner {
    type Err = InvalidOwner;

    fn from_str(text: &str) -> Result<Self, InvalidOwner> {
        let (uid, gid) = text.split_once(':').unwrap_or((text, text));
        match (id(uid), id(gid)) {
            (Some(uid), Some(gid)) => Ok(Self { uid, gid }),
            _ => Err(InvalidOwner(text.to_owned())),
        }
    }
}

/// Parses a user or group ID. The largest 32-bit number is not an ID: it means "unchanged" (POSIX, chown).
pub(crate) fn id(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    text.parse().ok().filter(|id| is_number && *id != u32::MAX)
}

/// The permissions and the owner of a file or a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileAccess {
    /// The permissions.
    pub mode: FileMode,
    /// The owner.
    pub owner: FileOwner,
}

impl FileAccess {
    /// The default of files.
    pub const FILE: Self = Self::root(FileMode::REGULAR);
    /// The default of executable files.
    pub const EXECUTABLE: Self = Self::root(FileMode::EXECUTABLE);
    /// The default of directories.
    pub(crate) const DIRECTORY: Self = Self::root(FileMode::EXECUTABLE);

    /// Returns the access of a file that root owns.
    pub const fn root(mode: FileMode) -> Self {
        Self { mode, owner: FileOwner::ROOT }
    }

    /// Returns whether this is the default access of files or of executables.
    pub(crate) fn is_default(self) -> bool {
        self.mode.is_default() && self.owner == FileOwner::ROOT
    }
}

impl fmt::Display for FileAccess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.mode, self.owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_three_octal_digits() {
        for (text, bits) in [("0755", 0o755), ("755", 0o755), ("0640", 0o640), ("000", 0), ("0777", 0o777)] {
            assert_eq!(text.parse::<FileMode>().unwrap().permissions(), bits, "{text}");
        }
        for text in ["", "7", "75", "00755", "0o755", "-755", "+755", "0855", "rwx", "u+x", "07 5", "\u{0667}55"] {
            assert_eq!(text.parse::<FileMode>(), Err(InvalidMode::Malformed(text.to_owned())), "{text}");
        }
        for text in ["4755", "2755", "1777", "7777"] {
            assert_eq!(text.parse::<FileMode>(), Err(InvalidMode::Special(text.to_owned())), "{text}");
        }
        assert_eq!(FileMode::from(0o100_640).to_string(), "0640");
    }

    #[test]
    fn owners_are_numbers() {
        for (text, uid, gid) in
            [("0", 0, 0), ("1000", 1000, 1000), ("1000:50", 1000, 50), ("4294967294:0", 4294967294, 0)]
        {
            assert_eq!(text.parse::<FileOwner>().unwrap(), FileOwner { uid, gid }, "{text}");
        }
        for text in ["", "app", "app:app", ":", "1000:", ":1000", "1:2:3", "-1", "+1", "4294967295", "1 000"] {
            assert_eq!(text.parse::<FileOwner>(), Err(InvalidOwner(text.to_owned())), "{text}");
        }
    }
}
