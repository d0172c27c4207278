//! Exposed ports of an image.

use std::fmt;
use std::str::FromStr;

use crate::hints::Hints;

/// A port in `ExposedPorts`
/// ([OCI image configuration, properties](https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md#properties)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port {
    /// Never 0.
    number: u16,
    protocol: Protocol,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

/// A string that is not a port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPort {
    /// The string is not a number with an optional protocol.
    #[error("`{}` is not a valid port: expected a number from 1 to 65535, optionally followed by `/tcp`, `/udp` or `/sctp`", .0.escape_debug())]
    Malformed(String),
    /// The string is a range of ports, which an image config cannot contain.
    #[error("`{}` is a range of ports: an image exposes single ports", .0.escape_debug())]
    Range(String),
}

impl Hints for InvalidPort {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Malformed(_) => vec![],
            Self::Range(_) => vec!["list each port of the range".to_owned()],
        }
    }
}

impl FromStr for Port {
    type Err = InvalidPort;

    fn from_str(text: &str) -> Result<Self, InvalidPort> {
        let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        if number.split_once('-').is_some_and(|(first, last)| is_number(first) && is_number(last)) {
            return Err(InvalidPort::Range(text.to_owned()));
        }
        let number = if is_number(number) { number.parse::<u16>().ok().filter(|number| *number > 0) } else { None };
        let protocol = match protocol {
            "tcp" => Some(Protocol::Tcp),
            "udp" => Some(Protocol::Udp),
            "sctp" => Some(Protocol::Sctp),
            _ => None,
        };
        match (number, protocol) {
            (Some(number), Some(protocol)) => Ok(Self { number, protocol }),
            _ => Err(InvalidPort::Malformed(text.to_owned())),
        }
    }
}

/// Returns whether a string consists of digits. Parsing alone would accept a sign.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for Port {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        };
        write!(formatter, "{}/{protocol}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_tcp_unless_they_say_otherwise() {
        for (text, port) in [
            ("8000", "8000/tcp"),
            ("8000/tcp", "8000/tcp"),
            ("53/udp", "53/udp"),
            ("1/sctp", "1/sctp"),
            ("65535", "65535/tcp"),
        ] {
            assert_eq!(text.parse::<Port>().unwrap().to_string(), port);
        }
    }

    #[test]
    fn malformed_ports_are_errors() {
        for text in ["", "0", "65536", "+80", "-80", "80/", "80/TCP", "80/icmp", "/tcp", "http", "8 0", "80:80"] {
            assert_eq!(text.parse::<Port>(), Err(InvalidPort::Malformed(text.to_owned())));
        }
    }

    #[test]
    fn ranges_have_an_error_of_their_own() {
        for text in ["8000-8010", "8000-8010/udp"] {
            let error = text.parse::<Port>().unwrap_err();
            assert_eq!(error, InvalidPort::Range(text.to_owned()));
            assert_eq!(error.hints().len(), 1);
        }
    }
}
