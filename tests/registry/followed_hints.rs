//! Hints about logins, tags and certificates: each is followed, and then the command succeeds.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::registries::{DockerRegistry, PASSWORD, USER};
use crate::support::command::{fail, pybundle, succeed, tool};
use crate::support::uv::Project;
use crate::support::wheel;

/// A project that is only an application, whose image has no base, and the directory of Docker's configuration.
struct LoginProject {
    project: Project,
}

impl LoginProject {
    fn new() -> Self {
        Self {
            project: Project::new(&[("app/app.py", ""), ("app/requirements.txt", ""), ("docker/config.json", "{}")]),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.project.path().join(name)
    }

    /// Returns the command that builds the image and pushes it.
    fn push(&self, to: &str, arguments: &[&str]) -> Command {
        let mut command = pybundle(&["image", "app", "--base=scratch", "--python=3.12", "--platform=linux/amd64"]);
        command.args(["--no-audit", "--no-progress", "--push", "--tag", to]).args(arguments);
        command.current_dir(self.project.path()).env("DOCKER_CONFIG", self.path("docker"));
        command.env("PATH", format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap()));
        command
    }

    /// Writes the credential helper `vault`: a script that begins with these lines, and then prints the user's password.
    fn install_helper(&self, script: &str) {
        let answer = format!("{{\"ServerURL\": \"x\", \"Username\": \"{USER}\", \"Secret\": \"{PASSWORD}\"}}");
        let path = self.path("bin/docker-credential-vault");
        self.project.write(
            "bin/docker-credential-vault",
            format!("#!/bin/sh\ncat >/dev/null\n{script}\necho '{answer}'\n").as_bytes(),
        );
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Runs a command with a standard input, and returns its standard output, whether it succeeds or not.
fn with_input(command: &mut Command, input: &str) -> (bool, String) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn docker_login_replaces_an_invalid_entry() {
    let (registry, project) = (DockerRegistry::with_password(), LoginProject::new());
    let (host, to) = (registry.host(), format!("{}/app:1", registry.host()));
    project
        .project
        .write("docker/config.json", format!("{{\"auths\": {{\"{host}\": {{\"auth\": \"?\"}}}}}}").as_bytes());
    let said = fail(&mut project.push(&to, &[]));
    let command = said.split("\nhint: log in again with `").nth(1).unwrap_or_else(|| panic!("{said}"));
    let command = format!("{} --username {USER} --password-stdin", command.strip_suffix("`\n").unwrap());
    let mut login = Command::new("sh");
    login.args(["-c", &command]).env("DOCKER_CONFIG", project.path("docker"));
    // The client logs in itself if there is no daemon.
    login.env("DOCKER_HOST", "unix:///nonexistent").stderr(Stdio::null());
    assert!(with_input(&mut login, PASSWORD).0, "{command}");
    succeed(&mut project.push(&to, &[]));
}

#[test]
fn a_missing_credential_helper_is_installed_or_removed_from_the_configuration() {
    let (registry, project) = (DockerRegistry::with_password(), LoginProject::new());
    let (host, to) = (registry.host(), format!("{}/app:1", registry.host()));
    let login = json!({ "auths": { &host: { "auth": BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}")) } } });
    let configure = |configuration: &Value| {
        project.project.write("docker/config.json", configuration.to_string().as_bytes());
    };
    for configuration in [json!({ "credsStore": "vault" }), json!({ "credHelpers": { &host: "vault" } })] {
        configure(&configuration);
        let said = fail(&mut project.push(&to, &[]));
        let hint = "hint: install docker-credential-vault, or remove it from `credsStore` or `credHelpers`\n";
        assert!(said.ends_with(hint), "{said}");
        project.install_helper("");
        succeed(&mut project.push(&to, &[]));
        fs::remove_file(project.path("bin/docker-credential-vault")).unwrap();
        fail(&mut project.push(&to, &[]));
        configure(&login);
        succeed(&mut project.push(&to, &[]));
    }
}

/// Standard output may contain secrets, so only the helper itself shows it.
#[test]
fn a_credential_helper_tells_the_details_when_it_is_run() {
    let (registry, project) = (DockerRegistry::with_password(), LoginProject::new());
    let (sealed, to) = (project.path("sealed"), format!("{}/app:1", registry.host()));
    fs::write(&sealed, "").unwrap();
    project.project.write("docker/config.json", b"{\"credsStore\": \"vault\"}");
    let remedy = format!("rm '{}'", sealed.display());
    project.install_helper(&format!("[ -e '{}' ] && echo \"unseal with: {remedy}\" && exit 1", sealed.display()));
    let said = fail(&mut project.push(&to, &[]));
    assert!(!said.contains(&remedy), "{said}");
    let command = said.split("\nhint: for details, run `").nth(1).unwrap_or_else(|| panic!("{said}"));
    let command = command.strip_suffix("` and enter the name of the registry\n").unwrap_or_else(|| panic!("{said}"));
    assert!(command.ends_with("/docker-credential-vault get"), "{command}");
    let (_, details) = with_input(Command::new("sh").args(["-c", command]), &registry.host());
    succeed(Command::new("sh").args(["-c", details.trim().strip_prefix("unseal with: ").unwrap()]));
    succeed(&mut project.push(&to, &[]));
}

#[test]
fn the_tag_for_referrers_is_deleted_if_it_is_something_else() {
    let (registry, project) = (DockerRegistry::with_debian_storage(), LoginProject::new());
    let at = |tag: &str| format!("{}/app:{tag}", registry.host());
    let report: Value = serde_json::from_str(&succeed(&mut project.push(&at("1"), &["--json"]))).unwrap();
    let tag = report["digest"].as_str().unwrap().replace(':', "-");
    succeed(&mut project.push(&at(&tag), &["--label=another=image"]));
    let said = fail(&mut project.push(&at("1"), &["--sbom=cyclonedx"]));
    assert!(said.contains(&format!("{} is not a list of referrers", at(&tag))), "{said}");
    assert!(said.ends_with("\nhint: delete the tag if nothing uses it\n"), "{said}");
    succeed(Command::new("skopeo").args(["delete", "--tls-verify=false", &format!("docker://{}", at(&tag))]));
    succeed(&mut project.push(&at("1"), &["--sbom=cyclonedx"]));
}

/// Serves a directory over TLS.
const SERVER: &str = "
import functools, http.server, ssl, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[3])
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
";

/// A proxy that signs certificates shows one of the same kind for the index.
#[test]
fn ssl_cert_file_names_the_authority_of_an_index() {
    let certificates = DockerRegistry::with_tls();
    let at = |name: &str| certificates.folder.path().join(name);
    let name = "demo-1.0-py3-none-any.whl";
    let project = Project::new(&[("app/app.py", "")]);
    project.write(&format!("files/{name}"), &wheel("demo", "1.0"));
    let mut python = Command::new(tool("python"));
    python.args(["-c", SERVER]).args([at("server.crt"), at("server.key"), project.path().join("files")]);
    let mut server = python.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut port = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let requirement = format!("demo @ https://localhost:{}/{name}\n", port.trim());
    project.write("app/requirements.txt", requirement.as_bytes());
    let build = || {
        let mut command = pybundle(&["lambda", "app", "--no-audit", "--output", "function.zip"]);
        command.current_dir(project.path()).env("PYBUNDLE_CACHE_DIR", project.path().join("cache"));
        command.env_remove("SSL_CERT_FILE");
        command
    };
    let said = fail(&mut build());
    let hint = "hint: if a proxy signs the certificates, set SSL_CERT_FILE to the certificate file of its authority\n";
    assert!(said.ends_with(hint), "{said}");
    succeed(build().env("SSL_CERT_FILE", at("ca.crt")));
    server.kill().unwrap();
    server.wait().unwrap();
}
