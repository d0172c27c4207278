//! A proxy in front of a registry that records requests and disturbs some of them.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::wire::Message;

/// How a request is disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The connection is closed before the request is forwarded.
    Reset,
    /// The connection is closed after half of the request's body.
    CutRequest,
    /// The request is forwarded, but the answer is lost.
    LoseAnswer,
    /// The connection is closed after half of the answer's body.
    CutAnswer,
    /// The request is answered with this status and `Retry-After: 0`.
    Status(u16),
    /// The request is forwarded without its token, as if that had expired.
    Expire,
    /// A bit of the request's body is flipped.
    FlipRequest,
    /// A bit of the answer's body is flipped.
    FlipAnswer,
    /// Request and answer are delayed.
    Slow,
}

impl Trouble {
    pub const ALL: [Self; 11] = [
        Self::Reset,
        Self::CutRequest,
        Self::LoseAnswer,
        Self::CutAnswer,
        Self::Status(429),
        Self::Status(500),
        Self::Status(503),
        Self::Expire,
        Self::FlipRequest,
        Self::FlipAnswer,
        Self::Slow,
    ];
}

#[derive(Default)]
struct State {
    requests: Vec<Message>,
    /// The position of the first disturbed request, from 0, how it is disturbed, and the number of disturbed requests.
    trouble: Option<(usize, Trouble, usize)>,
}

/// A proxy that runs until the test ends.
pub struct Proxy {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    pub fn before(upstream: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self { port: listener.local_addr().unwrap().port(), state: Arc::default() };
        let state = Arc::clone(&proxy.state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                // Errors are expected: connections are closed on purpose.
                thread::spawn(move || serve(stream, upstream, &state));
            }
        });
        proxy
    }

    /// Returns the proxy's host and port.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Disturbs `count` requests, beginning with that at `position`, counted from now.
    pub fn trouble(&self, position: usize, trouble: Trouble, count: usize) {
        let mut state = self.state.lock().unwrap();
        state.requests.clear();
        state.trouble = Some((position, trouble, count));
    }

    /// Forgets the requests so far, and forwards all further ones undisturbed.
    pub fn reset(&self) {
        *self.state.lock().unwrap() = State::default();
    }

    /// Returns the requests so far, without their bodies.
    pub fn requests(&self) -> Vec<Message> {
        self.state.lock().unwrap().requests.clone()
    }

    /// Returns the methods and paths of the requests so far, with `…` for digests and upload sessions.
    pub fn log(&self) -> Vec<String> {
        let name = |request: &Message| {
            let parts: Vec<&str> = request.path().split('/').collect();
            let parts = parts.iter().map(|part| if part.len() > 30 { "…" } else { part });
            format!("{} {}", request.method(), parts.collect::<Vec<_>>().join("/"))
        };
        self.requests().iter().map(name).collect()
    }
}

fn serve(mut client: TcpStream, upstream: u16, state: &Mutex<State>) -> io::Result<()> {
    client.set_nodelay(true)?;
    loop {
        let mut request = Message::read_head(&mut client)?;
        let trouble = {
            let mut state = state.lock().unwrap();
            let position = state.requests.len();
            state.requests.push(request.clone());
            let trouble = state.trouble.filter(|(first, _, count)| (*first..first + count).contains(&position));
            trouble.map(|(_, trouble, _)| trouble)
        };
        if trouble == Some(Trouble::Reset) {
            return close(client);
        }
        let length = request.length();
        let read = if trouble == Some(Trouble::CutRequest) { length / 2 } else { length };
        request.body = vec![0; read];
        client.read_exact(&mut request.body)?;
        match trouble {
            Some(Trouble::CutRequest) => {
                // The part that arrived is forwarded, as by a proxy that does not buffer bodies.
                let mut server = TcpStream::connect(("127.0.0.1", upstream))?;
                request.write(&mut server)?;
                server.shutdown(Shutdown::Both)?;
                return close(client);
            }
            Some(Trouble::Status(status)) => {
                let answer = Message::answer(status).with("Retry-After", 0).with_body("try again later");
                answer.write(&mut client)?;
                continue;
            }
            Some(Trouble::Expire) => request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("authorization")),
            Some(Trouble::FlipRequest) => flip(&mut request.body),
            Some(Trouble::Slow) => thread::sleep(Duration::from_millis(100)),
            _ => {}
        }
        let mut answer = forward(&request, upstream)?;
        match trouble {
            Some(Trouble::LoseAnswer) => return close(client),
            Some(Trouble::CutAnswer) => {
                let bytes = [answer.head(), answer.body[..answer.body.len() / 2].to_vec()].concat();
                let end = if answer.body.is_empty() { bytes.len() / 2 } else { bytes.len() };
                client.write_all(&bytes[..end])?;
                return close(client);
            }
            Some(Trouble::FlipAnswer) => flip(&mut answer.body),
            Some(Trouble::Slow) => {
                client.write_all(&answer.head())?;
                for piece in answer.body.chunks(answer.body.len().div_ceil(10).max(1)) {
                    thread::sleep(Duration::from_millis(20));
                    client.write_all(piece)?;
                }
                continue;
            }
            _ => {}
        }
        client.write_all(&[answer.head(), answer.body.clone()].concat())?;
        if request.method() != "HEAD" && answer.is_cut() {
            return close(client);
        }
    }
}

/// Sends a request to the registry on a new connection, and returns the answer.
fn forward(request: &Message, upstream: u16) -> io::Result<Message> {
    let mut server = TcpStream::connect(("127.0.0.1", upstream))?;
    request.write(&mut server)?;
    if request.method() == "HEAD" { Message::read_head(&mut server) } else { Message::read_what_arrives(&mut server) }
}

fn flip(bytes: &mut [u8]) {
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
}

/// Closes a connection in both directions, so that the client notices while it is still sending.
fn close(stream: TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Both)?;
    Err(io::ErrorKind::ConnectionAborted.into())
}
