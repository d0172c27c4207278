//! Pushes to ECR with AWS credentials alone: without a credential helper and without Docker's configuration.
//!
//! In the sandbox of the test, ECR's host name leads to a real registry. moto issues its tokens and knows which
//! repositories exist. The test runs this test binary again in the sandbox.

use std::env;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::moto::{Moto, program};
use crate::support::artifact::sha256;
use crate::support::bases::slim;
use crate::support::command::{pybundle, repository, succeed};
use crate::support::uv::Project;
use serde_json::Value;

const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const SECRET_KEY: &str = "s3cret-key";
/// The password in the tokens of moto.
const PASSWORD: &str = "123456789012-auth-token";

/// The sandbox: a directory with a project, and ECR.
struct Cloud<'a> {
    folder: &'a Path,
    moto: Moto,
    servers: Vec<Child>,
}

impl Drop for Cloud<'_> {
    fn drop(&mut self) {
        for server in &mut self.servers {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }
}

impl<'a> Cloud<'a> {
    /// Starts the servers.
    fn start(folder: &'a Path) -> Self {
        let moto = Moto::start();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = |name: &str| folder.join(name).display().to_string();
        let configuration = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nauth: {{htpasswd: {{realm: test, path: {}}}}}\nhttp: {{addr: \"127.0.0.1:{port}\", secret: x}}\n",
            at("storage"),
            at("htpasswd")
        );
        fs::write(at("registry.yml"), configuration).unwrap();
        let mut registry = Command::new("docker-registry");
        registry.args(["serve", &at("registry.yml")]);
        let mut door = Command::new(program("python3"));
        door.arg(repository().join("tests/support/ecr.py"));
        door.args([&at("server.crt"), &at("server.key"), &port.to_string(), &moto.url]);
        let start = |mut command: Command| {
            command.stdout(Stdio::null()).spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"))
        };
        let servers = vec![start(registry), start(door)];
        let start = Instant::now();
        while [port, 443].iter().any(|port| TcpStream::connect(("127.0.0.1", *port)).is_err()) {
            assert!(start.elapsed() < Duration::from_secs(30), "the registry does not answer");
            std::thread::sleep(Duration::from_millis(5));
        }
        Self { folder, moto, servers }
    }

    /// Returns a pybundle command without any variables but these, and without credentials.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = pybundle(arguments);
        let cache = command.get_envs().find(|(name, _)| *name == "PYBUNDLE_CACHE_DIR").unwrap().1.unwrap().to_owned();
        command.env_clear().env("PYBUNDLE_CACHE_DIR", cache).env("HOME", self.folder.join("home"));
        command.env("SSL_CERT_FILE", self.folder.join("ca.crt")).env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("AWS_ENDPOINT_URL_ECR", &self.moto.url).args(["--json", "-v"]);
        command
    }

    fn with_keys(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        command.env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        command
    }

    /// Runs a command that succeeds, and returns its report of the push.
    fn pushed(&self, arguments: &[&str]) -> Value {
        let (status, stdout, stderr) = run(&mut self.with_keys(arguments));
        assert_eq!(status, Some(0), "{arguments:?}: {stderr}");
        let mut report: Value = serde_json::from_str(&stdout).unwrap();
        if report["pushed"].is_null() { report } else { report["pushed"].take() }
    }

    /// Returns the digest of the manifest that skopeo reads for a reference.
    fn digest(&self, reference: &str) -> String {
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["inspect", "--raw", "--creds", &format!("AWS:{PASSWORD}"), &format!("docker://{reference}")]);
        format!("sha256:{}", sha256(succeed(skopeo.env("SSL_CERT_FILE", self.folder.join("ca.crt"))).as_bytes()))
    }
}

/// Runs a command, and returns its status and its outputs, which contain no secret.
fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    for secret in [SECRET_KEY, PASSWORD] {
        assert!(!stdout.contains(secret) && !stderr.contains(secret), "{stdout}{stderr}");
    }
    (status.code(), stdout, stderr)
}

/// Returns the numbers of blobs in a report: uploaded, mounted and existing.
fn counts(pushed: &Value) -> [u64; 3] {
    ["uploaded", "mounted", "existing"].map(|key| pushed["tags"][0][key].as_u64().unwrap())
}

/// The rest of the test below, in its sandbox.
#[test]
fn pushes_in_a_sandbox() {
    let Some(folder) = env::var_os("TEST_ECR_FOLDER") else { return };
    let folder = Path::new(&folder);
    let cloud = Cloud::start(folder);
    let project = folder.join("project").display().to_string();
    let layout = format!("oci:{}", folder.join("layout").display());
    let at = |name: &str| format!("{REGISTRY}/{name}");
    let base = slim().argument();
    let app = at("team/app:1");
    let image = ["image", &project, "--base", &base, "--tag", &app, "--push", "--output", &layout];

    let (status, _, message) = run(&mut cloud.command(&image));
    assert_eq!(status, Some(1), "{message}");
    assert!(message.contains(&format!("cannot log in to {REGISTRY}: no AWS credentials in ")), "{message}");
    assert!(message.contains("`aws sso login`") && message.contains("AWS_PROFILE"), "{message}");

    let hint = "hint: create it with --create-repo";
    let (status, _, message) = run(&mut cloud.with_keys(&image));
    assert_eq!(status, Some(1), "{message}");
    assert!(message.contains(&format!("{REGISTRY}/team/app")) && message.contains(hint), "{message}");
    assert_eq!(cloud.moto.repositories(), "");

    let first = cloud.pushed(&[&image[..], &["--create-repo"]].concat());
    let digest = first["digest"].as_str().unwrap();
    let [blobs, ..] = counts(&first);
    assert_eq!((counts(&first), cloud.moto.repositories().as_str()), ([blobs, 0, 0], "123456789012/team/app"));
    assert_eq!(cloud.digest(&app), digest);
    // The repository is there now, and so is the image.
    assert_eq!(counts(&cloud.pushed(&image)), [0, 0, blobs]);

    let again = cloud.pushed(&["push", &layout, &at("team/app:2")]);
    assert_eq!((again["digest"].as_str().unwrap(), counts(&again)), (digest, [0, 0, blobs]));
    let (status, _, message) = run(&mut cloud.with_keys(&["push", &layout, &at("team/other:1")]));
    assert!(status == Some(1) && message.contains(hint), "{message}");
    let other = cloud.pushed(&["push", &layout, &at("team/other:1"), "--create-repo"]);
    assert_eq!(other["digest"].as_str().unwrap(), digest);
    assert_eq!([cloud.digest(&at("team/app:2")), cloud.digest(&at("team/other:1"))], [digest, digest]);
    assert_eq!(cloud.moto.repositories(), "123456789012/team/app 123456789012/team/other");

    // A base in ECR is read with the same login, and its layers are mounted.
    let base = at("library/python:3-slim");
    let [of_base, ..] = counts(&cloud.pushed(&["push", &slim().argument(), &base, "--create-repo"]));
    let third = at("team/third:1");
    let built = cloud.pushed(&["image", &project, "--base", &base, "--tag", &third, "--push", "--create-repo"]);
    // The base's configuration is not the image's.
    let layers = of_base - 1;
    assert_eq!(counts(&built), [blobs - layers, layers, 0]);

    // Without the account setting, ECR begins an upload instead of mounting a layer.
    let apart = at("team/apart:1");
    let push = ["image", &project, "--base", &base, "--tag", &apart, "--push", "--create-repo"];
    let (status, stdout, message) = run(&mut cloud.with_keys(&push));
    assert_eq!(status, Some(0), "{message}");
    assert!(message.contains("`aws ecr put-account-setting --name BLOB_MOUNTING --value ENABLED`"), "{message}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(counts(&report["pushed"]), [blobs, 0, 0]);
}

#[test]
fn images_are_pushed_to_ecr_with_aws_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let project = Project::new(&[
        ("pyproject.toml", "[project]\nname = \"app\"\nversion = \"1\"\nrequires-python = \">=3.9\"\n"),
        ("app.py", "print('ran')\n"),
    ]);
    project.uv(&["lock"]);
    succeed(Command::new("cp").arg("-r").arg(project.path()).arg(at("project")));
    fs::create_dir(at("home")).unwrap();
    fs::write(at("hosts"), format!("127.0.0.1 localhost {REGISTRY}\n")).unwrap();
    fs::write(at("htpasswd"), succeed(Command::new("htpasswd").args(["-nbBC", "4", "AWS", PASSWORD])).trim()).unwrap();
    let make = |arguments: &[&str]| {
        let new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"];
        succeed(Command::new("openssl").args(new).args(arguments).stderr(Stdio::null()));
    };
    make(&["-subj", "/CN=test authority", "-keyout", &at("ca.key"), "-out", &at("ca.crt")]);
    let name = format!("subjectAltName=DNS:{REGISTRY}");
    let server = ["-subj", "/CN=ECR", "-addext", &name, "-addext", "basicConstraints=critical,CA:FALSE"];
    let files =
        ["-CA", &at("ca.crt"), "-CAkey", &at("ca.key"), "-keyout", &at("server.key"), "-out", &at("server.crt")];
    make(&[&server[..], &files].concat());

    let mut sandbox = Command::new("bwrap");
    sandbox.args(["--die-with-parent", "--unshare-net", "--unshare-pid", "--cap-add", "CAP_NET_BIND_SERVICE"]);
    sandbox.args(["--dev-bind", "/", "/", "--proc", "/proc", "--ro-bind", &at("hosts"), "/etc/hosts", "--"]);
    sandbox.arg(env::current_exe().unwrap()).args(["--exact", "ecr_push::pushes_in_a_sandbox", "--nocapture"]);
    let output = sandbox.env("TEST_ECR_FOLDER", folder.path()).output().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{stdout}{stderr}");
    assert!(stdout.contains("1 passed"), "{stdout}");
}
