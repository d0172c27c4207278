//! What a function is configured with in Lambda, as far as a local run needs it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The time that an invocation may take, in whole seconds
/// ([AWS, Lambda quotas](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FunctionTimeout(u16);

impl FunctionTimeout {
    /// Lambda's default.
    pub(crate) const DEFAULT: Self = Self(3);

    pub(crate) fn duration(self) -> Duration {
        Duration::from_secs(self.0.into())
    }
}

/// A text that is not the timeout of a function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected whole seconds from 1 to 900")]
pub(crate) struct InvalidFunctionTimeout;

impl FromStr for FunctionTimeout {
    type Err = InvalidFunctionTimeout;

    fn from_str(text: &str) -> Result<Self, InvalidFunctionTimeout> {
        let seconds = text.strip_suffix('s').unwrap_or(text).trim_end().parse().map_err(|_| InvalidFunctionTimeout)?;
        if (1..=900).contains(&seconds) { Ok(Self(seconds)) } else { Err(InvalidFunctionTimeout) }
    }
}

impl fmt::Display for FunctionTimeout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The memory of a function in MB, by which Lambda means MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FunctionMemory(u16);

impl FunctionMemory {
    /// Lambda's default.
    pub(crate) const DEFAULT: Self = Self(128);

    pub(crate) fn bytes(self) -> u64 {
        u64::from(self.0) << 20
    }
}

/// A text that is not the memory of a function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected megabytes from 128 to 10240")]
pub(crate) struct InvalidFunctionMemory;

impl FromStr for FunctionMemory {
    type Err = InvalidFunctionMemory;

    fn from_str(text: &str) -> Result<Self, InvalidFunctionMemory> {
        let megabytes = text.parse().map_err(|_| InvalidFunctionMemory)?;
        if (128..=10_240).contains(&megabytes) { Ok(Self(megabytes)) } else { Err(InvalidFunctionMemory) }
    }
}

impl fmt::Display for FunctionMemory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_that_lambda_accepts() {
        assert_eq!("15".parse::<FunctionTimeout>().unwrap().duration(), Duration::from_secs(15));
        assert_eq!("900s".parse::<FunctionTimeout>().unwrap().to_string(), "900");
        for text in ["", "0", "901", "1.5", "-1", "1m"] {
            assert_eq!(text.parse::<FunctionTimeout>(), Err(InvalidFunctionTimeout), "{text}");
        }
        assert_eq!("512".parse::<FunctionMemory>().unwrap().bytes(), 512 << 20);
        for text in ["", "127", "10241", "512 MB", "99999999"] {
            assert_eq!(text.parse::<FunctionMemory>(), Err(InvalidFunctionMemory), "{text}");
        }
    }
}
