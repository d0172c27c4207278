//! Keychains over real folders, files and programs.

use std::error::Error as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;
use crate::hints::Hints;

pub(super) fn basic(username: &str, password: &str) -> RegistryLogin {
    RegistryLogin::Basic { username: username.to_owned(), password: password.to_owned().into() }
}

/// Writes a shell script. Another program does it: were the file open for writing here, a process that another test
/// starts could inherit it, and the script could not be run until that process ends.
pub(super) fn install(folder: &Path, name: &str, script: &str) {
    let mut install = Command::new("install");
    install.args(["-m", "755", "/dev/stdin"]).arg(folder.join(name)).stdin(Stdio::piped());
    let mut install = install.spawn().unwrap();
    install.stdin.take().unwrap().write_all(format!("#!/bin/sh\n{script}\n").as_bytes()).unwrap();
    assert!(install.wait().unwrap().success());
}

/// A home folder, with helpers in `bin`.
struct Home {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        let path = format!("{}:/nowhere", folder.path().join("bin").display());
        Self { folder, variables: vec![("PATH".to_owned(), path)] }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn helper(self, name: &str, script: &str) -> Self {
        install(&self.path("bin"), &format!("docker-credential-{name}"), script);
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn keychain(&self) -> Keychain {
        Keychain::new(KeychainOptions::resolve(self.variables.clone(), Some(self.folder.path())))
    }

    async fn login(&self, registry: &str) -> Result<RegistryLogin, CredentialsError> {
        self.keychain().login(registry, "team/app").await
    }
}

fn entry(key: &str, user: &str) -> String {
    format!(r#"{{"auths": {{"{key}": {{"username": "{user}", "password": "word"}}}}}}"#)
}

const DOCKER: &str = ".docker/config.json";
const PODMAN: &str = ".config/containers/auth.json";
const NOT_FOUND: &str = "echo credentials not found in native keychain; exit 1";

#[tokio::test]
async fn without_any_place_everybody_is_anonymous() {
    let nowhere = Keychain::new(KeychainOptions::default());
    assert_eq!(nowhere.login("quay.io", "team/app").await.unwrap(), RegistryLogin::Anonymous);
    assert_eq!(nowhere.login("public.ecr.aws", "lambda/python").await.unwrap(), RegistryLogin::Anonymous);
    assert_eq!(Home::new().login("quay.io").await.unwrap(), RegistryLogin::Anonymous);
    // What cannot hold a file holds none.
    assert_eq!(Home::new().file(".docker", "").login("quay.io").await.unwrap(), RegistryLogin::Anonymous);
}

#[tokio::test]
async fn the_first_place_wins() {
    let mut home = Home::new().file("podman.json", &entry("quay.io", "podman"));
    let podman = home.path("podman.json");
    home = home.variable("REGISTRY_AUTH_FILE", podman.to_str().unwrap());
    assert_eq!(home.login("quay.io").await.unwrap(), basic("podman", "word"));
    // It stands for podman's other files.
    home = home.file(PODMAN, &entry("gcr.io", "podman"));
    assert_eq!(home.login("gcr.io").await.unwrap(), RegistryLogin::Anonymous);

    home = home.file(DOCKER, &entry("quay.io", "docker"));
    assert_eq!(home.login("quay.io").await.unwrap(), basic("docker", "word"));

    home = home.variable("DOCKER_AUTH_CONFIG", &entry("quay.io", "runner"));
    assert_eq!(home.login("quay.io").await.unwrap(), basic("runner", "word"));
    // What it does not have is looked up in the files.
    let others = home.login("gcr.io").await.unwrap();
    assert_eq!(others, RegistryLogin::Anonymous);

    home = home.variable("PYBUNDLE_REGISTRY_QUAY_IO_USERNAME", "variable");
    home = home.variable("PYBUNDLE_REGISTRY_QUAY_IO_PASSWORD", "s3cret");
    assert_eq!(home.login("quay.io").await.unwrap(), basic("variable", "s3cret"));
    // Then no file is read, not even a broken one.
    home = home.file(DOCKER, "broken");
    assert_eq!(home.login("quay.io").await.unwrap(), basic("variable", "s3cret"));
    assert!(home.login("gcr.io").await.is_err());
}

#[tokio::test]
async fn podmans_runtime_folder_comes_before_its_configuration() {
    let mut home = Home::new().file(PODMAN, &entry("quay.io/team", "configuration"));
    assert_eq!(home.login("quay.io").await.unwrap(), basic("configuration", "word"));
    let runtime = home.path("run");
    home = home.file("run/containers/auth.json", &entry("quay.io", "runtime"));
    home = home.variable("XDG_RUNTIME_DIR", runtime.to_str().unwrap());
    assert_eq!(home.login("quay.io").await.unwrap(), basic("runtime", "word"));
}

#[tokio::test]
async fn variables_are_named_after_the_host() {
    for (name, registry) in [
        ("QUAY_IO", "quay.io"),
        ("QUAY_IO", "Quay.IO"),
        ("LOCALHOST_5000", "localhost:5000"),
        ("MY__REGISTRY_EXAMPLE", "my-registry.example"),
        ("DOCKER_IO", "registry-1.docker.io"),
        ("INDEX_DOCKER_IO", "docker.io"),
        ("123456789012_DKR_ECR_EU__WEST__1_AMAZONAWS_COM", "123456789012.dkr.ecr.eu-west-1.amazonaws.com"),
    ] {
        let home = Home::new()
            .variable(&format!("PYBUNDLE_REGISTRY_{name}_USERNAME"), "user")
            .variable(&format!("PYBUNDLE_REGISTRY_{name}_PASSWORD"), "word");
        assert_eq!(home.login(registry).await.unwrap(), basic("user", "word"), "{registry}");
        assert_eq!(home.login("example.com").await.unwrap(), RegistryLogin::Anonymous);
    }
    // Another host, which may belong to anyone.
    let home = Home::new()
        .variable("PYBUNDLE_REGISTRY_REGISTRY_EXAMPLE_COM_USERNAME", "user")
        .variable("PYBUNDLE_REGISTRY_REGISTRY_EXAMPLE_COM_PASSWORD", "word");
    assert_eq!(home.login("registry.example.com").await.unwrap(), basic("user", "word"));
    assert_eq!(home.login("registry-example.com").await.unwrap(), RegistryLogin::Anonymous);
    let empty = Home::new()
        .variable("PYBUNDLE_REGISTRY_QUAY_IO_USERNAME", "")
        .variable("PYBUNDLE_REGISTRY_QUAY_IO_PASSWORD", "");
    assert_eq!(empty.login("quay.io").await.unwrap(), RegistryLogin::Anonymous);
}

#[tokio::test]
async fn a_helper_comes_before_the_entries_of_its_file() {
    let config =
        |helper: &str| format!(r#"{{"credHelpers": {{"quay.io": "{helper}"}}, {}"#, &entry("quay.io", "entry")[1..]);
    let home = Home::new()
        .helper("knows", r#"echo '{"Username": "helper", "Secret": "word"}'"#)
        .helper("knows-nothing", NOT_FOUND)
        .file(DOCKER, &config("knows"));
    assert_eq!(home.login("quay.io").await.unwrap(), basic("helper", "word"));
    let home = home.file(DOCKER, &config("knows-nothing"));
    assert_eq!(home.login("quay.io").await.unwrap(), basic("entry", "word"));
    let home = home.file(DOCKER, r#"{"credsStore": "knows-nothing"}"#).file(PODMAN, &entry("quay.io", "podman"));
    assert_eq!(home.login("quay.io").await.unwrap(), basic("podman", "word"));
    assert_eq!(home.login("gcr.io").await.unwrap(), RegistryLogin::Anonymous);
}

#[tokio::test]
async fn files_are_read_and_helpers_asked_once() {
    let home = Home::new().file(DOCKER, r#"{"credsStore": "counts"}"#);
    let calls = home.path("calls");
    let home = home.helper("counts", &format!("echo call >>'{}'; {NOT_FOUND}", calls.display()));
    let keychain = home.keychain();
    let [one, two, three, four] = ["a", "b/c", "a", "d"].map(|repository| keychain.login("quay.io", repository));
    let (one, two, three) = tokio::join!(one, two, three);
    fs::remove_file(home.path(DOCKER)).unwrap();
    for login in [one, two, three, four.await] {
        assert_eq!(login.unwrap(), RegistryLogin::Anonymous);
    }
    assert_eq!(fs::read_to_string(calls).unwrap(), "call\n");
}

#[tokio::test]
async fn given_logins_are_all_that_a_fixed_keychain_knows() {
    let keychain = Keychain::fixed([
        ("localhost:5000".to_owned(), basic("user", "s3cret")),
        ("docker.io".to_owned(), RegistryLogin::IdentityToken("s3cret".to_owned().into())),
    ]);
    assert_eq!(keychain.login("localhost:5000", "a").await.unwrap(), basic("user", "s3cret"));
    assert!(matches!(keychain.login("registry-1.docker.io", "a").await.unwrap(), RegistryLogin::IdentityToken(_)));
    let unknown = keychain.login("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "a").await.unwrap();
    assert_eq!(unknown, RegistryLogin::Anonymous);
    assert!(!format!("{keychain:?}").contains("s3cret"));
}

/// Returns all that a user or a developer may see of an error.
fn all_of(error: &CredentialsError) -> String {
    let causes = std::iter::successors(error.source(), |cause| (**cause).source()).map(ToString::to_string);
    let causes: Vec<String> = causes.collect();
    format!("{error}\n{}\n{error:?}\n{}", causes.join("\n"), error.hints().join("\n"))
}

#[tokio::test]
async fn broken_files_are_named_with_the_place_and_without_their_content() {
    const NO_JSON: &str = "invalid JSON";
    const OTHER_KIND: &str = "unexpected type of value in Docker's configuration";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/invalid/credentials");
    let table = [
        ("auth-not-base64", ": the entry for quay.io is invalid: `auth` is not base64".to_owned()),
        ("auth-not-utf-8", ": the entry for quay.io is invalid: `auth` is not UTF-8 in base64".to_owned()),
        (
            "auth-without-colon",
            ": the entry for quay.io is invalid: `auth` is not `user:password` in base64".to_owned(),
        ),
        ("auth-without-user", ": the entry for quay.io is invalid: `auth` is not `user:password` in base64".to_owned()),
        ("auths-is-text", format!(":1:18: {OTHER_KIND}")),
        ("byte-order-mark", format!(":1:1: {NO_JSON}")),
        ("comma", format!(":3:44: {NO_JSON}")),
        ("cut-off", ":4:0: unexpected end of file in a JSON value".to_owned()),
        ("entry-is-text", format!(":3:23: {OTHER_KIND}")),
        ("helper-is-object", format!(":1:28: {OTHER_KIND}")),
        ("list", format!(":1:9: {OTHER_KIND}")),
        ("more-after-the-end", format!(":1:48: {NO_JSON}")),
        ("not-utf-8", format!(":1:43: {NO_JSON}")),
        ("password-is-list", format!(":3:28: {OTHER_KIND}")),
        ("yaml", format!(":1:1: {NO_JSON}")),
    ];
    let count = fs::read_dir(&folder).unwrap().count();
    assert_eq!(count, table.len(), "each file of {} is in the table", folder.display());
    for (name, expected) in table {
        let path = folder.join(format!("{name}.json"));
        let home = Home::new().variable("REGISTRY_AUTH_FILE", path.to_str().unwrap());
        let error = home.login("quay.io").await.unwrap_err();
        assert_eq!(error.to_string(), format!("{}{expected}", path.display()));
        let all = all_of(&error);
        assert!(!all.contains("s3cret") && !all.contains("czNjcmV0") && !all.contains("user:s"), "{name}: {all}");
    }
}

#[tokio::test]
async fn errors_say_where_and_what_to_do_and_hold_no_secret() {
    let failing = Home::new().helper("fails", "echo s3cret; echo locked >&2; exit 1");
    let failing = failing.file(DOCKER, r#"{"credsStore": "fails", "auths": {"quay.io": {"password": "s3cret"}}}"#);
    let unreadable = Home::new();
    fs::create_dir_all(unreadable.path(DOCKER)).unwrap();
    for (home, message, hint) in [
        (
            failing,
            "cannot get the credentials for quay.io from the helper configured in ",
            "docker-credential-fails get` and enter",
        ),
        (
            Home::new().file(DOCKER, r#"{"credHelpers": {"quay.io": "absent"}}"#),
            "cannot get the credentials for quay.io from the helper configured in ",
            "install docker-credential-absent",
        ),
        (
            Home::new().variable("PYBUNDLE_REGISTRY_QUAY_IO_PASSWORD", "s3cret"),
            "PYBUNDLE_REGISTRY_QUAY_IO_PASSWORD is set, but PYBUNDLE_REGISTRY_QUAY_IO_USERNAME is not",
            "set PYBUNDLE_REGISTRY_QUAY_IO_USERNAME too",
        ),
        (
            Home::new().variable("PYBUNDLE_REGISTRY_QUAY_IO_USERNAME", "user"),
            "PYBUNDLE_REGISTRY_QUAY_IO_USERNAME is set, but PYBUNDLE_REGISTRY_QUAY_IO_PASSWORD is not",
            "or unset PYBUNDLE_REGISTRY_QUAY_IO_USERNAME",
        ),
        (unreadable, "cannot read the credentials in ", ""),
    ] {
        let error = home.login("quay.io").await.unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.hints().join("\n").contains(hint), "{:?}", error.hints());
        assert!(!all_of(&error).contains("s3cret"), "{}", all_of(&error));
    }
}

#[tokio::test]
async fn a_malformed_variable_is_named_without_its_content() {
    let home = Home::new().variable("DOCKER_AUTH_CONFIG", "{\"auths\": s3cret}");
    let error = home.login("quay.io").await.unwrap_err().to_string();
    assert_eq!(error, "DOCKER_AUTH_CONFIG:1:11: invalid JSON");
}

#[test]
fn secrets_are_not_printed() {
    let secret = Secret::from("s3cret".to_owned());
    assert_eq!(secret.reveal(), "s3cret");
    let options = KeychainOptions::resolve([("PYBUNDLE_REGISTRY_HOST_PASSWORD".to_owned(), "s3cret".to_owned())], None);
    let all = [
        format!("{secret} {secret:?} {secret:#?}"),
        format!("{:?} {:?}", basic("user", "s3cret"), RegistryLogin::IdentityToken(secret)),
        format!("{options:?} {:?}", Keychain::new(options.clone())),
    ];
    assert!(all.iter().all(|text| !text.contains("s3cret")), "{all:?}");
}
