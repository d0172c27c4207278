//! An emulation of Lambda's API that is as strict as AWS: signatures, revisions, updates in progress, immutable versions,
//! and answers that are lost.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::bucket::{self, Bucket};
use crate::lambda::{Function, carry_out, code_sha256};
use crate::layer_versions::{self, LayerVersion, Layers};
use crate::signature::Identity;
use crate::wire::Message;

pub const REGION: &str = "eu-west-1";
pub const ACCOUNT: &str = "123456789012";
pub const BUCKET: &str = "artifacts";
pub const ACCESS_KEY: &str = "AKIDEXAMPLE";
pub const SECRET_KEY: &str = "s3cret/key+EXAMPLE";
/// What signs the URLs of code.
pub const URL_SIGNATURE: &str = "s1gnature-of-a-url";
pub const SESSION_TOKEN: &str = "s3ssion/token+=";

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection is closed, and nothing is done.
    Cut,
    /// It is done, and the connection is closed.
    Lost,
    /// It is done, and answered with an error of the server.
    LostInError,
    /// It is answered with an error of the server.
    Error,
    /// There are too many requests, as Lambda says it.
    Throttled,
    /// As `Throttled`, with the time to wait.
    RetryLater,
}

impl Fault {
    pub const ALL: [Self; 6] =
        [Self::Cut, Self::Lost, Self::LostInError, Self::Error, Self::Throttled, Self::RetryLater];
}

/// An action, and what happens before it is answered.
type Interference = (&'static str, fn(&mut Function));

#[derive(Default)]
struct State {
    functions: BTreeMap<String, Function>,
    revisions: u32,
    requests: Vec<String>,
    faults: BTreeMap<usize, Fault>,
    /// From this request on, nothing is answered.
    dead_from: Option<(usize, Fault)>,
    denied: BTreeSet<String>,
    /// What happens to a function before a request is answered: as if somebody else did it.
    interference: Vec<Interference>,
    /// Requests that AWS would not have accepted.
    rejected: Vec<String>,
    bucket: Bucket,
    layers: Layers,
    /// The zips that were sent in requests, by their digests in hexadecimal.
    zips: BTreeMap<String, Vec<u8>>,
}

/// AWS, until the test ends.
pub struct Cloud {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Cloud {
    /// Starts the emulation with a function `shop`, whose alias `live` points to version 1.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let cloud = Self { port: listener.local_addr().unwrap().port(), state: Arc::default() };
        cloud.create("shop");
        let state = Arc::clone(&cloud.state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                thread::spawn(move || serve(stream, &state));
            }
        });
        cloud
    }

    pub fn create(&self, name: &str) {
        let mut state = self.state.lock().unwrap();
        let function = Function::new([(); 3].map(|()| state.revision()));
        state.functions.insert(name.to_owned(), function);
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Changes a function.
    pub fn with(&self, name: &str, change: impl FnOnce(&mut Function)) {
        change(self.state.lock().unwrap().functions.get_mut(name).unwrap());
    }

    /// Lets something go wrong with the request at a position, counted from 0.
    pub fn fault(&self, position: usize, fault: Fault) {
        self.state.lock().unwrap().faults.insert(position, fault);
    }

    /// Lets the same go wrong with all requests from a position on.
    pub fn fault_from(&self, position: usize, fault: Fault) {
        self.state.lock().unwrap().dead_from = Some((position, fault));
    }

    /// Denies an action to the client.
    pub fn deny(&self, action: &str) {
        self.state.lock().unwrap().denied.insert(action.to_owned());
    }

    /// Changes the function `shop` before the next request for an action is answered.
    pub fn interfere(&self, before: &'static str, change: fn(&mut Function)) {
        self.state.lock().unwrap().interference.push((before, change));
    }

    /// Looks at the bucket, or changes it.
    pub fn bucket<T>(&self, act: impl FnOnce(&mut Bucket) -> T) -> T {
        act(&mut self.state.lock().unwrap().bucket)
    }

    /// Looks at the layers, or changes them.
    pub fn layers<T>(&self, act: impl FnOnce(&mut Layers) -> T) -> T {
        act(&mut self.state.lock().unwrap().layers)
    }

    /// Publishes a version of a layer, as somebody else would.
    pub fn publish_layer(&self, name: &str) {
        let (runtimes, architectures) = (json!(["python3.12"]), json!(["x86_64"]));
        let (code_sha256, description) = (code_sha256(b"of somebody else"), json!("Of somebody else"));
        let version = LayerVersion { code_sha256, runtimes, architectures, description };
        self.layers(|layers| layers.entry(name.to_owned()).or_default().push(version));
    }

    /// Returns the actions that were requested, in order.
    pub fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    /// Returns the requests that AWS would not have accepted.
    pub fn rejected(&self) -> Vec<String> {
        self.state.lock().unwrap().rejected.clone()
    }

    pub fn function(&self, name: &str) -> Function {
        self.state.lock().unwrap().functions[name].clone()
    }
}

impl State {
    fn revision(&mut self) -> String {
        self.revisions += 1;
        format!("revision-{}", self.revisions)
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    loop {
        let request = Message::read(&mut stream)?;
        let mut state = state.lock().unwrap();
        // A signed URL, as it is in the answers about code: whoever has it needs no credentials.
        if let Some(name) = request.path().strip_prefix("/code/") {
            let zip =
                state.zips.get(name).filter(|_| request.query("X-Amz-Signature").as_deref() == Some(URL_SIGNATURE));
            let answer = zip.map_or(Message::answer(403), |zip| Message::answer(200).with_body(zip.clone()));
            drop(state);
            answer.write(&mut stream)?;
            continue;
        }
        let action = action(&request);
        let position = state.requests.len();
        state.requests.push(action.to_owned());
        let dead = state.dead_from.filter(|(from, _)| position >= *from).map(|(_, fault)| fault);
        let fault = state.faults.remove(&position).or(dead);
        if fault == Some(Fault::Cut) {
            return stream.shutdown(Shutdown::Both);
        }
        let refusal = match fault {
            Some(Fault::Error) => Some(error(500, "ServiceException", "Internal error")),
            Some(Fault::Throttled) => Some(error(429, "TooManyRequestsException", "Rate exceeded")),
            Some(Fault::RetryLater) => {
                Some(error(429, "TooManyRequestsException", "Rate exceeded").with("Retry-After", 0))
            }
            _ => None,
        };
        let answer = refusal.unwrap_or_else(|| answer(&mut state, action, &request));
        drop(state);
        let body = if request.method() == "HEAD" { Vec::new() } else { answer.body.clone() };
        let answer = answer.with_body(body);
        match fault {
            Some(Fault::Lost) => return stream.shutdown(Shutdown::Both),
            Some(Fault::LostInError) => error(503, "ServiceException", "Lost").write(&mut stream)?,
            _ => answer.write(&mut stream)?,
        }
    }
}

/// Returns an error as Lambda sends it. Some of its servers state the code in the header and others in the body.
fn error(status: u16, code: &str, message: &str) -> Message {
    let answer = Message::answer(status).with("Content-Type", "application/json");
    if status == 413 {
        return answer.with_body("<html><h1>Request Entity Too Large</h1></html>");
    }
    if message.len().is_multiple_of(2) {
        let body = json!({ "__type": format!("com.amazonaws.lambda#{code}"), "message": message });
        return answer.with_body(body.to_string());
    }
    let header = format!("{code}:http://internal.amazon.com/coral/com.amazonaws.awslambda/");
    answer.with("x-amzn-ErrorType", header).with_body(json!({ "Type": "User", "Message": message }).to_string())
}

/// Returns the action that a request is for.
fn action(request: &Message) -> &'static str {
    if request.path().starts_with("/2018-10-31/layers/") {
        return match (request.method(), request.path().split('/').count()) {
            ("GET", 5) => "ListLayerVersions",
            ("GET", 6) => "GetLayerVersion",
            ("POST", 5) => "PublishLayerVersion",
            _ => "Unknown",
        };
    }
    if !request.path().starts_with("/2015-") {
        return bucket::action(request);
    }
    let parts: Vec<&str> = request.path().trim_start_matches("/2015-03-31/functions").split('/').collect();
    match (request.method(), &parts[..]) {
        ("GET", [""]) => "ListFunctions",
        ("GET", ["", _]) => "GetFunction",
        ("PUT", ["", _, "code"]) => "UpdateFunctionCode",
        ("PUT", ["", _, "configuration"]) => "UpdateFunctionConfiguration",
        ("POST", ["", _, "versions"]) => "PublishVersion",
        ("GET", ["", _, "aliases"]) => "ListAliases",
        ("POST", ["", _, "aliases"]) => "CreateAlias",
        ("GET", ["", _, "aliases", _]) => "GetAlias",
        ("PUT", ["", _, "aliases", _]) => "UpdateAlias",
        _ => "Unknown",
    }
}

fn answer(state: &mut State, action: &str, request: &Message) -> Message {
    let is_s3 = !request.path().starts_with("/20");
    let identity = Identity {
        access_key: ACCESS_KEY,
        secret_key: SECRET_KEY,
        session_token: SESSION_TOKEN,
        region: REGION,
        service: if is_s3 { "s3" } else { "lambda" },
    };
    if let Err(reason) = identity.verify(request, Timestamp::now()) {
        state.rejected.push(format!("{action}: {reason}"));
        return error(403, "InvalidSignatureException", "The request signature does not match");
    }
    if is_s3 {
        return match request.path().split('/').nth(1) {
            _ if state.denied.contains(action) => bucket::error(403, "AccessDenied"),
            Some(BUCKET) => state.bucket.answer(action, request),
            _ => bucket::error(301, "PermanentRedirect").with("x-amz-bucket-region", "eu-north-1"),
        };
    }
    if state.denied.contains(action) {
        let message = format!("User is not authorized to perform: lambda:{action}");
        return error(403, "AccessDeniedException", &message);
    }
    if let Some(at) = state.interference.iter().position(|(before, _)| *before == action) {
        let (_, change) = state.interference.remove(at);
        change(state.functions.get_mut("shop").unwrap());
    }
    let revision = state.revision();
    keep_zip(state, request);
    let answered = if action.contains("Layer") {
        layer_versions::carry_out((&mut state.layers, &state.bucket), action, request)
    } else {
        carry_out((&mut state.functions, &state.layers, &state.bucket), revision, action, request)
    };
    match answered {
        Ok((status, mut body)) => {
            if let Some(sha256) = body["Configuration"]["CodeSha256"].as_str() {
                body["Code"] = json!({ "RepositoryType": "S3", "Location": location(request, sha256) });
            }
            if let Some(sha256) = body["Content"]["CodeSha256"].as_str() {
                body["Content"]["Location"] = location(request, sha256).into();
            }
            Message::answer(status).with("Content-Type", "application/json").with_body(body.to_string())
        }
        Err((status, code, message)) => error(status, code, &message),
    }
}

/// Keeps the zip that a request has in it.
fn keep_zip(state: &mut State, request: &Message) {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let zip = body["ZipFile"].as_str().or_else(|| body["Content"]["ZipFile"].as_str());
    if let Some(zip) = zip.and_then(|zip| BASE64_STANDARD.decode(zip).ok()) {
        state.zips.insert(hexadecimal(&code_sha256(&zip)), zip);
    }
}

/// Returns where a zip can be downloaded.
fn location(request: &Message, sha256: &str) -> String {
    let host = request.header("host").unwrap();
    format!("http://{host}/code/{}?X-Amz-Signature={URL_SIGNATURE}", hexadecimal(sha256))
}

fn hexadecimal(sha256: &str) -> String {
    let digest = BASE64_STANDARD.decode(sha256).unwrap_or_default();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
