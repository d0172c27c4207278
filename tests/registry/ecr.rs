//! ECR with AWS credentials: against moto, and against a server with prepared responses.

use std::net::TcpListener;
use std::time::{Duration, Instant, SystemTime};

use crate::aws::{Machine, REGISTRY, SECRET_KEY};
use crate::http::{Answer, Server};
use crate::moto::Moto;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// Returns ECR's response with a token that is valid for some time.
pub(crate) fn token(password: &str, valid: Duration) -> Answer {
    let end = (SystemTime::now() + valid).duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    let token = BASE64_STANDARD.encode(format!("AWS:{password}"));
    let body = format!(r#"{{"authorizationData": [{{"authorizationToken": "{token}", "expiresAt": {end}}}]}}"#);
    Answer::file(body.as_bytes()).header("Connection", "close")
}

fn refusal(code: &str, message: &str) -> Answer {
    let body = format!(r#"{{"__type": "{code}", "message": "{message}"}}"#);
    Answer::status(400).with_body(body.as_bytes()).header("Connection", "close")
}

#[tokio::test]
async fn moto_issues_tokens_and_creates_repositories() {
    let moto = Moto::start();
    let machine = Machine::new(&moto.url).with_keys();
    let login = "AWS 123456789012-auth-token";
    assert_eq!(machine.login().await, login);
    for name in ["team/app", "team/app", "other"] {
        assert_eq!(machine.create(name).await, "created");
    }
    assert_eq!(machine.login().await, login);
    assert_eq!(moto.repositories(), "123456789012/team/app 123456789012/other");
    // The name is ECR's to judge.
    let error = machine.create("Team").await;
    assert!(error.contains("ECR in eu-west-1 refused to create the repository Team: "), "{error}");
}

#[tokio::test]
async fn requests_are_signed_for_the_region_of_the_registry() {
    let server = Server::start();
    server.answer("/", [token("word", Duration::from_secs(43_200))]);
    let machine = Machine::new(&server.url("")).with_keys().variable("AWS_REGION", "us-east-1");
    assert_eq!(machine.variable("AWS_SESSION_TOKEN", "session").login().await, "AWS word");
    let request = &server.requests("/")[0];
    let authorization = request.header("authorization").unwrap();
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{authorization}");
    assert!(authorization.contains("/eu-west-1/ecr/aws4_request, "), "{authorization}");
    assert_eq!(request.header("x-amz-target"), Some("AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"));
    assert_eq!(request.header("x-amz-security-token"), Some("session"));
}

#[tokio::test]
async fn tokens_are_cached_until_shortly_before_they_expire() {
    for (valid, requests) in [(Duration::from_secs(43_200), 1), (Duration::from_secs(60), 3)] {
        let server = Server::start();
        server.answer("/", [token("word", valid)]);
        let machine = Machine::new(&server.url("")).with_keys();
        for _ in 0..3 {
            assert_eq!(machine.login().await, "AWS word");
        }
        assert_eq!(server.requests("/").len(), requests);
        // Another identity gets a token of its own.
        let other = Machine::new(&server.url("")).variable("AWS_ACCESS_KEY_ID", "AKIDOTHER");
        assert_eq!(other.variable("AWS_SECRET_ACCESS_KEY", SECRET_KEY).login().await, "AWS word");
        assert_eq!(server.requests("/").len(), requests + 1);
    }
}

#[tokio::test]
async fn without_credentials_the_error_comes_soon_and_says_how_to_log_in() {
    // Takes connections and never answers, as a network may do where there is no virtual machine.
    let metadata = TcpListener::bind("127.0.0.1:0").unwrap();
    let machine = Machine::new("http://127.0.0.1:1")
        .variable("AWS_EC2_METADATA_DISABLED", "false")
        .variable("AWS_EC2_METADATA_SERVICE_ENDPOINT", &format!("http://{}", metadata.local_addr().unwrap()));
    let start = Instant::now();
    let error = machine.login().await;
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert!(error.starts_with(&format!("cannot log in to {REGISTRY}: no AWS credentials in ")), "{error}");
    for expected in ["`aws sso login`", "AWS_PROFILE", "docker login --username AWS", "--region eu-west-1"] {
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn refusals_are_reported_without_the_request() {
    let canonical = "The Canonical String is x-amz-security-token:s3cret-key";
    for (code, message, expected) in [
        ("AccessDeniedException", "User: arn:aws:iam::1:user/a may not", "the permission ecr:GetAuthorizationToken"),
        ("ExpiredTokenException", "The security token is expired", "the AWS credentials have expired"),
        ("SignatureDoesNotMatch", "Check your key", "whose credentials are used"),
        ("com.amazonaws.ecr#InvalidParameterException", "Wrong", "whose credentials are used"),
    ] {
        let server = Server::start();
        server.answer("/", [refusal(code, &format!("{message}\\n\\n{canonical}"))]);
        let error = Machine::new(&server.url("")).with_keys().login().await;
        let code = code.rsplit('#').next().unwrap();
        let refusal = format!("ECR in eu-west-1 refused to issue a login token: {code}: {message} |");
        assert!(error.starts_with(&refusal), "{error}");
        assert!(error.contains(expected), "{error}");
        assert_eq!(server.requests("/").len(), 1, "{code} is final");
    }
}

#[tokio::test]
async fn requests_are_repeated_while_ecr_is_overloaded() {
    for failure in [Answer::status(503), refusal("ThrottlingException", "Rate exceeded")] {
        let server = Server::start();
        let failure = failure.header("Connection", "close");
        server.answer("/", [failure.clone(), failure.clone(), token("word", Duration::from_secs(43_200))]);
        assert_eq!(Machine::new(&server.url("")).with_keys().login().await, "AWS word");
        server.answer("/", [failure]);
        let error = Machine::new(&server.url("")).with_keys().variable("AWS_SESSION_TOKEN", "x").login().await;
        assert!(error.contains("503") || error.contains("ThrottlingException: Rate exceeded"), "{error}");
        assert_eq!(server.requests("/").len(), 6);
    }
}

#[tokio::test]
async fn a_server_that_is_unreachable_or_not_ecr_is_an_error() {
    let error = Machine::new("http://127.0.0.1:1").with_keys().login().await;
    assert!(
        error.starts_with("cannot ask ECR in eu-west-1 to issue a login token | cannot reach Amazon ECR"),
        "{error}"
    );
    for body in [r#"{"authorizationData": []}"#, r#"{"authorizationData": [{"authorizationToken": "!"}]}"#, "{}"] {
        let server = Server::start();
        server.answer("/", [Answer::file(body.as_bytes()).header("Connection", "close")]);
        let error = Machine::new(&server.url("")).with_keys().login().await;
        let expected = format!("ECR in eu-west-1 returned no valid login token for {REGISTRY} |");
        assert!(error.starts_with(&expected), "{error}");
    }
    let server = Server::start();
    server.answer("/", [Answer::status(404).with_body(b"<html>s3cret-key").header("Connection", "close")]);
    let error = Machine::new(&server.url("")).with_keys().create("team/app").await;
    let expected = "cannot ask ECR in eu-west-1 to create the repository team/app | Amazon ECR returned 404 Not Found";
    assert!(error.starts_with(expected), "{error}");
}
