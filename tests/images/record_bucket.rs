//! Records in a bucket, as moto keeps them, which others wrote.

use std::fs;
use std::net::TcpStream;
use std::process::Command;

use serde_json::{Value, json};

use crate::changed_records::{name_another_file, record_in, rewrite_record};
use crate::http::{Answer, Server};
use crate::moto::Moto;
use crate::remote_cache::{Fleet, SDIST, require_source};
use crate::support::command::pybundle;
use crate::wire::Message;

/// The secret of the credentials, which nothing shows.
const SECRET: &str = "wJalrXUtnFEMI-not-shown";

/// Sends a request that moto takes for a signed one, and returns the answer.
pub fn send(moto: &Moto, method: &str, target: &str, body: &[u8]) -> Message {
    let host = moto.url.strip_prefix("http://").unwrap();
    let request = Message { start: format!("{method} {target} HTTP/1.1"), ..Message::default() };
    let signed = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
    let request = request.with("Host", host).with("Connection", "close").with("Authorization", signed).with_body(body);
    let mut stream = TcpStream::connect(host).unwrap();
    request.write(&mut stream).unwrap();
    let answer = Message::read(&mut stream).unwrap();
    assert!((200..300).contains(&answer.status()), "{answer:?}");
    answer
}

/// Returns the keys of all objects.
pub fn keys(moto: &Moto) -> Vec<String> {
    let listed = String::from_utf8(send(moto, "GET", "/fleet?list-type=2", b"").body).unwrap();
    let keys = listed.split("<Key>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned());
    keys.collect()
}

/// Gives a command credentials and an endpoint, and asserts that it shows no secret.
pub fn ended(command: &mut Command, endpoint: &str, place: &str) -> (Value, String) {
    let (is_successful, out, errors) = run(command, endpoint, place);
    assert!(is_successful, "{out}{errors}");
    (serde_json::from_str(&out).unwrap(), errors)
}

/// Returns whether a command succeeds, and both of its outputs.
fn run(command: &mut Command, endpoint: &str, place: &str) -> (bool, String, String) {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("AWS_ENDPOINT_URL_S3", endpoint).env("AWS_ACCESS_KEY_ID", "x").env("AWS_SECRET_ACCESS_KEY", SECRET);
    let output = command.args(["--remote-cache", place]).output().unwrap();
    let [out, errors] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(!out.contains(SECRET) && !errors.contains(SECRET), "{out}{errors}");
    (output.status.success(), out, errors)
}

/// Writes an image to a file on a machine whose cache has a name.
fn write(fleet: &Fleet, machine: &str, endpoint: &str, place: &str) -> (Value, String) {
    let mut command = fleet.workshop.command(&["--json", "--output", "oci:out"]);
    ended(command.env("PYBUNDLE_CACHE_DIR", fleet.workshop.path(machine)), endpoint, place)
}

#[test]
fn machines_share_records_through_a_bucket() {
    let (fleet, moto) = (Fleet::new(), Moto::start());
    let place = "s3://fleet/team/app";
    // One warning, and the image.
    let (alone, said) = write(&fleet, "alone", &moto.url, place);
    let missing = "warning: cannot read the remote cache, so this build does not use it: S3 did not carry out GetObject in \
        bucket fleet: Amazon S3 returned 404 Not Found: NoSuchBucket: The specified bucket does not exist\n";
    assert_eq!((said.matches("warning:").count(), &alone["remote_cache"]["written"]), (1, &json!(false)), "{said}");
    assert!(said.contains(missing), "{said}");

    send(&moto, "PUT", "/fleet", b"");
    let (first, said) = ended(&mut fleet.push("warm", "1", &[]), &moto.url, place);
    assert_eq!((&first["digest"], &first["remote_cache"]["place"]), (&alone["digest"], &json!(place)), "{said}");
    let written = keys(&moto);
    let [record] = &written[..] else { panic!("{written:?}") };
    assert!(record.starts_with("team/app/pybundle-cache-"), "{record}");

    fleet.edit(1);
    let before = fleet.sent();
    let (cold, said) = ended(&mut fleet.push("cold", "2", &[]), &moto.url, &format!("read={place}"));
    let used = &cold["remote_cache"];
    assert_eq!(
        (&used["read"], &used["fetched"], &used["written"]),
        (&json!("exact"), &json!(0), &json!(false)),
        "{said}"
    );
    assert_eq!((fleet.sent(), &used["known"]), (before, &json!(3)));

    // A record that is valid in itself, but says that a wheel has another file.
    let lies = fleet.workshop.path("lies");
    fs::create_dir(&lies).unwrap();
    let target = format!("/fleet/{record}");
    fs::write(lies.join("record"), send(&moto, "GET", &target, b"").body).unwrap();
    rewrite_record(&lies, name_another_file);
    send(&moto, "PUT", &target, &fs::read(lies.join("record")).unwrap());
    let (misled, said) = write(&fleet, "misled", &moto.url, place);
    assert_eq!(misled["digest"], cold["digest"]);
    assert!(said.contains("the remote cache is wrong about a wheel or a layer: building again without it"), "{said}");

    let mut release = fleet.workshop.command(&["--output", "oci:out"]);
    let (is_successful, _, said) = run(&mut release, &moto.url, &format!("verify={place}"));
    let name = record.rsplit('/').next().unwrap();
    assert!(
        !is_successful && said.contains(&format!("the record {name} in {place} is wrong about wheels or layers")),
        "{said}"
    );

    // What nobody can read is replaced.
    send(&moto, "PUT", &target, b"pybundle closure\ngarbage");
    let (repaired, said) = write(&fleet, "repairer", &moto.url, place);
    assert_eq!((&repaired["digest"], &repaired["remote_cache"]["written"]), (&cold["digest"], &json!(true)), "{said}");
    assert!(said.matches("warning:").count() == 1 && said.contains("the record is damaged"), "{said}");
    assert_eq!(write(&fleet, "next", &moto.url, place).0["remote_cache"]["read"], "exact");

    let policy = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Deny", "Principal": "*", "Action": "s3:*Object", "Resource": "arn:aws:s3:::fleet/guarded/*" },
    ] });
    send(&moto, "PUT", "/fleet?policy", policy.to_string().as_bytes());
    let (built, said) = write(&fleet, "reader", &moto.url, "s3://fleet/guarded");
    assert_eq!((&built["digest"], &built["remote_cache"]["written"]), (&cold["digest"], &json!(false)));
    let denied = "warning: cannot write to the remote cache, so other machines do not benefit from this build: S3 did \
        not carry out PutObject in bucket fleet: Amazon S3 returned 403 Forbidden: no reason given\n";
    assert_eq!(said.matches("warning:").count(), 1, "{said}");
    assert!(said.contains(denied), "{said}");
    assert_eq!(keys(&moto), [record.as_str()]);

    let stop = require_source(&fleet);
    let (built, _) = write(&fleet, "builder", &moto.url, "s3://fleet");
    let stored = keys(&moto);
    let wheels: Vec<&String> = stored.iter().filter(|key| key.ends_with(".whl")).collect();
    assert!(wheels.len() == 1 && !wheels[0].contains('/') && stored.len() == 3, "{stored:?}");
    fs::write(&stop, "").unwrap();
    let sent = fleet.server.requests(SDIST).len();
    let (cold, said) = write(&fleet, "receiver", &moto.url, "s3://fleet");
    assert_eq!((&cold["digest"], &cold["remote_cache"]["read"]), (&built["digest"], &json!("exact")), "{said}");
    assert_eq!(fleet.server.requests(SDIST).len(), sent);
}

#[test]
fn targets_of_a_run_share_credentials() {
    let (fleet, source) = (Fleet::new(), Server::start());
    let credentials = format!(
        r#"{{"AccessKeyId": "x", "SecretAccessKey": "{SECRET}", "Token": "t", "Expiration": "2099-01-01T00:00:00Z"}}"#
    );
    source.answer("/get", [Answer::file(credentials.as_bytes())]);
    let target = |name: &str| {
        format!("[tool.pybundle.target.{name}]\nkind = \"image\"\nbase = \"oci:../base\"\noutput = \"oci:{name}\"\n")
    };
    let project = "[project]\nname = \"app\"\nversion = \"1\"\ndynamic = [\"dependencies\"]\n\n[tool.pybundle]\n\
        lock = \"requirements.txt\"\ncompile-bytecode = false\n\n";
    fleet.workshop.write("pyproject.toml", [project, &target("one"), &target("two"), &target("three")].concat());
    let mut command = pybundle(&["build", "--json", "--project", "project", "--remote-cache", "read=s3://fleet/app"]);
    command.current_dir(fleet.workshop.path("")).env("PYBUNDLE_CACHE_DIR", fleet.workshop.path("machine"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", source.url("/get")).env("AWS_ENDPOINT_URL_S3", source.url("/s3"));
    let output = command.env("AWS_CONFIG_FILE", "none").env("AWS_SHARED_CREDENTIALS_FILE", "none").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(source.requests("/get").len(), 1, "{}", String::from_utf8_lossy(&output.stderr));
}

/// Whoever asks in the wrong region is told the right one.
#[test]
fn a_bucket_is_found_in_its_region() {
    let (fleet, s3) = (Fleet::new(), Server::start());
    let directory = fleet.workshop.path("shared");
    let (first, _) = write(&fleet, "warm", "http://127.0.0.1:9", directory.to_str().unwrap());
    let record = record_in(&directory);
    let path = format!("/fleet/app/{}", record.file_name().unwrap().to_str().unwrap());
    let moved = Answer::status(301).header("x-amz-bucket-region", "eu-north-1");
    s3.answer(&path, [moved, Answer::file(&fs::read(&record).unwrap())]);
    let (cold, said) = write(&fleet, "cold", &s3.url(""), "s3://fleet/app");
    assert_eq!((&cold["digest"], &cold["remote_cache"]["read"]), (&first["digest"], &json!("exact")), "{said}");
    let scopes = s3.requests(&path).into_iter().map(|request| request.header("authorization").unwrap().to_owned());
    let scopes: Vec<String> = scopes.collect();
    assert!(scopes.len() == 2 && scopes[0].contains("/us-east-1/s3/") && scopes[1].contains("/eu-north-1/s3/"));

    // Nobody answers: one warning, soon.
    let (alone, said) = write(&fleet, "alone", "http://127.0.0.1:9", "s3://fleet/app");
    assert_eq!(alone["digest"], first["digest"]);
    assert_eq!(said.matches("warning:").count(), 1, "{said}");
    assert!(said.contains("cannot reach Amazon S3"), "{said}");
}
