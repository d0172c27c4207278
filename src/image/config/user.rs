//! The user that a container runs as.
//!
//! Specification: [OCI image configuration, `User`](https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md#properties).

use std::fmt;
use std::str::FromStr;

/// The largest UID and GID of a container: runc and crun refuse larger ones.
pub(crate) const LARGEST_ID: u32 = i32::MAX as u32;

/// `USER` or `USER:GROUP`, each a name in the image or a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSetting(String);

impl UserSetting {
    /// Returns the user as it is written in an image config.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserSetting {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(':').collect();
        if parts.len() > 2 || parts.iter().any(|part| part.is_empty()) {
            return Err("expected USER or USER:GROUP");
        }
        if text.chars().any(|character| character.is_whitespace() || character.is_control()) {
            return Err("a user has no spaces");
        }
        for part in parts {
            let is_number = part.trim_start_matches(['-', '+']).bytes().all(|byte| byte.is_ascii_digit());
            if is_number && part.parse::<u32>().ok().is_none_or(|id| id > LARGEST_ID || part.starts_with('+')) {
                return Err("a UID or GID is from 0 to 2147483647");
            }
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for UserSetting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_users() {
        for text in ["app", "app:app", "0", "65532:65532", "1000:app", "2147483647", "DOMAIN\\user"] {
            assert_eq!(text.parse::<UserSetting>().unwrap().to_string(), text);
        }
    }

    /// Docker 20.10 and podman 4.3 refuse to start all but those with three fields and those with an empty one, of which
    /// containerd refuses the former and each takes the latter for something else.
    #[test]
    fn users_that_no_runtime_accepts_are_refused() {
        for text in [
            "",
            ":",
            "app:",
            ":1000",
            "1:2:3",
            "a b",
            " 1000",
            "a\n",
            "-1",
            "+1",
            "1000:-1",
            "2147483648",
            "1:2147483648",
        ] {
            assert!(text.parse::<UserSetting>().is_err(), "{text}");
        }
    }
}
