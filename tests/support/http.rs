//! An HTTP server with configured answers, including invalid ones.
#![allow(dead_code, reason = "each test binary uses a different part")]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

#[derive(Debug, Clone)]
pub struct Request {
    pub path: String,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// How a server handles range requests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ranges {
    Supported,
    /// The whole body is sent.
    Ignored,
    /// The status and the header are correct, but the bytes are those at the start.
    Faked,
    /// A range with another offset is sent.
    Shifted,
    /// Status 416.
    Refused,
}

/// How the connection fails in the middle of a body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    Close,
    Reset,
    Hang,
}

#[derive(Clone)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    ranges: Ranges,
    /// How the connection fails, and after how many bytes of the body.
    cut: Option<(Cut, usize)>,
    delay: Duration,
    /// The number of bytes between pauses.
    pace: Option<(usize, Duration)>,
    has_length: bool,
    /// `user:password`. Requests without it are answered with 401.
    login: Option<String>,
    /// Bodies with other media types.
    variants: Vec<(String, Vec<u8>)>,
}

impl Answer {
    pub fn file(body: &[u8]) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: body.to_vec(),
            ranges: Ranges::Supported,
            cut: None,
            delay: Duration::ZERO,
            pace: None,
            has_length: true,
            login: None,
            variants: Vec::new(),
        }
    }

    pub fn status(status: u16) -> Self {
        Self { status, ..Self::file(b"no") }
    }

    pub fn with_body(self, body: &[u8]) -> Self {
        Self { body: body.to_vec(), ..self }
    }

    pub fn redirect(url: &str) -> Self {
        Self::status(302).header("Location", url)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn ranges(self, ranges: Ranges) -> Self {
        Self { ranges, ..self }
    }

    /// Closes the connection after some bytes of the body.
    pub fn close_after(self, bytes: usize) -> Self {
        Self { cut: Some((Cut::Close, bytes)), ..self }
    }

    /// Resets the connection after some bytes of the body.
    pub fn reset_after(self, bytes: usize) -> Self {
        Self { cut: Some((Cut::Reset, bytes)), ..self }
    }

    /// Stops sending after some bytes of the body.
    pub fn hang_after(self, bytes: usize) -> Self {
        Self { cut: Some((Cut::Hang, bytes)), ..self }
    }

    pub fn delayed(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    pub fn paced(self, bytes: usize, pause: Duration) -> Self {
        Self { pace: Some((bytes, pause)), ..self }
    }

    /// Omits Content-Length: the body ends with the connection.
    pub fn without_length(self) -> Self {
        Self { has_length: false, ..self }
    }

    /// Adds a body with another media type, which is sent if the `Accept` header names it before that of the first.
    pub fn or(mut self, media_type: &str, body: &[u8]) -> Self {
        self.variants.push((media_type.to_owned(), body.to_vec()));
        self
    }

    pub fn for_login(self, login: &str) -> Self {
        Self { login: Some(login.to_owned()), ..self }
    }
}

#[derive(Default)]
struct State {
    answers: HashMap<String, VecDeque<Answer>>,
    requests: Vec<Request>,
    connections: usize,
}

/// A server that runs until the test ends.
pub struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let state = Arc::clone(&server.state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                state.lock().unwrap().connections += 1;
                // A client may close its connection at any time.
                thread::spawn(move || serve(stream, &state));
            }
        });
        server
    }

    /// Sets the answers to requests for a path: one for each request, and the last one for all further requests.
    pub fn answer(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        self.state.lock().unwrap().answers.insert(path.to_owned(), answers.into_iter().collect());
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns the requests for a path in the order in which they arrived.
    pub fn requests(&self, path: &str) -> Vec<Request> {
        self.state.lock().unwrap().requests.iter().filter(|request| request.path == path).cloned().collect()
    }

    /// Returns how many connections were made.
    pub fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    /// Returns the `Range` header of each request for a path.
    pub fn ranges(&self, path: &str) -> Vec<Option<String>> {
        self.requests(path).iter().map(|request| request.header("range").map(str::to_owned)).collect()
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    loop {
        let request = read_request(&mut stream)?;
        let answer = {
            let mut state = state.lock().unwrap();
            state.requests.push(request.clone());
            match state.answers.get_mut(request.path.split('?').next().unwrap()) {
                Some(answers) if answers.len() > 1 => answers.pop_front().unwrap(),
                Some(answers) => answers[0].clone(),
                None => Answer::status(404),
            }
        };
        thread::sleep(answer.delay);
        send(&mut stream, &request, answer)?;
        stream.read_exact(&mut [0])?;
    }
}

/// Reads a request except for its last byte: closing a connection with unread data resets it.
fn read_request(stream: &mut TcpStream) -> io::Result<Request> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        bytes.push(byte[0]);
    }
    let text = String::from_utf8(bytes).unwrap();
    let mut lines = text.lines();
    let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    Ok(Request { path, headers: headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect() })
}

fn send(stream: &mut TcpStream, request: &Request, mut answer: Answer) -> io::Result<()> {
    use base64::Engine as _;
    let sent = request.header("authorization").map(str::to_owned);
    let wanted =
        answer.login.as_ref().map(|login| format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(login)));
    if wanted.is_some() && wanted != sent {
        answer = Answer::status(401).header("WWW-Authenticate", "Basic realm=\"test\"");
    }
    negotiate(request, &mut answer);
    if let Some(offset) = offset(request).filter(|_| answer.status == 200) {
        apply_range(&mut answer, offset);
    }
    let mut head = format!("HTTP/1.1 {} Answer\r\n", answer.status);
    if answer.has_length {
        head.push_str(&format!("Content-Length: {}\r\n", answer.body.len()));
    }
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;

    let length = answer.cut.map_or(answer.body.len(), |(_, length)| length.min(answer.body.len()));
    let (size, pause) = answer.pace.unwrap_or((usize::MAX, Duration::ZERO));
    for piece in answer.body[..length].chunks(size) {
        stream.write_all(piece)?;
        thread::sleep(pause);
    }
    let closed = || Err(io::ErrorKind::ConnectionAborted.into());
    match answer.cut {
        None if answer.has_length => Ok(()),
        None | Some((Cut::Close, _)) => {
            stream.read_exact(&mut [0])?;
            closed()
        }
        Some((Cut::Reset, _)) => {
            // Let the client receive what was sent.
            thread::sleep(Duration::from_millis(50));
            closed()
        }
        Some((Cut::Hang, _)) => {
            thread::sleep(Duration::from_secs(3600));
            closed()
        }
    }
}

/// Chooses the media type that the request names first, and answers 304 if the client has the body already.
fn negotiate(request: &Request, answer: &mut Answer) {
    let own = |answer: &Answer, name: &str| {
        answer.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    };
    if let (Some(first), Some(accept)) = (own(answer, "Content-Type"), request.header("accept")) {
        let rank = |media_type: &str| accept.find(media_type).unwrap_or(usize::MAX);
        let variants = std::mem::take(&mut answer.variants);
        if let Some((media_type, body)) = variants.into_iter().min_by_key(|(media_type, _)| rank(media_type))
            && rank(&media_type) < rank(&first)
        {
            answer.headers.retain(|(name, _)| name != "Content-Type");
            answer.headers.push(("Content-Type".to_owned(), media_type));
            answer.body = body;
        }
    }
    let is_known = own(answer, "ETag").is_some_and(|etag| request.header("if-none-match") == Some(&etag));
    if is_known && answer.status == 200 {
        (answer.status, answer.body) = (304, Vec::new());
    }
}

fn offset(request: &Request) -> Option<usize> {
    request.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}

fn apply_range(answer: &mut Answer, offset: usize) {
    let size = answer.body.len();
    let start = match answer.ranges {
        Ranges::Ignored => return,
        Ranges::Refused => return *answer = Answer::status(416).header("Content-Range", &format!("bytes */{size}")),
        _ if offset >= size => {
            return *answer = Answer::status(416).header("Content-Range", &format!("bytes */{size}"));
        }
        Ranges::Shifted => offset - 1,
        Ranges::Supported | Ranges::Faked => offset,
    };
    let content_range = format!("bytes {start}-{}/{size}", size - 1);
    answer.body = match answer.ranges {
        Ranges::Faked => answer.body[..size - start].to_vec(),
        _ => answer.body[start..].to_vec(),
    };
    answer.status = 206;
    answer.headers.push(("Content-Range".to_owned(), content_range));
}
