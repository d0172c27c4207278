//! Requirements from an index that needs a password: pypiserver with an htpasswd file.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::support::artifact::sha256;
use crate::support::command::{fail, pybundle, repository, succeed, tool};

const USER: &str = "ann";
const PASSWORD: &str = "s3cret/pass";

/// A running index.
pub struct Index {
    server: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Index {
    /// Starts an index that requires the user's password.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let passwords = folder.path().join("htpasswd");
        let mut htpasswd = Command::new("htpasswd");
        htpasswd.args(["-bBc", passwords.to_str().unwrap(), USER, PASSWORD]).stderr(Stdio::null());
        let made =
            htpasswd.status().unwrap_or_else(|error| panic!("htpasswd is missing: run scripts/setup-tests ({error})"));
        assert!(made.success());
        let arguments = ["-a", "update,download,list", "-P", passwords.to_str().unwrap()];
        Self::serve(&repository().join("testdata/example/index"), folder, &arguments)
    }

    /// Starts an index of the wheels that are in a directory at the time of each request, without a password.
    pub fn of(wheels: &Path) -> Self {
        Self::serve(wheels, tempfile::tempdir().unwrap(), &["-a", ".", "-P", "."])
    }

    fn serve(wheels: &Path, folder: tempfile::TempDir, arguments: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(tool("pypi-server"));
        command.args(["run", "-i", "127.0.0.1", "-p", &port.to_string()]).args(arguments).arg(wheels);
        let mut server = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(server.stderr.take().unwrap()).lines().map_while(Result::ok);
        lines.find(|line| line.starts_with("Listening")).expect("pypi-server tells when it listens");
        // It logs every request, so the pipe must not be closed.
        thread::spawn(move || lines.for_each(drop));
        Self { server, port, folder }
    }

    /// Returns the URL of the simple API; `login` ends with `@` unless it is empty.
    pub fn url(&self, login: &str) -> String {
        format!("http://{login}127.0.0.1:{}/simple", self.port)
    }

    /// Writes a file beside the htpasswd file.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Creates a project with options in its requirements file.
fn project(folder: &Path, options: &str) {
    fs::create_dir_all(folder).unwrap();
    let pinned = "example-tally==2.0.0\nexample-greeting==1.2.0\nexample-banner==0.3.1\n";
    fs::write(folder.join("requirements.txt"), format!("{options}\n{pinned}")).unwrap();
    fs::write(folder.join("app.py"), "def handler(event, context):\n    return event\n").unwrap();
}

/// Builds with its own cache and home directory.
fn build(place: &Path, project: &Path) -> Command {
    let mut command = pybundle(&["lambda", "--runtime", "python3.13", "--handler", "app.handler", "--output"]);
    command.arg(place.join("function.zip")).arg(project);
    command.env("PYBUNDLE_CACHE_DIR", place.join("cache")).env("HOME", place).env_remove("NETRC");
    command
}

/// Returns the digest of the zip, after checking that no file contains the password.
fn built(place: &Path, output: &str) -> String {
    assert!(!output.contains("s3cret"), "{output}");
    let mut folders = vec![place.join("cache")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = fs::read(&path).unwrap();
                assert!(!bytes.windows(6).any(|window| window == b"s3cret"), "{}", path.display());
            }
        }
    }
    sha256(&fs::read(place.join("function.zip")).unwrap())
}

#[test]
fn every_source_of_credentials_works_and_gives_the_same_zip() {
    let index = Index::start();
    let flat = tempfile::tempdir().unwrap();
    let wheels = repository().join("testdata/example/index");
    project(&flat.path().join("app"), &format!("--no-index\n--find-links {}", wheels.display()));
    let expected = built(flat.path(), &succeed(&mut build(flat.path(), &flat.path().join("app"))));

    let encoded = PASSWORD.replace('/', "%2F");
    let login = format!("{USER}:{encoded}@");
    let netrc = index.write("netrc", &format!("machine 127.0.0.1 login {USER} password {PASSWORD}\n"));
    let keyring =
        index.write("bin/keyring", &format!("#!/bin/sh\n[ \"$1 $3\" = \"get {USER}\" ] && echo '{PASSWORD}'\n"));
    fs::set_permissions(&keyring, fs::Permissions::from_mode(0o755)).unwrap();
    let search_path = format!("{}:{}", keyring.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let plain = index.url("");
    let with_index = format!("--index-url {plain}");
    type Prepare<'a> = &'a dyn Fn(&mut Command) -> &mut Command;
    let poetry = index
        .write("poetry/auth.toml", &format!("[http-basic.mine]\nusername = \"{USER}\"\npassword = '{PASSWORD}'\n"));
    let uv_store = index.folder.path().join("uv");
    succeed(
        Command::new("uv")
            .args(["auth", "login", "--quiet", &plain, "--username", USER, "--password", PASSWORD])
            .env("UV_CREDENTIALS_DIR", &uv_store),
    );
    let cases: [(&str, &str, Prepare); 9] = [
        ("a flag", "", &|command| command.args(["--index-url", &index.url(&login)])),
        ("a further index", "", &|command| command.args(["--extra-index-url", &index.url(&login)])),
        ("uv's variable", "", &|command| command.env("UV_DEFAULT_INDEX", index.url(&login))),
        ("a named index", "", &|command| {
            let named = command.env("UV_INDEX", format!("mine={plain}")).env("UV_INDEX_MINE_USERNAME", USER);
            named.env("UV_INDEX_MINE_PASSWORD", PASSWORD)
        }),
        ("a variable in the file", "--index-url http://${LOGIN}@${PLACE}", &|command| {
            let place = plain.trim_start_matches("http://");
            command.env("LOGIN", format!("{USER}:{encoded}")).env("PLACE", place)
        }),
        (".netrc", &with_index, &|command| command.env("NETRC", &netrc)),
        ("Poetry's auth.toml", "", &|command| {
            command.env("UV_INDEX", format!("mine={plain}")).env("POETRY_CONFIG_DIR", poetry.parent().unwrap())
        }),
        ("what `uv auth login` stores", &with_index, &|command| command.env("UV_CREDENTIALS_DIR", &uv_store)),
        ("keyring", "", &|command| {
            let url = index.url(&format!("{USER}@"));
            command.args(["--keyring-provider", "subprocess", "--index-url", &url]).env("PATH", &search_path)
        }),
    ];
    for (name, options, prepare) in cases {
        let place = tempfile::tempdir().unwrap();
        let app = place.path().join("app");
        project(&app, options);
        let output = succeed(prepare(&mut build(place.path(), &app)));
        assert_eq!(built(place.path(), &output), expected, "{name}");
        // The cache is enough for the next build.
        succeed(prepare(build(place.path(), &app).arg("--offline")));
    }
}

#[test]
fn a_missing_password_is_reported() {
    let index = Index::start();
    let place = tempfile::tempdir().unwrap();
    let app = place.path().join("app");
    for (login, said, hint) in [
        ("", "401 Unauthorized", "UV_INDEX_"),
        ("ann:wr0ng@", "403 Forbidden for the credentials that were sent", "check the username and the password"),
    ] {
        project(&app, &format!("--index-url {}", index.url(login)));
        let message = fail(&mut build(place.path(), &app));
        assert!(message.contains(said) && message.contains(hint) && !message.contains("wr0ng"), "{message}");
        assert!(!place.path().join("function.zip").exists());
    }
}

#[test]
fn the_hint_about_a_missing_password_names_what_helps() {
    let index = Index::start();
    let place = tempfile::tempdir().unwrap();
    let app = place.path().join("app");
    project(&app, "");
    let pyproject =
        format!("[[tool.uv.index]]\nname = \"corp-1.mirror\"\nurl = \"{}\"\ndefault = true\n", index.url(""));
    fs::write(app.join("pyproject.toml"), pyproject).unwrap();
    let said = fail(&mut build(place.path(), &app));
    let hint = said.lines().find(|line| line.starts_with("hint: if the index `corp-1.mirror` needs credentials, set "));
    let hint = hint.unwrap_or_else(|| panic!("{said}"));
    assert!(hint.ends_with("_PASSWORD, or add the host to .netrc"), "{hint}");
    let variables: Vec<&str> = hint.split([' ', ',']).filter(|word| word.starts_with("UV_INDEX_")).collect();
    let [user, password] = variables[..] else { panic!("{hint}") };
    succeed(build(place.path(), &app).env(user, USER).env(password, PASSWORD));
    fs::remove_dir_all(place.path().join("cache")).unwrap();
    fs::write(place.path().join(".netrc"), format!("machine 127.0.0.1 login {USER} password {PASSWORD}\n")).unwrap();
    succeed(&mut build(place.path(), &app));
}
