//! A proxy that breaks each request once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use pybundle::digest::Sha256;

use super::wire::Message;

/// How much is forwarded at a time, in bytes.
const PORTION: usize = 16 << 10;

/// How long a connection on which nothing more is sent stays open: longer than any client waits.
const LINGER: Duration = Duration::from_secs(10);

/// How a request is broken. Bodies are broken at a random byte, perhaps after the last one: the registry has then
/// processed the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The connection is reset: the rest of the body is never read.
    Reset,
    /// The connection is closed, and the rest of the body is read.
    Close,
    /// The connection is closed after a part of the answer.
    HalfAnswer,
    /// The request is answered with this status before its body is read, and not forwarded as a whole.
    Status(u16),
    /// Nothing is read or sent any more.
    Silence,
}

impl Fault {
    /// Silence is rarer than the others, because each one takes as long as the client's timeout.
    const CHOICES: [Self; 10] = [
        Self::Reset,
        Self::Reset,
        Self::Close,
        Self::Close,
        Self::HalfAnswer,
        Self::HalfAnswer,
        Self::HalfAnswer,
        Self::Status(500),
        Self::Status(503),
        Self::Silence,
    ];
}

/// Which faults are injected.
#[derive(Debug, Clone, Copy)]
pub enum Chaos {
    /// Each request is broken once, at a random byte and in a random way.
    Random(u64),
    /// Each upload of more than this number of bytes is reset once, after that number.
    ResetAfter(usize),
}

struct State {
    upstream: u16,
    chaos: Chaos,
    /// The requests that were broken already.
    broken: Mutex<BTreeSet<String>>,
    counts: Mutex<BTreeMap<Fault, usize>>,
}

/// A proxy that runs until the test ends.
pub struct FaultProxy {
    port: u16,
    state: Arc<State>,
}

impl FaultProxy {
    pub fn before(upstream: u16, chaos: Chaos) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let state = State { upstream, chaos, broken: Mutex::default(), counts: Mutex::default() };
        let proxy = Self { port: listener.local_addr().unwrap().port(), state: Arc::new(state) };
        let state = Arc::clone(&proxy.state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                // Errors are expected: connections are closed on purpose.
                thread::spawn(move || state.serve(stream));
            }
        });
        proxy
    }

    /// Returns the proxy's host and port.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns how often each fault was injected.
    pub fn counts(&self) -> BTreeMap<Fault, usize> {
        self.state.counts.lock().unwrap().clone()
    }
}

impl State {
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        loop {
            let request = Message::read_head(&mut client)?;
            let length = request.length();
            let Some((fault, at)) = self.fault(&request) else {
                let mut server = self.forward(&request, &mut client, length)?;
                let answer = answer(&request, &mut server)?;
                client.write_all(&[answer.head(), answer.body].concat())?;
                continue;
            };
            *self.counts.lock().unwrap().entry(fault).or_default() += 1;
            match fault {
                Fault::Reset => return self.forward(&request, &mut client, at)?.shutdown(Shutdown::Both),
                Fault::Close => {
                    self.forward(&request, &mut client, at)?.shutdown(Shutdown::Both)?;
                    return close(client);
                }
                Fault::HalfAnswer => {
                    let mut server = self.forward(&request, &mut client, length)?;
                    let answer = answer(&request, &mut server)?;
                    let bytes = [answer.head(), answer.body].concat();
                    client.write_all(&bytes[..self.random(&request, "answer") % bytes.len()])?;
                    return close(client);
                }
                Fault::Status(status) => {
                    self.forward(&request, &mut client, at)?.shutdown(Shutdown::Both)?;
                    let answer = Message::answer(status).with("Connection", "close").with_body("try again");
                    answer.write(&mut client)?;
                    return close(client);
                }
                Fault::Silence => {
                    let server = self.forward(&request, &mut client, at)?;
                    thread::sleep(LINGER);
                    return server.shutdown(Shutdown::Both);
                }
            }
        }
    }

    /// Returns how to break a request, and after how many bytes of its body, unless it was broken before.
    fn fault(&self, request: &Message) -> Option<(Fault, usize)> {
        let length = request.length();
        let chosen = match self.chaos {
            Chaos::Random(_) => {
                let fault = Fault::CHOICES[self.random(request, "fault") % Fault::CHOICES.len()];
                (fault, self.random(request, "position") % (length + 1))
            }
            Chaos::ResetAfter(bytes) if length > bytes => (Fault::Reset, bytes),
            Chaos::ResetAfter(_) => return None,
        };
        self.broken.lock().unwrap().insert(name(request)).then_some(chosen)
    }

    /// Returns a number that depends on the seed, the request and the purpose alone.
    fn random(&self, request: &Message, purpose: &str) -> usize {
        let seed = if let Chaos::Random(seed) = self.chaos { seed } else { 0 };
        let digest = Sha256::of(format!("{seed} {purpose} {}", name(request)).as_bytes());
        usize::from_le_bytes(digest.0[..size_of::<usize>()].try_into().unwrap())
    }

    /// Sends the head and so many bytes of the body of a request to the registry.
    fn forward(&self, request: &Message, client: &mut TcpStream, bytes: usize) -> io::Result<TcpStream> {
        let mut server = TcpStream::connect(("127.0.0.1", self.upstream))?;
        server.write_all(&request.head())?;
        let mut portion = [0; PORTION];
        let mut done = 0;
        while done < bytes {
            let length = client.read(&mut portion[..PORTION.min(bytes - done)])?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            server.write_all(&portion[..length])?;
            done += length;
        }
        Ok(server)
    }
}

/// Returns what a request is about: attempts at the same request have the same name. Sessions of uploads have random
/// identifiers, and the size tells which blob is sent.
fn name(request: &Message) -> String {
    let path = match request.path().split_once("/uploads/") {
        Some((repository, _)) => format!("{repository}/uploads/"),
        None => request.path().to_owned(),
    };
    let digest = request.query("digest").unwrap_or_default();
    format!("{} {path} {digest} {}", request.method(), request.length())
}

fn answer(request: &Message, server: &mut TcpStream) -> io::Result<Message> {
    if request.method() == "HEAD" { Message::read_head(server) } else { Message::read(server) }
}

/// Sends nothing any more, and reads until the client closes the connection, too: if data is left unread, the system
/// resets the connection, and the client may lose what was sent.
fn close(mut client: TcpStream) -> io::Result<()> {
    client.shutdown(Shutdown::Write)?;
    client.set_read_timeout(Some(LINGER))?;
    io::copy(&mut client, &mut io::sink()).map(|_| ())
}
