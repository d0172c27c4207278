//! The sources of AWS credentials: profiles, assumed roles and SSO against moto and prepared responses, containers, and
//! EC2 instances.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::ecr::token;
use crate::http::{Answer, Server};
use crate::moto::{Moto, program};
use crate::support::command::succeed;
use pybundle::hints::Hints;
use pybundle::registry::credentials::{Keychain, KeychainOptions, RegistryLogin};
use pybundle::registry::ecr;
use serde_json::{Value, json};

pub(crate) const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
pub(crate) const SECRET_KEY: &str = "s3cret-key";

/// A machine with these variables and an empty home directory, on which ECR's API has another endpoint.
pub(crate) struct Machine {
    home: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Machine {
    pub(crate) fn new(endpoint: &str) -> Self {
        let machine = Self { home: tempfile::tempdir().unwrap(), variables: Vec::new() };
        machine.variable("AWS_EC2_METADATA_DISABLED", "true").variable("AWS_ENDPOINT_URL_ECR", endpoint)
    }

    pub(crate) fn with_keys(self) -> Self {
        self.variable("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").variable("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn file(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn config(self, text: &str) -> Self {
        self.file(".aws/config", text)
    }

    fn keychain(&self) -> Keychain {
        Keychain::new(KeychainOptions::resolve(self.variables.clone(), Some(self.home.path())))
    }

    /// Logs in to the registry, and returns the user and the password, or all that an error may show.
    pub(crate) async fn login(&self) -> String {
        match self.keychain().login(REGISTRY, "team/app").await {
            Ok(RegistryLogin::Basic { username, password }) => format!("{username} {}", password.reveal()),
            Ok(login) => format!("{login:?}"),
            Err(error) => shown(&error, &error.hints()),
        }
    }

    /// Creates a repository.
    pub(crate) async fn create(&self, name: &str) -> String {
        match self.keychain().create_repository(&ecr::is_ecr(REGISTRY).unwrap(), name).await {
            Ok(()) => "created".to_owned(),
            Err(error) => shown(&error, &error.hints()),
        }
    }
}

/// Returns all that users and developers may see of an error: it contains no secret.
fn shown(error: &(impl Error + 'static), hints: &[String]) -> String {
    let causes = std::iter::successors(Some(error as &(dyn Error + 'static)), |error| (**error).source());
    // A transparent error has the text of what it wraps.
    let mut texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.dedup();
    let text = format!("{} | {} | {error:?}", texts.join(" | "), hints.join(" | "));
    assert!(!text.contains("s3cret"), "{text}");
    text
}

/// Returns a server that plays ECR, and with which access key it was asked.
fn ecr_server() -> Server {
    let server = Server::start();
    server.answer("/", [token("word", Duration::from_secs(43_200))]);
    server
}

/// Returns the access key and the session token that signed the last request to ECR.
fn signed_with(server: &Server) -> (String, Option<String>) {
    let requests = server.requests("/");
    let request = requests.last().unwrap();
    let authorization = request.header("authorization").unwrap();
    let (_, rest) = authorization.split_once("Credential=").unwrap();
    (rest.split('/').next().unwrap().to_owned(), request.header("x-amz-security-token").map(str::to_owned))
}

/// Returns the response of STS to an action.
fn sts(action: &str, key: &str) -> Answer {
    let body = format!(
        "<{action}Response><{action}Result><Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>s3cret+/=</SecretAccessKey><SessionToken>session-{key}</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></{action}Result></{action}Response>"
    );
    Answer::file(body.as_bytes()).header("Connection", "close")
}

fn json_answer(body: &Value) -> Answer {
    Answer::file(body.to_string().as_bytes()).header("Connection", "close")
}

#[tokio::test]
async fn profiles_have_keys_or_a_process() {
    let keys = format!("aws_access_key_id = AKIDWORK\naws_secret_access_key = {SECRET_KEY}\n");
    let process = format!(
        "credential_process = echo '{{\"Version\": 1, \"AccessKeyId\": \"AKIDWORK\", \"SecretAccessKey\": \"{SECRET_KEY}\"}}'\n"
    );
    for (profile, file, text) in [
        (None, ".aws/credentials", format!("[default]\n{keys}")),
        (None, ".aws/config", format!("[default]\n{keys}")),
        (Some("work"), ".aws/credentials", format!("[work]\n{keys}")),
        (Some("work"), ".aws/config", format!("[profile work]\n{keys}")),
        (Some("work"), ".aws/config", format!("[profile work]\n{process}")),
    ] {
        let server = ecr_server();
        let machine = Machine::new(&server.url("")).file(file, &text);
        let machine = profile.into_iter().fold(machine, |machine, name| machine.variable("AWS_PROFILE", name));
        assert_eq!(machine.login().await, "AWS word", "{text}");
        assert_eq!(signed_with(&server), ("AKIDWORK".to_owned(), None));
        // The environment comes first.
        assert_eq!(machine.with_keys().login().await, "AWS word");
        assert_eq!(signed_with(&server).0, "AKIDEXAMPLE");
    }
}

#[tokio::test]
async fn profiles_name_endpoints() {
    for (name, text) in [
        ("global", "[default]\nendpoint_url = URL\n"),
        (
            "service",
            "[default]\nservices = local\nendpoint_url = http://127.0.0.1:1\n[services local]\necr =\n  endpoint_url = URL\n",
        ),
    ] {
        let server = ecr_server();
        let mut machine = Machine::new("").with_keys().config(&text.replace("URL", &server.url("")));
        machine.variables.retain(|(name, _)| name != "AWS_ENDPOINT_URL_ECR");
        assert_eq!(machine.login().await, "AWS word", "{name}");
    }
}

#[tokio::test]
async fn a_process_that_fails_is_reported_without_its_output() {
    for (command, expected) in [
        (
            format!("sh -c 'echo {SECRET_KEY}; echo session ended >&2; exit 3'"),
            "the credential_process of the AWS profile `work` failed (exit status: 3): session ended",
        ),
        (
            format!("echo {SECRET_KEY}"),
            "the AWS profile `work` has a credential_process that does not print credentials of version 1 as JSON",
        ),
    ] {
        let machine = Machine::new("http://127.0.0.1:1").variable("AWS_PROFILE", "work");
        let text = format!("[profile work]\ncredential_process = {command}\n");
        fs::create_dir(machine.path(".aws")).unwrap();
        fs::write(machine.path(".aws/config"), text).unwrap();
        let error = machine.login().await;
        let start = format!("cannot load the AWS credentials for {REGISTRY} | {expected} | ");
        assert!(error.starts_with(&start), "{error}");
    }
}

#[tokio::test]
async fn roles_are_assumed_one_after_the_other() {
    let [ecr, sts_server] = [ecr_server(), Server::start()];
    sts_server.answer("/", [sts("AssumeRole", "AKIDFIRST"), sts("AssumeRole", "AKIDSECOND")]);
    let machine = Machine::new(&ecr.url("")).variable("AWS_ENDPOINT_URL_STS", &sts_server.url("")).config(
        "[profile deploy]\nrole_arn = arn:aws:iam::2:role/deploy\nsource_profile = build\n\
         [profile build]\nrole_arn = arn:aws:iam::1:role/build\nexternal_id = ticket\nsource_profile = keys\n\
         [profile keys]\naws_access_key_id = AKIDKEYS\naws_secret_access_key = s3cret\n",
    );
    assert_eq!(machine.variable("AWS_PROFILE", "deploy").login().await, "AWS word");
    let requests = sts_server.requests("/");
    let by = |index: usize| requests[index].header("authorization").unwrap().to_owned();
    assert!(by(0).contains("Credential=AKIDKEYS/") && by(0).contains("/eu-west-1/sts/"), "{}", by(0));
    assert!(by(1).contains("Credential=AKIDFIRST/"), "{}", by(1));
    assert_eq!(requests[1].header("x-amz-security-token"), Some("session-AKIDFIRST"));
    assert_eq!(requests.len(), 2);
    assert_eq!(signed_with(&ecr), ("AKIDSECOND".to_owned(), Some("session-AKIDSECOND".to_owned())));
}

#[tokio::test]
async fn moto_issues_credentials() {
    let moto = Moto::start();
    let script = "import boto3, sys
iam = boto3.client('iam', endpoint_url=sys.argv[1], region_name='eu-west-1', aws_access_key_id='x', aws_secret_access_key='x')
print(iam.create_role(RoleName='deploy', AssumeRolePolicyDocument='{}')['Role']['Arn'])";
    let mut python = std::process::Command::new(program("python3"));
    let role = succeed(python.args(["-c", script, &moto.url]));
    let role = role.trim();
    // All services of moto share one endpoint.
    let machine = || {
        let mut machine = Machine::new("").variable("AWS_ENDPOINT_URL", &moto.url);
        machine.variables.retain(|(name, _)| name != "AWS_ENDPOINT_URL_ECR");
        machine
    };
    let login = "AWS 123456789012-auth-token";
    let keys = format!("aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = {SECRET_KEY}\n");
    let chain = format!("[default]\nrole_arn = {role}\nsource_profile = keys\n[profile keys]\n{keys}");
    assert_eq!(machine().config(&chain).login().await, login);
    let own = format!("[default]\nrole_arn = {role}\nsource_profile = default\n{keys}");
    assert_eq!(machine().config(&own).login().await, login);
    // moto plays the metadata service of an EC2 instance, too.
    let instance = || {
        let machine = machine().variable("AWS_EC2_METADATA_DISABLED", "false");
        machine.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT", &moto.url)
    };
    assert_eq!(instance().login().await, login);
    let source = format!("[default]\nrole_arn = {role}\ncredential_source = Ec2InstanceMetadata\n");
    assert_eq!(instance().config(&source).login().await, login);
    // A web identity needs no key: the token is the identity.
    let token = machine().file("token", "eyJhbGciOiJub25lIn0.e30.s3cret\n");
    let path = token.path("token").display().to_string();
    let of_variables = token.variable("AWS_ROLE_ARN", role).variable("AWS_WEB_IDENTITY_TOKEN_FILE", &path);
    assert_eq!(of_variables.login().await, login);
    let of_profile = machine().config(&format!("[default]\nrole_arn = {role}\nweb_identity_token_file = ~/token\n"));
    assert_eq!(of_profile.file("token", "eyJhbGciOiJub25lIn0.e30.s3cret").login().await, login);
}

#[tokio::test]
async fn refusals_of_sts_contain_no_token() {
    let server = Server::start();
    let body = "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidIdentityToken</Code><Message>Cannot parse &quot;s3cret.token&quot;</Message></Error></ErrorResponse>";
    server.answer("/", [Answer::status(400).with_body(body.as_bytes()).header("Connection", "close")]);
    let machine = Machine::new("http://127.0.0.1:1").file("token", "s3cret.token");
    let path = machine.path("token").display().to_string();
    let machine =
        machine.variable("AWS_ROLE_ARN", "arn:aws:iam::1:role/a").variable("AWS_WEB_IDENTITY_TOKEN_FILE", &path);
    let error = machine.variable("AWS_ENDPOINT_URL_STS", &server.url("")).login().await;
    assert!(error.contains("AWS STS returned 400 Bad Request: InvalidIdentityToken: Cannot parse \"****\""), "{error}");
}

#[tokio::test]
async fn profiles_that_cannot_be_used_are_errors() {
    for (text, expected) in [
        ("[default]\nrole_arn = a\n", "the AWS profile `default` has role_arn, but neither source_profile nor"),
        ("[default]\nrole_arn = a\nsource_profile = b\n", "has the source_profile `b`, which does not exist"),
        (
            "[default]\nrole_arn = a\nsource_profile = b\n[profile b]\nrole_arn = b\nsource_profile = default\n",
            "the AWS profile `b` has the source_profile `default`, which leads back to it",
        ),
        (
            "[default]\nrole_arn = a\nsource_profile = b\n[profile b]\nregion = eu-west-1\n",
            "the AWS profile `b` has no credentials, and is the source_profile of another",
        ),
        (
            "[default]\nrole_arn = a\ncredential_source = Moon\n",
            "has `credential_source = Moon`, expected Environment,",
        ),
        ("[default]\naws_access_key_id = a\n", "has aws_access_key_id, but no aws_secret_access_key"),
        ("[default]\nsso_session = s\n", "has the sso_session `s`, which does not exist"),
        ("[default]\nlogin_session = s\n", "has login_session, which is not supported"),
        ("[default]\nnothing\n", ".aws/config:2: expected `key = value`"),
    ] {
        let error = Machine::new("http://127.0.0.1:1").config(text).login().await;
        assert!(error.contains(expected), "{error}");
    }
    let error = Machine::new("http://127.0.0.1:1").variable("AWS_PROFILE", "absent").login().await;
    assert!(error.contains("the AWS profile `absent` does not exist"), "{error}");
    // A profile without credentials leaves the search to the next source.
    let error = Machine::new("http://127.0.0.1:1").config("[default]\nregion = eu-west-1\n").login().await;
    assert!(error.starts_with(&format!("cannot log in to {REGISTRY}: no AWS credentials in ")), "{error}");
}

#[tokio::test]
async fn a_profile_that_does_not_exist_is_defined_or_another_one_named() {
    let ecr = ecr_server();
    let keys = format!("aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = {SECRET_KEY}\n");
    let define = "define `[profile absent]` in AWS's configuration file";
    let machine = Machine::new(&ecr.url("")).variable("AWS_PROFILE", "absent");
    let error = machine.login().await;
    assert!(error.contains(&format!(" | {define} | ")), "{error}");
    let machine = machine.config(&format!("[profile work]\n{keys}[other]\n")).file(".aws/credentials", "[build]\n");
    let error = machine.login().await;
    assert!(error.contains(&format!(" | set AWS_PROFILE to one of `build`, `work`, or {define} | ")), "{error}");
    let machine = machine.variable("AWS_PROFILE", "work");
    assert_eq!(machine.login().await, "AWS word");
    let machine = machine.variable("AWS_PROFILE", "absent").config(&format!("[profile absent]\n{keys}"));
    assert_eq!(machine.login().await, "AWS word");
}

/// Returns the file in which `aws sso login` stores a token: `printf my-sso | sha1sum`.
const SSO_CACHE: &str = ".aws/sso/cache/0ad374308c5a4e22f723adf10145eafad7c4031c.json";

const SSO_CONFIG: &str = "[default]\nsso_session = my-sso\nsso_account_id = 123456789012\nsso_role_name = Deploy Role\n\
                          [sso-session my-sso]\nsso_region = eu-west-1\nsso_start_url = https://my.awsapps.com/start\n";

fn sso_token(end: &str) -> Value {
    json!({
        "accessToken": "s3cret-access", "expiresAt": end, "clientId": "client", "clientSecret": "s3cret-client",
        "refreshToken": "s3cret-refresh", "registrationExpiresAt": "2999-01-01T00:00:00Z", "kept": "as it is",
    })
}

#[tokio::test]
async fn sso_sessions_are_used_and_refreshed() {
    for (end, is_refreshed) in [("2999-01-01T00:00:00Z", false), ("2020-01-01T00:00:00UTC", true)] {
        let [ecr, sso] = [ecr_server(), Server::start()];
        let credentials = json!({"roleCredentials": {
            "accessKeyId": "AKIDSSO", "secretAccessKey": SECRET_KEY, "sessionToken": "session", "expiration": 1,
        }});
        sso.answer("/federation/credentials", [json_answer(&credentials)]);
        let refreshed = json!({"accessToken": "s3cret-new", "expiresIn": 3600, "refreshToken": "s3cret-next"});
        sso.answer("/token", [json_answer(&refreshed)]);
        let machine = Machine::new(&ecr.url(""))
            .variable("AWS_ENDPOINT_URL_SSO", &sso.url(""))
            .variable("AWS_ENDPOINT_URL_SSO_OIDC", &sso.url(""))
            .config(SSO_CONFIG)
            .file(SSO_CACHE, &sso_token(end).to_string());
        assert_eq!(machine.login().await, "AWS word");
        assert_eq!(signed_with(&ecr), ("AKIDSSO".to_owned(), Some("session".to_owned())));
        let requests = sso.requests("/federation/credentials?role_name=Deploy+Role&account_id=123456789012");
        let token = if is_refreshed { "s3cret-new" } else { "s3cret-access" };
        assert_eq!(requests[0].header("x-amz-sso_bearer_token"), Some(token));
        assert_eq!(sso.requests("/token").len(), usize::from(is_refreshed));
        let stored: Value = serde_json::from_slice(&fs::read(machine.path(SSO_CACHE)).unwrap()).unwrap();
        assert_eq!(stored["accessToken"], token);
        assert_eq!(stored["refreshToken"], if is_refreshed { "s3cret-next" } else { "s3cret-refresh" });
        assert_eq!(stored["kept"], "as it is");
    }
}

#[tokio::test]
async fn sso_sessions_that_ended_are_errors_with_the_command_to_log_in() {
    let sso = Server::start();
    sso.answer("/federation/credentials", [Answer::status(401).header("Connection", "close")]);
    sso.answer("/token", [Answer::status(400).header("Connection", "close")]);
    let machine = || {
        Machine::new("http://127.0.0.1:1")
            .variable("AWS_ENDPOINT_URL_SSO", &sso.url(""))
            .variable("AWS_ENDPOINT_URL_SSO_OIDC", &sso.url(""))
            .config(SSO_CONFIG)
    };
    for (machine, expected) in [
        (machine(), "does not exist"),
        (machine().file(SSO_CACHE, "{}"), "does not exist"),
        (machine().file(SSO_CACHE, &sso_token("2020-01-01T00:00:00Z").to_string()), "has expired"),
        (machine().file(SSO_CACHE, &sso_token("2999-01-01T00:00:00Z").to_string()), "has expired"),
    ] {
        let error = machine.login().await;
        assert!(error.contains(&format!("the SSO session of the AWS profile `default` {expected}")), "{error}");
        assert!(error.contains("log in with `aws sso login --profile default`"), "{error}");
    }
}

#[tokio::test]
async fn containers_have_an_endpoint_and_a_token() {
    let [ecr, container] = [ecr_server(), Server::start()];
    let credentials = json!({"AccessKeyId": "AKIDTASK", "SecretAccessKey": SECRET_KEY, "Token": "session",
                             "Expiration": "2999-01-01T00:00:00Z", "RoleArn": "arn"});
    container.answer("/get", [json_answer(&credentials)]);
    let machine = Machine::new(&ecr.url(""))
        .variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", &container.url("/get"))
        .variable("AWS_CONTAINER_AUTHORIZATION_TOKEN", "s3cret-variable");
    assert_eq!(machine.login().await, "AWS word");
    assert_eq!(signed_with(&ecr), ("AKIDTASK".to_owned(), Some("session".to_owned())));
    let machine = machine.file("token", "s3cret-file\n");
    let path = machine.path("token").display().to_string();
    let machine = machine.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &path);
    assert_eq!(machine.login().await, "AWS word");
    let sent: Vec<_> =
        container.requests("/get").iter().map(|request| request.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(sent, ["s3cret-variable", "s3cret-file"]);

    container.answer(
        "/get",
        [Answer::status(403).with_body(br#"{"message": "no task role"}"#).header("Connection", "close")],
    );
    let error =
        Machine::new("http://127.0.0.1:1").variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", &container.url("/get"));
    let error = error.login().await;
    assert!(error.contains("the container's credentials endpoint returned 403 Forbidden: no task role"), "{error}");
}

#[tokio::test]
async fn instances_have_a_role_and_demand_a_token() {
    let instance = |roles: Answer| {
        let server = Server::start();
        let credentials = json!({"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "AKIDROLE", "SecretAccessKey": SECRET_KEY,
                                 "Token": "session", "Expiration": "2999-01-01T00:00:00Z"});
        server.answer("/latest/api/token", [Answer::file(b"metadata-token").header("Connection", "close")]);
        server.answer("/latest/meta-data/iam/security-credentials/", [roles.header("Connection", "close")]);
        server.answer("/latest/meta-data/iam/security-credentials/build", [json_answer(&credentials)]);
        server
    };
    let machine = |ecr: &str, instance: &Server| {
        Machine::new(ecr)
            .variable("AWS_EC2_METADATA_DISABLED", "false")
            .variable("AWS_EC2_METADATA_SERVICE_ENDPOINT", &instance.url("/"))
    };
    let (ecr, server) = (ecr_server(), instance(Answer::file(b"build\n")));
    assert_eq!(machine(&ecr.url(""), &server).login().await, "AWS word");
    assert_eq!(signed_with(&ecr), ("AKIDROLE".to_owned(), Some("session".to_owned())));
    assert_eq!(server.requests("/latest/api/token")[0].header("x-aws-ec2-metadata-token-ttl-seconds"), Some("21600"));
    for path in ["", "build"] {
        let requests = server.requests(&format!("/latest/meta-data/iam/security-credentials/{path}"));
        assert_eq!(requests[0].header("x-aws-ec2-metadata-token"), Some("metadata-token"));
    }
    // As the source of an assumed role.
    let sts_server = Server::start();
    sts_server.answer("/", [sts("AssumeRole", "AKIDASSUMED")]);
    let assumed = machine(&ecr.url(""), &server)
        .variable("AWS_ENDPOINT_URL_STS", &sts_server.url(""))
        .config("[default]\nrole_arn = arn:aws:iam::1:role/a\ncredential_source = Ec2InstanceMetadata\n");
    assert_eq!(assumed.login().await, "AWS word");
    assert_eq!(signed_with(&ecr).0, "AKIDASSUMED");

    let without_role = instance(Answer::status(404));
    let error = machine("http://127.0.0.1:1", &without_role).login().await;
    assert!(error.starts_with(&format!("cannot log in to {REGISTRY}: no AWS credentials in ")), "{error}");
}
