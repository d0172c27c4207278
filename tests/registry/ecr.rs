//! ECR through AWS's SDK: against moto, and against a server that answers as it is told to.
//!
//! The SDK reads the environment of its process, so each test asks in a process of its own: this test binary again.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use crate::http::{Answer, Server};
use crate::moto::Moto;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pybundle::hints::Hints;
use pybundle::registry::credentials::{Keychain, KeychainOptions, Login};
use pybundle::registry::ecr;

const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const SECRET_KEY: &str = "s3cret-key";

/// The other process: it does what `TEST_ECR_STEPS` says, and prints a line for what each step gave.
#[tokio::test]
async fn asks_in_a_child() {
    let Ok(steps) = env::var("TEST_ECR_STEPS") else { return };
    let registry = ecr::is_ecr(REGISTRY).unwrap();
    let keychain = Keychain::new(KeychainOptions::default());
    for step in steps.split_whitespace() {
        let (outcome, hints) = match step.split_once(':') {
            Some((_, repository)) => match ecr::create_repository(&registry, repository).await {
                Ok(()) => ("created".to_owned(), Vec::new()),
                Err(error) => (format!("{error} | {error:?}"), error.hints()),
            },
            None => match keychain.login(REGISTRY, "team/app").await {
                Ok(Login::Basic { username, password }) => (format!("{username} {}", password.reveal()), Vec::new()),
                Ok(login) => (format!("{login:?}"), Vec::new()),
                Err(error) => (format!("{error} | {error:?}"), error.hints()),
            },
        };
        println!("\nSTEP {outcome} | {}", hints.join(" | "));
    }
}

/// A process to ask in: no variables but PATH, an empty home folder, and no virtual machine around it.
struct Asker {
    home: tempfile::TempDir,
    command: Command,
}

impl Asker {
    /// Asks at an endpoint.
    fn new(endpoint: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args(["--exact", "ecr::asks_in_a_child", "--nocapture"])
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL_ECR", endpoint);
        Self { home, command }
    }

    fn with_keys(self) -> Self {
        self.variable("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").variable("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Does the steps, and returns what each gave. What may not be shown is in none of it.
    fn run(mut self, steps: &str) -> Vec<String> {
        let output = self.command.env("TEST_ECR_STEPS", steps).output().unwrap();
        let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert!(output.status.success(), "{stdout}{stderr}");
        assert!(!stdout.contains(SECRET_KEY) && !stderr.contains(SECRET_KEY), "{stdout}{stderr}");
        let outcomes: Vec<_> =
            stdout.lines().filter_map(|line| line.strip_prefix("STEP ")).map(str::to_owned).collect();
        assert_eq!(outcomes.len(), steps.split_whitespace().count(), "{stdout}{stderr}");
        outcomes
    }
}

/// Returns ECR's answer with a token that is valid for some time.
fn token(password: &str, valid: Duration) -> Answer {
    let end = (SystemTime::now() + valid).duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let token = BASE64_STANDARD.encode(format!("AWS:{password}"));
    let body = format!(r#"{{"authorizationData": [{{"authorizationToken": "{token}", "expiresAt": {end}}}]}}"#);
    Answer::file(body.as_bytes()).header("Connection", "close")
}

fn refusal(code: &str, message: &str) -> Answer {
    let body = format!(r#"{{"__type": "{code}", "message": "{message}"}}"#);
    Answer::status(400).with_body(body.as_bytes()).header("Connection", "close")
}

#[test]
fn moto_gives_tokens_and_creates_repositories() {
    let moto = Moto::start();
    let outcomes = Asker::new(&moto.url).with_keys().run("login create:team/app create:team/app create:other login");
    let login = "AWS 123456789012-auth-token | ";
    assert_eq!(outcomes, [login, "created | ", "created | ", "created | ", login]);
    assert_eq!(moto.repositories(), "123456789012/team/app 123456789012/other");
    // The name is ECR's to judge.
    let outcome = &Asker::new(&moto.url).with_keys().run("create:Team")[0];
    assert!(outcome.contains("ECR in eu-west-1 refuses to create the repository Team: "), "{outcome}");
}

#[test]
fn profiles_and_programs_give_credentials() {
    let server = Server::start();
    server.answer("/", [token("word", Duration::from_secs(43_200))]);
    for (file, text) in [
        (".aws/credentials", format!("[work]\naws_access_key_id = AKIDWORK\naws_secret_access_key = {SECRET_KEY}\n")),
        (
            ".aws/config",
            format!(
                "[profile work]\ncredential_process = echo '{{\"Version\": 1, \"AccessKeyId\": \"AKIDWORK\", \"SecretAccessKey\": \"{SECRET_KEY}\"}}'\n"
            ),
        ),
    ] {
        let asker = Asker::new(&server.url("")).variable("AWS_PROFILE", "work");
        fs::create_dir(asker.home.path().join(".aws")).unwrap();
        fs::write(asker.home.path().join(file), text).unwrap();
        assert_eq!(asker.run("login"), ["AWS word | "]);
        let requests = server.requests("/");
        let authorization = requests.last().unwrap().header("authorization").unwrap();
        assert!(authorization.contains("Credential=AKIDWORK/"), "{authorization}");
        assert!(authorization.contains("/eu-west-1/ecr/"), "the region is the registry's: {authorization}");
    }
}

#[test]
fn tokens_are_kept_until_they_are_about_to_end() {
    for (valid, requests) in [(Duration::from_secs(43_200), 1), (Duration::from_secs(60), 3)] {
        let server = Server::start();
        server.answer("/", [token("word", valid)]);
        let outcomes = Asker::new(&server.url("")).with_keys().run("login login login");
        assert_eq!(outcomes, ["AWS word | "; 3]);
        assert_eq!(server.requests("/").len(), requests);
    }
}

#[test]
fn without_credentials_the_error_comes_soon_and_says_how_to_log_in() {
    // Takes connections and never answers, as a network may do where there is no virtual machine.
    let metadata = TcpListener::bind("127.0.0.1:0").unwrap();
    let asker = Asker::new("http://127.0.0.1:1")
        .variable("AWS_EC2_METADATA_DISABLED", "false")
        .variable("AWS_EC2_METADATA_SERVICE_ENDPOINT", &format!("http://{}", metadata.local_addr().unwrap()));
    let start = Instant::now();
    let outcome = &asker.run("login")[0];
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert!(outcome.starts_with(&format!("no AWS credentials were found to log in to {REGISTRY} with: ")), "{outcome}");
    for expected in ["`aws sso login`", "AWS_PROFILE", "docker login --username AWS", "--region eu-west-1"] {
        assert!(outcome.contains(expected), "{outcome}");
    }
}

#[test]
fn a_program_that_should_give_credentials_and_fails_is_quoted() {
    let asker = Asker::new("http://127.0.0.1:1").variable("AWS_PROFILE", "work");
    fs::create_dir(asker.home.path().join(".aws")).unwrap();
    let process = format!("credential_process = sh -c 'echo {SECRET_KEY}; echo session ended >&2; exit 3'");
    fs::write(asker.home.path().join(".aws/config"), format!("[profile work]\n{process}\n")).unwrap();
    let outcome = &asker.run("login")[0];
    let expected = format!("the AWS credentials to log in to {REGISTRY} with could not be had: ");
    assert!(outcome.starts_with(&expected) && outcome.contains("session ended"), "{outcome}");
}

#[test]
fn refusals_are_told_without_what_was_sent() {
    let canonical = "The Canonical String is x-amz-security-token:s3cret-key";
    for (code, message, expected) in [
        ("AccessDeniedException", "User: arn:aws:iam::1:user/a may not", "the permission ecr:GetAuthorizationToken"),
        ("ExpiredTokenException", "The security token is expired", "the AWS credentials are no longer valid"),
        ("SignatureDoesNotMatch", "Check your key", "whose credentials are used"),
    ] {
        let server = Server::start();
        server.answer("/", [refusal(code, &format!("{message}\\n\\n{canonical}"))]);
        let outcome = &Asker::new(&server.url("")).with_keys().run("login")[0];
        let refusal = format!("ECR in eu-west-1 refuses to give a token to log in with: {code}: {message} |");
        assert!(outcome.starts_with(&refusal), "{outcome}");
        assert!(outcome.contains(expected), "{outcome}");
        assert_eq!(server.requests("/").len(), 1, "{code} is final");
    }
}

#[test]
fn a_server_that_is_not_there_or_not_ecr_is_an_error() {
    let outcome = &Asker::new("http://127.0.0.1:1").with_keys().run("login")[0];
    assert!(outcome.starts_with("ECR in eu-west-1 could not be asked to give a token to log in with: "), "{outcome}");
    for answer in [r#"{"authorizationData": []}"#, r#"{"authorizationData": [{"authorizationToken": "!"}]}"#, "{}"] {
        let server = Server::start();
        server.answer("/", [Answer::file(answer.as_bytes()).header("Connection", "close")]);
        let outcome = &Asker::new(&server.url("")).with_keys().run("login")[0];
        let expected = format!("ECR in eu-west-1 gave no token that can be used for {REGISTRY} |");
        assert!(outcome.starts_with(&expected), "{outcome}");
    }
    let server = Server::start();
    server.answer("/", [Answer::file(b"<html>s3cret-key").header("Connection", "close")]);
    let outcome = &Asker::new(&server.url("")).with_keys().run("login create:team/app")[0];
    assert!(outcome.starts_with("ECR in eu-west-1 could not be asked to "), "{outcome}");
}
