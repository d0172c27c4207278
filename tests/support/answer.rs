//! Asking a server in an image, from beside it, by tests/support/request.py.

use std::process::Command;

use serde_json::Value;

use super::command::succeed;

/// The program that asks: for the image's own interpreter, by `-c`.
const CLIENT: &str = include_str!("request.py");

/// How long a server may take to answer, in seconds.
const PATIENCE: &str = "60";

/// What a server answered.
#[derive(Debug, serde::Deserialize)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Answer {
    /// Returns the JSON document that the body is; the status must be 200.
    pub fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// A request to a server that is at home on the loopback of its image.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The address, for instance `http://127.0.0.1:8000/`.
    pub url: &'a str,
    /// What is sent by POST; nothing means GET.
    pub body: Option<&'a str>,
    /// The image's interpreter, which asks.
    pub python: &'a str,
}

impl<'a> Request<'a> {
    /// Makes a request by GET, sent by the `python3` on the image's `PATH`.
    pub fn get(url: &'a str) -> Self {
        Self { url, body: None, python: "python3" }
    }

    /// Makes the request that Lambda's emulator takes as an invocation.
    pub fn invocation(event: &'a str) -> Self {
        let url = "http://127.0.0.1:8080/2015-03-31/functions/function/invocations";
        Self { url, body: Some(event), python: "/var/lang/bin/python3" }
    }

    /// Returns the program and the arguments that send it, inside of the image.
    pub(super) fn arguments(&self) -> [&'a str; 6] {
        [self.python, "-c", CLIENT, self.url, self.body.unwrap_or_default(), PATIENCE]
    }
}

/// Runs what sends a request, and returns what came back.
pub(super) fn ask(command: &mut Command) -> Answer {
    serde_json::from_str(&succeed(command)).unwrap()
}
