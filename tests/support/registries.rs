//! Real registries (`docker-registry`) in temporary directories, and a token server.

use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use pybundle::digest::Sha256;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::proxy::Proxy;
use super::wire::Message;

/// The user of all registries.
pub const USER: &str = "alice";
pub const PASSWORD: &str = "s3cret";
/// The identity token that the token server accepts for the user.
pub const IDENTITY_TOKEN: &str = "identity-of-alice";

/// A registry that runs until the test ends.
pub struct DockerRegistry {
    pub port: u16,
    pub folder: TempDir,
    child: Child,
    tokens: Option<(Arc<TokenServer>, Proxy)>,
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Starts a registry with the configuration in a directory, and waits until it answers.
fn serve(folder: &Path, port: u16) -> Child {
    let mut command = Command::new("docker-registry");
    command.arg("serve").arg(folder.join("registry.yml")).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().unwrap_or_else(|error| panic!("docker-registry: {error}; run scripts/setup-tests"));
    let start = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(start.elapsed() < Duration::from_secs(30), "docker-registry does not answer");
        thread::sleep(Duration::from_millis(5));
    }
    child
}

impl DockerRegistry {
    /// Starts a registry without authentication.
    pub fn anonymous() -> Self {
        Self::start(tempfile::tempdir().unwrap(), "", "", None)
    }

    /// Starts a registry as Debian configures it: descriptors of blobs are cached in memory, and manifests can be deleted.
    pub fn with_debian_storage() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = "cache: {blobdescriptor: inmemory}, delete: {enabled: true}, ";
        Self::start_with(folder, settings, "", "", None)
    }

    /// Removes what no manifest refers to, while the registry runs.
    pub fn collect_garbage(&self, arguments: &[&str]) {
        let mut command = Command::new("docker-registry");
        command.arg("garbage-collect").args(arguments).arg(self.folder.path().join("registry.yml"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Deletes a manifest and its tags.
    pub fn delete_manifest(&self, repository: &str, digest: Sha256) {
        let start = format!("DELETE /v2/{repository}/manifests/{digest} HTTP/1.1");
        let request = Message { start, ..Message::default() }.with("Host", self.host());
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        request.write(&mut stream).unwrap();
        assert_eq!(Message::read(&mut stream).unwrap().status(), 202);
    }

    /// Removes a tag, and keeps the manifest.
    pub fn remove_tag(&self, repository: &str, tag: &str) {
        let tags = format!("storage/docker/registry/v2/repositories/{repository}/_manifests/tags");
        fs::remove_dir_all(self.folder.path().join(tags).join(tag)).unwrap();
    }

    /// Starts a registry that requires the user's password.
    pub fn with_password() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let auth = password_file(folder.path());
        Self::start(folder, &auth, "", None)
    }

    /// Starts a registry with TLS that requires the user's password. The certificate of its CA is `ca.crt` in its directory.
    pub fn with_tls() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let auth = password_file(folder.path());
        make_certificates(folder.path());
        let path = |name: &str| folder.path().join(name).display().to_string();
        let tls = format!(", tls: {{certificate: {}, key: {}}}", path("server.crt"), path("server.key"));
        Self::start(folder, &auth, &tls, None)
    }

    /// Starts a registry that requires tokens, which are valid for `life` seconds. Anonymous tokens allow only pulling.
    pub fn with_tokens(life: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        openssl(
            &["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=tokens"],
            &[("-keyout", at("tokens.key")), ("-out", at("tokens.crt"))],
        );
        let tokens = TokenServer::start(at("tokens.key"), at("tokens.crt"), life);
        let proxy = Proxy::before(tokens.port);
        let auth = format!(
            "auth: {{token: {{realm: \"http://127.0.0.1:{}/token\", service: test-registry, issuer: test-issuer, rootcertbundle: {}}}}}",
            proxy.port,
            at("tokens.crt").display()
        );
        Self::start(folder, &auth, "", Some((tokens, proxy)))
    }

    fn start(folder: TempDir, auth: &str, tls: &str, tokens: Option<(Arc<TokenServer>, Proxy)>) -> Self {
        Self::start_with(folder, "", auth, tls, tokens)
    }

    fn start_with(
        folder: TempDir,
        settings: &str,
        auth: &str,
        tls: &str,
        tokens: Option<(Arc<TokenServer>, Proxy)>,
    ) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let storage = folder.path().join("storage");
        let configuration = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage: {{{settings}filesystem: {{rootdirectory: {}}}}}\n{auth}\nhttp: {{addr: \"127.0.0.1:{port}\", secret: x{tls}}}\n",
            storage.display()
        );
        fs::write(folder.path().join("registry.yml"), configuration).unwrap();
        let child = serve(folder.path(), port);
        Self { port, folder, child, tokens }
    }

    /// Empties the link of a repository to a blob, as a kill does while it is written.
    pub fn empty_link(&self, repository: &str, blob: Sha256) {
        let link = format!("storage/docker/registry/v2/repositories/{repository}/_layers/sha256/{}/link", blob.hex());
        let link = self.folder.path().join(link);
        assert!(fs::metadata(&link).unwrap().len() > 0);
        fs::write(link, "").unwrap();
    }

    /// Leaves an empty file for a blob, as a kill does before it is written.
    pub fn begin_blob(&self, blob: Sha256) {
        let hex = blob.hex();
        let blob = self.folder.path().join(format!("storage/docker/registry/v2/blobs/sha256/{}/{hex}", &hex[..2]));
        fs::create_dir_all(&blob).unwrap();
        fs::write(blob.join("data"), "").unwrap();
    }

    /// Kills the registry, and starts it again after a pause, with what it has stored.
    pub fn restart(&mut self, pause: Duration) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        thread::sleep(pause);
        self.child = serve(self.folder.path(), self.port);
    }

    /// Returns the registry's host and port.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns the queries and forms that the token server received.
    pub fn token_requests(&self) -> Vec<String> {
        self.tokens.as_ref().map(|(tokens, _)| tokens.requests.lock().unwrap().clone()).unwrap_or_default()
    }

    /// Returns the proxy in front of the token server.
    pub fn token_proxy(&self) -> &Proxy {
        &self.tokens.as_ref().unwrap().1
    }

    /// Returns the tags of a repository.
    pub fn tags(&self, repository: &str) -> Vec<String> {
        let tags = format!("storage/docker/registry/v2/repositories/{repository}/_manifests/tags");
        let entries = fs::read_dir(self.folder.path().join(tags)).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn password_file(folder: &Path) -> String {
    let output = Command::new("htpasswd").args(["-nbBC", "4", USER, PASSWORD]).output();
    let output = output.unwrap_or_else(|error| panic!("htpasswd: {error}; run scripts/setup-tests"));
    let path = folder.join("htpasswd");
    fs::write(&path, String::from_utf8(output.stdout).unwrap().trim()).unwrap();
    format!("auth: {{htpasswd: {{realm: test, path: {}}}}}", path.display())
}

fn openssl(arguments: &[&str], files: &[(&str, PathBuf)]) {
    let mut command = Command::new("openssl");
    command.args(arguments);
    for (option, path) in files {
        command.arg(option).arg(path);
    }
    let output = command.output().unwrap_or_else(|error| panic!("openssl: {error}; run scripts/setup-tests"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Creates a CA and a server certificate for loopback that it signed.
fn make_certificates(folder: &Path) {
    let at = |name: &str| folder.join(name);
    let new = ["req", "-newkey", "rsa:2048", "-nodes", "-days", "30"];
    openssl(
        &[&new[..], &["-x509", "-subj", "/CN=test authority"]].concat(),
        &[("-keyout", at("ca.key")), ("-out", at("ca.crt"))],
    );
    openssl(
        &[&new[..4], &["-subj", "/CN=localhost"]].concat(),
        &[("-keyout", at("server.key")), ("-out", at("server.csr"))],
    );
    fs::write(at("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1").unwrap();
    openssl(
        &["x509", "-req", "-CAcreateserial", "-days", "30"],
        &[
            ("-in", at("server.csr")),
            ("-CA", at("ca.crt")),
            ("-CAkey", at("ca.key")),
            ("-extfile", at("names")),
            ("-out", at("server.crt")),
        ],
    );
}

/// A server for Docker's token authentication
/// ([specification](https://distribution.github.io/distribution/spec/auth/token/)).
struct TokenServer {
    port: u16,
    key: PathBuf,
    certificate: String,
    life: u64,
    requests: Mutex<Vec<String>>,
}

impl TokenServer {
    fn start(key: PathBuf, certificate: PathBuf, life: u64) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let pem = fs::read_to_string(certificate).unwrap();
        let certificate = pem.lines().filter(|line| !line.starts_with("---")).collect();
        let server = Arc::new(Self { port, key, certificate, life, requests: Mutex::default() });
        let served = Arc::clone(&server);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = Arc::clone(&served);
                // A client may close its connection at any time.
                thread::spawn(move || server.serve(stream));
            }
        });
        server
    }

    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        loop {
            let request = Message::read(&mut stream)?;
            self.answer(&request).write(&mut stream)?;
        }
    }

    fn answer(&self, request: &Message) -> Message {
        let form = String::from_utf8(request.body.clone()).unwrap();
        let text = if form.is_empty() { request.target().split_once('?').unwrap().1 } else { &form };
        self.requests.lock().unwrap().push(format!("{} {text}", request.method()));
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        let value = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let is_user = match (request.header("authorization"), value("refresh_token")) {
            (None, None) => false,
            (Some(sent), _) if sent == format!("Basic {}", BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}"))) => {
                true
            }
            (None, Some(IDENTITY_TOKEN)) if value("grant_type") == Some("refresh_token") => true,
            _ => return Message::answer(401).with_body(r#"{"details":"incorrect username or password"}"#),
        };
        assert_eq!(value("service"), Some("test-registry"));
        let scopes = pairs.iter().filter(|(name, _)| name == "scope").flat_map(|(_, scope)| scope.split(' '));
        let access: Vec<Value> = scopes
            .map(|scope| {
                let parts: Vec<&str> = scope.splitn(3, ':').collect();
                let actions: Vec<&str> = parts[2].split(',').filter(|action| is_user || *action == "pull").collect();
                json!({"type": parts[0], "name": parts[1], "actions": actions})
            })
            .collect();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let claims = json!({
            "iss": "test-issuer", "sub": if is_user { USER } else { "" }, "aud": "test-registry",
            "exp": now + self.life, "nbf": now - 5, "iat": now, "jti": now.to_string(), "access": access,
        });
        let token = self.sign(&claims);
        Message::answer(200).with_body(json!({"token": token, "expires_in": self.life}).to_string())
    }

    /// Returns a JSON Web Token (RFC 7519), signed with RS256.
    fn sign(&self, claims: &Value) -> String {
        let header = json!({"typ": "JWT", "alg": "RS256", "x5c": [self.certificate]});
        let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", encode(&header), encode(claims));
        let folder = tempfile::tempdir().unwrap();
        let [unsigned, signature] = ["text", "signature"].map(|name| folder.path().join(name));
        fs::write(&unsigned, &text).unwrap();
        let sign = [("-sign", self.key.clone()), ("-out", signature.clone()), ("-binary", unsigned)];
        openssl(&["dgst", "-sha256"], &sign);
        format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(fs::read(signature).unwrap()))
    }
}
