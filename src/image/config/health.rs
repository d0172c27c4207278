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

/// The names of signals without `SIG`, as in Docker's table (moby/sys/signal).
const SIGNALS: [&str; 36] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE", "POLL",
    "PROF", "PWR", "QUIT", "RTMAX", "RTMIN", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU",
    "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ",
];

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

/// What a health check runs: a JSON array as it is, a text by the image's shell, and `none` removes the base's. Both may begin
/// as in a Dockerfile (`CMD`) or as in image configs and Compose files (`CMD`, `CMD-SHELL`, `NONE`), as for podman.
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

    /// Returns whether another command decides if the first one of a line fails: `wget URL || curl URL`, but not
    /// `curl URL || exit 1`.
    pub(crate) fn has_alternative(&self) -> bool {
        let Self::Shell(line) = self else { return false };
        let alternative = line.split_once("||").and_then(|(_, after)| after.split_whitespace().next());
        alternative.is_some_and(|word| !matches!(word, "exit" | "false"))
    }
}

impl FromStr for HealthCommand {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let command = ["CMD", "CMD-SHELL"].iter().find_map(|form| {
            let rest = text.strip_prefix(form)?;
            rest.starts_with([' ', '\t']).then(|| rest.trim_start())
        });
        match command.unwrap_or(text) {
            "" => Err("the command is empty"),
            "none" | "NONE" => Ok(Self::None),
            array if array.starts_with('[') => {
                let Ok(words) = serde_json::from_str::<Vec<String>>(array) else {
                    return Err("not a JSON array of strings");
                };
                match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                    [] | ["CMD" | "CMD-SHELL"] => Err("the command is empty"),
                    ["NONE"] => Ok(Self::None),
                    ["CMD-SHELL", line] => Ok(Self::Shell(line.to_owned())),
                    ["CMD-SHELL", ..] => Err("expected one command line after \"CMD-SHELL\""),
                    ["CMD", ..] => Ok(Self::Arguments(words[1..].to_vec())),
                    _ => Ok(Self::Arguments(words)),
                }
            }
            line => Ok(Self::Shell(line.to_owned())),
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
        // Docker and podman take names in any case, with or without `SIG`.
        let name = text.to_ascii_uppercase();
        let name = name.strip_prefix("SIG").unwrap_or(&name);
        if is_number {
            Ok(Self(text.to_owned()))
        } else if is_signal(name) {
            Ok(Self(format!("SIG{name}")))
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

/// Returns whether Linux has a signal of a name without `SIG` (signal(7)).
fn is_signal(name: &str) -> bool {
    let real_time = ["RTMIN+", "RTMAX-"].iter().find_map(|start| name.strip_prefix(start));
    SIGNALS.contains(&name) || real_time.is_some_and(|offset| offset.parse::<u8>().is_ok_and(|offset| offset <= 15))
}

/// The path of a volume, which is absolute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VolumePath(String);

impl FromStr for VolumePath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.starts_with('/') || text.contains(':') {
            Err("expected an absolute path in the container")
        } else if text.split('/').all(|component| matches!(component, "" | "." | "..")) {
            // No container of such an image starts.
            Err("the root of the container cannot be a volume")
        } else {
            Ok(Self(text.to_owned()))
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
            ("CMD curl -f http://localhost/", json!(["CMD-SHELL", "curl -f http://localhost/"])),
            ("CMD [\"/probe\"]", json!(["CMD", "/probe"])),
            ("CMD-SHELL exit 0", json!(["CMD-SHELL", "exit 0"])),
            ("[\"CMD\", \"/probe\"]", json!(["CMD", "/probe"])),
            ("[\"CMD-SHELL\", \"exit 0\"]", json!(["CMD-SHELL", "exit 0"])),
            ("CMDR", json!(["CMD-SHELL", "CMDR"])),
            ("none", json!(["NONE"])),
            ("[\"NONE\"]", json!(["NONE"])),
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
        for text in ["", "[]", "[1]", "CMD []", "[\"CMD\"]", "[\"CMD-SHELL\", \"exit\", \"0\"]"] {
            assert!(text.parse::<HealthCommand>().is_err(), "{text}");
        }
        for text in ["", "0s", "-1s", "1", "soon", "500us"] {
            assert!(text.parse::<HealthTime>().is_err(), "{text}");
        }
        for text in ["", "STOPP", "SIG", "RTMIN+16", "0", "65"] {
            assert!(text.parse::<StopSignal>().is_err(), "{text}");
        }
        for (text, written) in [("SIGTERM", "SIGTERM"), ("int", "SIGINT"), ("SIGRTMIN+3", "SIGRTMIN+3"), ("15", "15")] {
            assert_eq!(text.parse::<StopSignal>().unwrap().to_string(), written);
        }
        for text in ["", "data", "/a:/b", "/", "/.."] {
            assert!(text.parse::<VolumePath>().is_err(), "{text}");
        }
    }
}
