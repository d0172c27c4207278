//! An in-memory registry with the peculiarities of registries that cannot run in the tests.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use pybundle::digest::Sha256;
use serde_json::{Value, json};

use super::wire::Message;

/// How a registry deviates from the distribution specification, or which of its options it uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Not at all.
    Plain,
    /// PATCH is answered with 201 and a mount with 202, tags cannot be moved, and repositories are not created.
    Ecr,
    /// A chunk has at most 4 MiB.
    Ghcr,
    /// Tokens are required, a mount needs pull access to the source, and the first upload to a
    /// repository is answered with a 429 without JSON.
    DockerHub,
    /// No uploads in chunks.
    Gar,
    /// A mount needs a source.
    Quay,
    /// A mount from a top-level name is a bad request.
    Harbor,
    /// The request that completes an upload must have no body.
    Artifactory,
    /// A request has at most 6 MiB, and each chunk except the last at least as many.
    Limited,
    /// Moving a tag is answered with 409.
    Immutable,
    /// Answers have no digest of the manifest.
    Silent,
    /// The referrers API is supported.
    Referrers,
    /// Manifests with a subject are refused.
    NoSubjects,
    /// Reads of blobs are redirected, whether the blob exists or not.
    Cdn,
    /// Ranges are ignored: a blob is sent from its start to its end.
    NoRanges,
    /// HEAD requests find every blob. Not in [`Self::ALL`]: blobs are counted twice.
    Hopeful,
    /// Blobs can be written, and asked for with HEAD, but not read. Not in [`Self::ALL`]: nothing can be pulled.
    PushOnly,
    /// After [`MemoryRegistry::lose`], descriptors are still cached, as by docker-registry 2.8.2: HEAD finds the blob, a mount
    /// and a manifest with it succeed, reading it breaks off, and a lost manifest is accepted without being stored.
    Forgetful,
}

impl Profile {
    pub const ALL: [Self; 15] = [
        Self::Plain,
        Self::Ecr,
        Self::Ghcr,
        Self::DockerHub,
        Self::Gar,
        Self::Quay,
        Self::Harbor,
        Self::Artifactory,
        Self::Limited,
        Self::Immutable,
        Self::Silent,
        Self::Referrers,
        Self::NoSubjects,
        Self::Cdn,
        Self::NoRanges,
    ];
}

/// The minimum size of a chunk of [`Profile::Limited`].
pub const LIMIT: usize = 6 << 20;

/// A secret in the URLs of uploads and of redirected blobs, which messages must not contain.
pub const SIGNATURE: &str = "hunter2";

#[derive(Default)]
struct State {
    /// By repository and digest.
    blobs: BTreeMap<(String, String), Vec<u8>>,
    /// By repository, and digest or tag: media type and bytes.
    manifests: BTreeMap<(String, String), (String, Vec<u8>)>,
    uploads: BTreeMap<String, Vec<u8>>,
    /// The repositories whose first upload was answered with 429.
    delayed: BTreeSet<String>,
    requests: Vec<Message>,
    /// The host of the other server that blobs are read from and sent to.
    elsewhere: Option<String>,
    /// The cached sizes of [`Profile::Forgetful`], by repository and digest.
    descriptors: BTreeMap<(String, String), usize>,
    /// The bytes of answers that clients took.
    taken: usize,
}

impl State {
    /// Returns the size of a blob or a manifest that a cached descriptor promises.
    fn promised(&self, profile: Profile, key: &(String, String)) -> Option<usize> {
        self.descriptors.get(key).copied().filter(|_| profile == Profile::Forgetful)
    }
}

/// A registry that runs until the test ends.
pub struct MemoryRegistry {
    profile: Profile,
    port: u16,
    state: Arc<Mutex<State>>,
}

impl MemoryRegistry {
    pub fn start(profile: Profile) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let registry = Self { profile, port: listener.local_addr().unwrap().port(), state: Arc::default() };
        let served = Self { state: Arc::clone(&registry.state), ..registry };
        thread::spawn(move || {
            thread::scope(|scope| {
                for stream in listener.incoming().flatten() {
                    let served = &served;
                    // A client may close its connection at any time.
                    scope.spawn(move || served.serve(stream));
                }
            });
        });
        registry
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns another name of the same server.
    fn cdn_host(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Redirects reads and uploads of blobs to another server with the same blobs.
    pub fn send_blobs_elsewhere(&self) -> Self {
        let other = Self::start(self.profile);
        let elsewhere = Self { profile: other.profile, port: other.port, state: Arc::clone(&other.state) };
        self.state.lock().unwrap().elsewhere = Some(other.host());
        elsewhere
    }

    /// Redirects reads and uploads of blobs to a host, which need not exist.
    pub fn send_blobs_to(&self, host: &str) {
        self.state.lock().unwrap().elsewhere = Some(host.to_owned());
    }

    /// Removes a blob or a manifest, with its tags, from all repositories, as garbage collection does.
    pub fn lose(&self, digest: Sha256) {
        let mut state = self.state.lock().unwrap();
        state.blobs.retain(|(_, known), _| *known != digest.to_string());
        state.manifests.retain(|_, (_, bytes)| Sha256::of(bytes) != digest);
    }

    /// Returns how many bytes of its answers clients took.
    pub fn taken(&self) -> usize {
        self.state.lock().unwrap().taken
    }

    /// Copies the blobs of another registry.
    pub fn take_blobs(&self, other: &Self) {
        let blobs = other.state.lock().unwrap().blobs.clone();
        self.state.lock().unwrap().blobs.extend(blobs);
    }

    pub fn requests(&self) -> Vec<Message> {
        self.state.lock().unwrap().requests.clone()
    }

    pub fn forget_requests(&self) {
        self.state.lock().unwrap().requests.clear();
    }

    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        loop {
            let request = Message::read(&mut stream)?;
            let mut answer = self.answer(&request);
            if request.method() == "HEAD" {
                answer = answer.clone().with("Content-Length", answer.body.len());
                answer.body.clear();
            }
            let is_broken = request.method() != "HEAD" && answer.header("content-length").is_some();
            for part in [answer.head(), answer.body].concat().chunks(64 << 10) {
                stream.write_all(part)?;
                self.state.lock().unwrap().taken += part.len();
            }
            if is_broken {
                return Ok(());
            }
        }
    }

    fn answer(&self, request: &Message) -> Message {
        let mut state = self.state.lock().unwrap();
        state.requests.push(Message { body: Vec::new(), ..request.clone() });
        if request.path() == "/token" {
            let scopes = url::form_urlencoded::parse(request.target().split_once('?').unwrap().1.as_bytes());
            let scopes: Vec<_> =
                scopes.filter(|(name, _)| name == "scope").map(|(_, scope)| scope.into_owned()).collect();
            let token = scopes.join("+").replace([':', ',', '/'], "_");
            return Message::answer(200).with_body(json!({"access_token": token, "expires_in": 300}).to_string());
        }
        let path = request.path().strip_prefix("/v2/").unwrap();
        let (repository, kind, rest) = ["/manifests/", "/blobs/uploads/", "/blobs/", "/referrers/"]
            .iter()
            .find_map(|kind| {
                path.split_once(kind).map(|(repository, rest)| (repository.to_owned(), *kind, rest.to_owned()))
            })
            .unwrap();
        if self.profile == Profile::DockerHub
            && let Some(refusal) = self.demand(request, &repository, request.query("from"))
        {
            return refusal;
        }
        if self.profile == Profile::Ecr && repository.starts_with("missing") {
            return error(404, "NAME_UNKNOWN", "The repository with name 'missing' does not exist in the registry");
        }
        match (request.method(), kind) {
            ("PUT", "/manifests/") => self.put_manifest(&mut state, request, repository, rest),
            (_, "/manifests/") => self.manifest(&state, repository, rest),
            (_, "/referrers/") => self.referrers(&state, &repository, &rest),
            ("POST", _) => self.post(&mut state, request, repository),
            ("PATCH", _) => self.patch(&mut state, request, &rest),
            ("PUT", _) => self.complete(&mut state, request, repository, &rest),
            _ => self.blob(&state, request, repository, rest),
        }
    }

    /// Returns the answer that requires a token, unless the request has one for the repository and the source of a mount.
    fn demand(&self, request: &Message, repository: &str, from: Option<String>) -> Option<Message> {
        let action = if matches!(request.method(), "GET" | "HEAD") { "pull" } else { "pull,push" };
        let scopes =
            [Some(format!("repository:{repository}:{action}")), from.map(|from| format!("repository:{from}:pull"))];
        let token = request.header("authorization").unwrap_or_default().replace("Bearer ", "");
        let has = |scope: &String| token.contains(&scope.replace([':', ',', '/'], "_"));
        if scopes.iter().flatten().all(has) {
            return None;
        }
        let scope = scopes.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let challenge = format!("Bearer realm=\"http://{}/token\",service=\"hub\",scope=\"{scope}\"", self.host());
        Some(error(401, "UNAUTHORIZED", "authentication required").with("Www-Authenticate", challenge))
    }

    fn manifest(&self, state: &State, repository: String, name: String) -> Message {
        let Some((media_type, bytes)) = state.manifests.get(&(repository, name)) else {
            return error(404, "MANIFEST_UNKNOWN", "manifest unknown");
        };
        let answer = Message::answer(200).with("Content-Type", media_type).with_body(bytes.clone());
        if self.profile == Profile::Silent { answer } else { answer.with("Docker-Content-Digest", Sha256::of(bytes)) }
    }

    /// Lists the referrers of a manifest (OCI distribution 1.1, listing referrers).
    fn referrers(&self, state: &State, repository: &str, subject: &str) -> Message {
        if self.profile != Profile::Referrers {
            // ECR has answered so, others answer 404.
            return error(if self.profile == Profile::Ecr { 405 } else { 404 }, "UNSUPPORTED", "unsupported");
        }
        let of_repository = state.manifests.iter().filter(|((of, name), _)| of == repository && name.contains(':'));
        let referrers = of_repository.filter_map(|((_, digest), (media_type, bytes))| {
            let document: Value = serde_json::from_slice(bytes).unwrap();
            (document["subject"]["digest"] == subject).then(|| {
                let artifact_type = &document["artifactType"];
                json!({"mediaType": media_type, "digest": digest, "size": bytes.len(), "artifactType": artifact_type})
            })
        });
        let media_type = "application/vnd.oci.image.index.v1+json";
        let manifests: Vec<Value> = referrers.collect();
        let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests});
        Message::answer(200).with("Content-Type", media_type).with_body(index.to_string())
    }

    /// Returns a manifest by its digest or a tag.
    #[allow(dead_code, reason = "not every test binary looks at manifests")]
    pub fn document(&self, repository: &str, name: &str) -> Option<Value> {
        let state = self.state.lock().unwrap();
        let (_, bytes) = state.manifests.get(&(repository.to_owned(), name.to_owned()))?;
        Some(serde_json::from_slice(bytes).unwrap())
    }

    /// Returns the tags and digests of all manifests of a repository.
    #[allow(dead_code, reason = "not every test binary looks at manifests")]
    pub fn names(&self, repository: &str) -> BTreeSet<String> {
        let state = self.state.lock().unwrap();
        state.manifests.keys().filter(|(of, _)| of == repository).map(|(_, name)| name.clone()).collect()
    }

    fn put_manifest(&self, state: &mut State, request: &Message, repository: String, name: String) -> Message {
        let digest = Sha256::of(&request.body).to_string();
        if name.starts_with("sha256:") && name != digest {
            return error(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
        }
        let document: Value = serde_json::from_slice(&request.body).unwrap();
        let subject = document["subject"]["digest"].as_str().map(str::to_owned);
        if self.profile == Profile::NoSubjects && subject.is_some() {
            return error(405, "UNSUPPORTED", "Invalid parameter at 'ImageManifest'");
        }
        let parts = ["layers", "manifests"].iter().filter_map(|list| document[list].as_array()).flatten();
        for part in parts.chain(document.get("config")) {
            let key = (repository.clone(), part["digest"].as_str().unwrap().to_owned());
            let is_there = state.blobs.contains_key(&key) || state.manifests.contains_key(&key);
            if !is_there && state.promised(self.profile, &key).is_none() {
                return error(404, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry");
            }
        }
        let is_taken =
            !name.starts_with("sha256:") && state.manifests.contains_key(&(repository.clone(), name.clone()));
        match self.profile {
            Profile::Ecr if is_taken => {
                return error(400, "TAG_INVALID", "The image tag 'v1' already exists and cannot be overwritten");
            }
            Profile::Immutable if is_taken => return error(409, "CONFLICT", "configured as immutable"),
            _ => {}
        }
        let manifest = (request.header("content-type").unwrap().to_owned(), request.body.clone());
        let key = (repository.clone(), digest.clone());
        let is_lost = state.promised(self.profile, &key).is_some()
            && !state.manifests.contains_key(&key)
            && !state.blobs.contains_key(&key);
        state.descriptors.insert(key, request.body.len());
        for name in [name, digest.clone()].into_iter().filter(|_| !is_lost) {
            state.manifests.insert((repository.clone(), name), manifest.clone());
        }
        let mut answer = Message::answer(201).with("Location", "/nowhere");
        if let Some(subject) = subject.filter(|_| self.profile == Profile::Referrers) {
            answer = answer.with("OCI-Subject", subject);
        }
        if self.profile == Profile::Silent { answer } else { answer.with("Docker-Content-Digest", digest) }
    }

    fn blob(&self, state: &State, request: &Message, repository: String, digest: String) -> Message {
        if request.query("signature").is_some() && request.header("authorization").is_some() {
            return Message::answer(400).with_body("<xml>only one authentication mechanism is allowed</xml>");
        }
        if self.profile == Profile::Cdn && request.query("signature").is_none() {
            let location = format!("http://{}{}?signature={SIGNATURE}", self.cdn_host(), request.path());
            return Message::answer(307).with("Location", location);
        }
        if self.profile == Profile::Hopeful && request.method() == "HEAD" {
            return Message::answer(200);
        }
        if self.profile == Profile::PushOnly && request.method() == "GET" {
            return error(403, "DENIED", "requested access to the resource is denied");
        }
        let key = (repository, digest);
        let is_partial = request.header("range").is_some_and(|range| range == "bytes=0-0");
        let Some(bytes) = state.blobs.get(&key) else {
            return match (state.promised(self.profile, &key), request.method()) {
                (None, _) => error(404, "BLOB_UNKNOWN", "blob unknown to registry"),
                (Some(_), "HEAD") => Message::answer(200),
                (Some(_), _) if is_partial => Message::answer(206).with("Content-Length", 1),
                (Some(size), _) => Message::answer(200).with("Content-Length", size),
            };
        };
        match &state.elsewhere {
            Some(host) => {
                let location = format!("http://{host}{}?signature={SIGNATURE}", request.path());
                Message::answer(307).with("Location", location)
            }
            None if is_partial && self.profile != Profile::NoRanges => {
                let range = format!("bytes 0-0/{}", bytes.len());
                Message::answer(206).with("Content-Range", range).with_body(&bytes[..1])
            }
            None => Message::answer(200).with_body(bytes.clone()),
        }
    }

    fn post(&self, state: &mut State, request: &Message, repository: String) -> Message {
        if let Some(digest) = request.query("mount") {
            let from = request.query("from");
            match (self.profile, &from) {
                (Profile::Quay, None) => return error(400, "INVALID_REQUEST", "missing from"),
                (Profile::Harbor, Some(from)) if !from.contains('/') => return error(400, "BAD_REQUEST", "bad from"),
                (Profile::Ecr, _) | (_, None) => {}
                (_, Some(from)) => {
                    if let Some(bytes) = state.blobs.get(&(from.clone(), digest.clone())).cloned() {
                        state.descriptors.insert((repository.clone(), digest.clone()), bytes.len());
                        state.blobs.insert((repository, digest), bytes);
                        return Message::answer(201).with("Location", "/nowhere");
                    }
                    if let Some(size) = state.promised(self.profile, &(from.clone(), digest.clone())) {
                        state.descriptors.insert((repository, digest), size);
                        return Message::answer(201).with("Location", "/nowhere");
                    }
                }
            }
        } else if self.profile == Profile::DockerHub && state.delayed.insert(repository.clone()) {
            return Message::answer(429).with("Retry-After", 0).with_body("<html>Too Many Requests</html>");
        }
        let id = format!("upload-{}", state.requests.len());
        state.uploads.insert(id.clone(), Vec::new());
        let host = state.elsewhere.as_ref().map_or_else(|| self.host(), Clone::clone);
        let location = format!("/v2/{repository}/blobs/uploads/{id}?_state={SIGNATURE}&a=%2F");
        // The specification allows both an absolute and a relative location.
        let location = if matches!(self.profile, Profile::Plain | Profile::DockerHub) {
            format!("http://{host}{location}")
        } else {
            location
        };
        let answer = Message::answer(202).with("Location", location);
        if self.profile == Profile::Limited { answer.with("OCI-Chunk-Min-Length", LIMIT) } else { answer }
    }

    fn patch(&self, state: &mut State, request: &Message, id: &str) -> Message {
        let range = request.header("content-range");
        match self.profile {
            Profile::Gar if range.is_some() => return error(400, "UNSUPPORTED", "no chunks"),
            Profile::Ghcr if range.is_some() && request.body.len() > 4 << 20 => return Message::answer(416),
            Profile::Limited if request.body.len() > LIMIT => {
                return Message::answer(413).with_body("<html>Request Entity Too Large</html>");
            }
            _ => {}
        }
        if request.query("_state").as_deref() != Some(SIGNATURE) || request.query("a").as_deref() != Some("/") {
            return error(400, "BLOB_UPLOAD_INVALID", "the query of the address is lost");
        }
        let Some(upload) = state.uploads.get_mut(id) else {
            // The upload was started at the server that redirects here.
            state.uploads.insert(id.to_owned(), request.body.clone());
            return Message::answer(202).with("Location", request.target());
        };
        let expected = format!("{}-{}", upload.len(), upload.len() + request.body.len() - 1);
        if range.is_some_and(|range| range != expected) {
            return Message::answer(416);
        }
        upload.extend_from_slice(&request.body);
        let status = if self.profile == Profile::Ecr { 201 } else { 202 };
        Message::answer(status).with("Location", request.target())
    }

    fn complete(&self, state: &mut State, request: &Message, repository: String, id: &str) -> Message {
        if self.profile == Profile::Artifactory && !request.body.is_empty() {
            return error(400, "UNSUPPORTED", "no body is expected");
        }
        let bytes = [state.uploads.remove(id).unwrap_or_default(), request.body.clone()].concat();
        let digest = request.query("digest").unwrap();
        if Sha256::of(&bytes).to_string() != digest || request.query("_state").as_deref() != Some(SIGNATURE) {
            return error(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
        }
        state.descriptors.insert((repository.clone(), digest.clone()), bytes.len());
        state.blobs.insert((repository, digest), bytes);
        Message::answer(201).with("Location", "/nowhere")
    }
}

fn error(status: u16, code: &str, message: &str) -> Message {
    Message::answer(status).with_body(json!({"errors": [{"code": code, "message": message}]}).to_string())
}
