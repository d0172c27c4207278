//! Whose a file is, and what its owner and others may do with it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The permissions of a file or a directory: the lower twelve bits that Unix keeps of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "u32", into = "u32")]
pub struct FileMode(u16);

impl FileMode {
    /// 0644: what a file has, unless it is executable or somebody says otherwise.
    pub const REGULAR: Self = Self(0o644);
    /// 0755: what a program and a directory have.
    pub const EXECUTABLE: Self = Self(0o755);

    /// Reduces Unix permission bits to whether anyone may execute the file.
    pub fn from_permissions(bits: u32) -> Self {
        if bits & 0o111 == 0 { Self::REGULAR } else { Self::EXECUTABLE }
    }

    /// Returns the permission bits.
    pub fn permissions(self) -> u32 {
        self.0.into()
    }

    /// Tells whether anyone may execute the file.
    pub fn is_executable(self) -> bool {
        self.0 & 0o111 != 0
    }

    /// Returns what is left if nobody may execute the file.
    pub fn without_execution(self) -> Self {
        Self(self.0 & !0o111)
    }

    /// Tells whether everyone may read the file.
    pub fn is_readable_by_all(self) -> bool {
        self.0 & 0o004 != 0
    }

    /// Tells whether it is what a file has of which nobody says otherwise.
    pub fn is_usual(self) -> bool {
        matches!(self, Self::REGULAR | Self::EXECUTABLE)
    }
}

/// Takes the permissions of a file's mode, without its type.
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

/// A text that states no permissions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMode {
    /// It is no octal number of three or four digits.
    #[error("`{}` is no mode: three octal digits are expected, as in \"0755\" or \"640\"", .0.escape_debug())]
    Form(String),
    /// It sets more than permissions to read, write and execute.
    #[error(
        "the mode `{0}` sets the setuid, setgid or sticky bit: a program with one runs with the rights of somebody else \
         than the user who starts it"
    )]
    Special(String),
}

/// Reads three octal digits, with a zero before them or without. Special bits are refused: in an image they undo what
/// `--user` is for, and a zip of Lambda's drops them.
impl FromStr for FileMode {
    type Err = InvalidMode;

    fn from_str(text: &str) -> Result<Self, InvalidMode> {
        let is_octal = matches!(text.len(), 3 | 4) && text.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
        match u16::from_str_radix(text, 8) {
            Ok(bits) if is_octal && bits <= 0o777 => Ok(Self(bits)),
            Ok(_) if is_octal => Err(InvalidMode::Special(text.to_owned())),
            _ => Err(InvalidMode::Form(text.to_owned())),
        }
    }
}

/// The user and the group that a file or a directory belongs to, by their numbers. The default is root.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileOwner {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

impl FileOwner {
    /// The user 0 and the group 0.
    pub const ROOT: Self = Self { uid: 0, gid: 0 };
}

impl fmt::Display for FileOwner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.uid, self.gid)
    }
}

/// A text that names no owner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is no owner: numbers are expected, UID or UID:GID, as in \"1000:1000\"; a name means another number in each image",
    .0.escape_debug()
)]
pub struct InvalidOwner(pub String);

/// Reads `UID` or `UID:GID`; without a group, its number is the user's.
impl FromStr for FileOwner {
    type Err = InvalidOwner;

    fn from_str(text: &str) -> Result<Self, InvalidOwner> {
        let invalid = || InvalidOwner(text.to_owned());
        let (uid, gid) = text.split_once(':').unwrap_or((text, text));
        Ok(Self { uid: id(uid).ok_or_else(invalid)?, gid: id(gid).ok_or_else(invalid)? })
    }
}

/// Reads the number of a user or a group: decimal digits. The largest that 32 bits hold stands for none (POSIX, chown).
pub fn id(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    text.parse().ok().filter(|id| is_number && *id != u32::MAX)
}

/// Whose a file or a directory is, and its permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileAccess {
    /// The permissions.
    pub mode: FileMode,
    /// The owner.
    pub owner: FileOwner,
}

impl FileAccess {
    /// Root's, and everybody's to read.
    pub const FILE: Self = Self::root(FileMode::REGULAR);
    /// Root's, and everybody's to execute.
    pub const EXECUTABLE: Self = Self::root(FileMode::EXECUTABLE);
    /// Root's, and everybody's to look into.
    pub const DIRECTORY: Self = Self::root(FileMode::EXECUTABLE);

    /// Returns the access to something of root's.
    pub const fn root(mode: FileMode) -> Self {
        Self { mode, owner: FileOwner::ROOT }
    }

    /// Tells whether it is what a file has of which nobody says otherwise.
    pub fn is_usual(self) -> bool {
        self.mode.is_usual() && self.owner == FileOwner::ROOT
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
            assert_eq!(text.parse::<FileMode>(), Err(InvalidMode::Form(text.to_owned())), "{text}");
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
