//! HTTP/1.1 messages, for the servers of tests.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

/// A request or an answer.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// The request line or the status line.
    pub start: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Message {
    pub fn answer(status: u16) -> Self {
        Self { start: format!("HTTP/1.1 {status} Answer"), ..Self::default() }
    }

    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    pub fn with_body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn method(&self) -> &str {
        self.start.split(' ').next().unwrap()
    }

    /// Returns the path of a request, with its query.
    pub fn target(&self) -> &str {
        self.start.split(' ').nth(1).unwrap()
    }

    pub fn path(&self) -> &str {
        self.target().split('?').next().unwrap()
    }

    /// Returns the decoded value of a query parameter.
    pub fn query(&self, name: &str) -> Option<String> {
        let query = self.target().split_once('?')?.1;
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
    }

    pub fn status(&self) -> u16 {
        self.start.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// Reads the head of a message, without its body.
    pub fn read_head(stream: &mut TcpStream) -> io::Result<Self> {
        let (mut buffer, mut seen) = (vec![0; 16 << 10], 0);
        let length = loop {
            let there = stream.peek(&mut buffer)?;
            // Anything else, for instance TLS, gets no answer.
            if there == 0 || !buffer[0].is_ascii_alphabetic() {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if let Some(end) = buffer[..there].windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if there == seen {
                thread::sleep(Duration::from_millis(1));
            }
            seen = there;
        };
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes)?;
        let text = String::from_utf8(bytes).unwrap();
        let mut lines = text.lines();
        let start = lines.next().unwrap().to_owned();
        let headers = lines.filter_map(|line| line.split_once(": "));
        Ok(Self {
            start,
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body: Vec::new(),
        })
    }

    /// Returns the value of Content-Length.
    pub fn length(&self) -> usize {
        self.header("content-length").map_or(0, |value| value.parse().unwrap())
    }

    /// Reads a request, or an answer to a request other than `HEAD`.
    pub fn read(stream: &mut TcpStream) -> io::Result<Self> {
        let message = Self::read_what_arrives(stream)?;
        if message.is_cut() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(message) }
    }

    /// Tells whether the body is shorter than was promised.
    pub fn is_cut(&self) -> bool {
        self.body.len() < self.length()
    }

    /// Reads a message as [`Self::read`] does, also if its body ends early.
    pub fn read_what_arrives(stream: &mut TcpStream) -> io::Result<Self> {
        let mut message = Self::read_head(stream)?;
        if message.header("transfer-encoding").is_some() {
            message.read_chunks(stream)?;
            message.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("transfer-encoding"));
        } else {
            stream.take(message.length() as u64).read_to_end(&mut message.body)?;
        }
        Ok(message)
    }

    fn read_chunks(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte)?;
                line.push(byte[0]);
            }
            let size = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk)?;
            self.body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                return Ok(());
            }
        }
    }

    /// Returns the encoded head. Content-Length is that of the body unless a header sets it.
    pub fn head(&self) -> Vec<u8> {
        let mut head = format!("{}\r\n", self.start);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.header("content-length").is_none() && (!self.body.is_empty() || self.start.starts_with("HTTP/")) {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        format!("{head}\r\n").into_bytes()
    }

    pub fn write(&self, stream: &mut TcpStream) -> io::Result<()> {
        stream.write_all(&[self.head(), self.body.clone()].concat())
    }
}
