//! Sends a request to a server in a container from inside the container, with tests/support/request.py.

use std::process::Command;

use serde_json::Value;

use super::command::succeed;

/// The script that sends the request, run by the image's interpreter with `-c`.
const CLIENT: &str = include_str!("request.py");

/// How long a server may take to answer, in seconds.
const PATIENCE: &str = "60";

/// The answer of a server.
#[derive(Debug, serde::Deserialize)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    /// Parses the body as JSON, and asserts that the status is 200.
    pub fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// A request to a server that listens on the loopback interface of its container.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// For instance `http://127.0.0.1:8000/`.
    pub url: &'a str,
    /// The body of a POST request; `None` for a GET request.
    pub body: Option<&'a str>,
    /// The image's interpreter, which sends the request.
    pub python: &'a str,
}

impl<'a> Request<'a> {
    /// Returns a GET request that the `python3` on the image's `PATH` sends.
    pub fn get(url: &'a str) -> Self {
        Self { url, body: None, python: "python3" }
    }

    /// Returns the request by which Lambda's emulator invokes the function.
    pub fn invocation(event: &'a str) -> Self {
        let url = "http://127.0.0.1:8080/2015-03-31/functions/function/invocations";
        Self { url, body: Some(event), python: "/var/lang/bin/python3" }
    }

    /// Returns the command that sends the request inside the container.
    pub(super) fn arguments(&self) -> [&'a str; 6] {
        [self.python, "-c", CLIENT, self.url, self.body.unwrap_or_default(), PATIENCE]
    }
}

/// Runs a command that sends a request, and returns the answer.
pub(super) fn ask(command: &mut Command) -> Answer {
    serde_json::from_str(&succeed(command)).unwrap()
}
