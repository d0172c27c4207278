//! Properties of an image config that describe how a container is watched and stopped.
//!
//! Specification: [OCI image configuration, properties](https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md#properties),
//! and for health checks, which it reserves for Docker,
//! [Docker image specification 1.3](https://github.com/moby/docker-image-spec/blob/v1.3.1/spec.md).

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use serde_json::{Map, Value};

/// The shortest time between health checks, as for Docker.
const SHORTEST: SignedDuration = SignedDuration::from_millis(1);

/// How a container tells whether it is healthy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// What it runs.
    pub command: HealthCommand,
    /// The time between checks; Docker's default is 30 s.
    pub interval: Option<HealthTime>,
    /// The time after which a check has failed; Docker's default is 30 s.
    pub timeout: Option<HealthTime>,
    /// The time during which failures do not count.
    pub start_period: Option<HealthTime>,
    /// The number of consecutive failures that make a container unhealthy; Docker's default is 3.
    pub retries: Option<u32>,
}

impl HealthCheck {
    /// Returns the property `Healthcheck`; times are in nanoseconds.
    pub(super) fn value(&self) -> Value {
        let mut value = Map::from_iter([("Test".to_owned(), self.command.words().into())]);
        for (name, time) in [("Interval", self.interval), ("Timeout", self.timeout), ("StartPeriod", self.start_period)]
        {
            let nanoseconds = time.and_then(|HealthTime(time)| u64::try_from(time.as_nanos()).ok());
            value.extend(nanoseconds.map(|nanoseconds| (name.to_owned(), nanoseconds.into())));
        }
        value.extend(self.retries.map(|retries| ("Retries".to_owned(), retries.into())));
        Value::Object(value)
    }
}

/// What a health check runs: a JSON array as it is, a text by the image's shell, and `none` removes the base's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HealthCommand {
    /// Nothing, not even the base's.
    None,
    /// An executable and its arguments.
    Arguments(Vec<String>),
    /// A line for the shell.
    Shell(String),
}

impl HealthCommand {
    /// Returns the command as image configs state it.
    pub(crate) fn words(&self) -> Vec<String> {
        match self {
            Self::None => vec!["NONE".to_owned()],
            Self::Arguments(arguments) => std::iter::once("CMD".to_owned()).chain(arguments.iter().cloned()).collect(),
            Self::Shell(line) => vec!["CMD-SHELL".to_owned(), line.clone()],
        }
    }
}

impl FromStr for HealthCommand {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "" => Err("the command is empty"),
            "none" | "NONE" => Ok(Self::None),
            text if text.starts_with('[') => match serde_json::from_str::<Vec<String>>(text) {
                Ok(arguments) if !arguments.is_empty() => Ok(Self::Arguments(arguments)),
                _ => Err("not a JSON array of strings"),
            },
            text => Ok(Self::Shell(text.to_owned())),
        }
    }
}

impl fmt::Display for HealthCommand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => formatter.write_str("none"),
            Self::Arguments(arguments) => Value::from(arguments.clone()).fmt(formatter),
            Self::Shell(line) => formatter.write_str(line),
        }
    }
}

/// A duration such as `30s` or `1m30s`, of at least a millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthTime(SignedDuration);

impl FromStr for HealthTime {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let time: SignedDuration = text.parse().map_err(|_| "expected a duration such as 30s or 1m30s")?;
        if time < SHORTEST { Err("a duration is at least 1ms") } else { Ok(Self(time)) }
    }
}

impl fmt::Display for HealthTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#}", self.0)
    }
}

/// The signal that stops a container: a name such as `SIGTERM`, or a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopSignal(String);

impl FromStr for StopSignal {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_number = text.parse::<u8>().is_ok_and(|number| (1..=64).contains(&number));
        let is_name = text.strip_prefix("SIG").is_some_and(|name| {
            !name.is_empty() && name.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'+' | b'-'))
        });
        if is_number || is_name {
            Ok(Self(text.to_owned()))
        } else {
            Err("expected a signal such as SIGTERM, or 1 to 64")
        }
    }
}

impl fmt::Display for StopSignal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The path of a volume, which is absolute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VolumePath(String);

impl FromStr for VolumePath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with('/') && !text.contains(':') {
            Ok(Self(text.to_owned()))
        } else {
            Err("expected an absolute path in the container")
        }
    }
}

impl fmt::Display for VolumePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn health_checks_are_written_as_docker_does() {
        for (text, words) in [
            ("curl -f http://localhost/ || exit 1", json!(["CMD-SHELL", "curl -f http://localhost/ || exit 1"])),
            ("[\"/probe\", \"--fast\"]", json!(["CMD", "/probe", "--fast"])),
            ("none", json!(["NONE"])),
        ] {
            let command: HealthCommand = text.parse().unwrap();
            assert_eq!(command.to_string().parse(), Ok(command.clone()));
            let check = HealthCheck { command, interval: None, timeout: None, start_period: None, retries: None };
            assert_eq!(check.value(), json!({ "Test": words }), "{text}");
        }
        let check = HealthCheck {
            command: HealthCommand::None,
            interval: "1m30s".parse().ok(),
            timeout: "500ms".parse().ok(),
            start_period: "5s".parse().ok(),
            retries: Some(2),
        };
        let expected = json!({
            "Test": ["NONE"], "Interval": 90_000_000_000_u64, "Timeout": 500_000_000, "StartPeriod": 5_000_000_000_u64,
            "Retries": 2
        });
        assert_eq!(check.value(), expected);
    }

    #[test]
    fn values_that_docker_refuses_are_refused() {
        for text in ["", "[]", "[1]"] {
            assert!(text.parse::<HealthCommand>().is_err(), "{text}");
        }
        for text in ["", "0s", "-1s", "1", "soon", "500us"] {
            assert!(text.parse::<HealthTime>().is_err(), "{text}");
        }
        for text in ["", "TERM", "SIG", "sigterm", "0", "65"] {
            assert!(text.parse::<StopSignal>().is_err(), "{text}");
        }
        for text in ["SIGTERM", "SIGRTMIN+3", "15"] {
            assert_eq!(text.parse::<StopSignal>().unwrap().to_string(), text);
        }
        for text in ["", "data", "/a:/b"] {
            assert!(text.parse::<VolumePath>().is_err(), "{text}");
        }
    }
}
