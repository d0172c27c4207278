//! Credential helpers: programs named `docker-credential-NAME`.
//!
//! Protocol: [docker login, credential helpers](https://docs.docker.com/reference/cli/docker/login/#credential-helper-protocol).
//! `get` reads the server's address from standard input and prints a JSON object, or fails with a message. Helpers print
//! the message to either output; standard output may contain secrets, so it is never shown.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::sync::{Mutex, OnceCell};

use super::RegistryLogin;
use super::file::HelperQuery;
use crate::hints::Hints;
use crate::redact::one_line;

/// The time limit of a helper, which may ask the user to unlock a key.
const LONGEST_RUN: Duration = Duration::from_secs(30);

/// The most that is read from each output, in bytes.
const LARGEST_ANSWER: u64 = 256 * 1024;

/// What every helper prints for a server that it has no credentials for.
const NOT_FOUND: &str = "credentials not found in native keychain";

/// The user name that marks a secret as an identity token.
const TOKEN_USERNAME: &str = "<token>";

/// Why a credential helper failed.
#[derive(Debug, thiserror::Error)]
pub enum HelperError {
    /// The name is a path, or empty.
    #[error("the credential helper name {name:?} is not a plain file name")]
    Name {
        /// The name after `docker-credential-`.
        name: String,
    },
    /// It is not on `PATH`.
    #[error("{program} is not on PATH")]
    Missing {
        /// The program's name.
        program: String,
    },
    /// It cannot be run.
    #[error("cannot run {}", program.display())]
    Run {
        /// The program's path.
        program: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// It exceeded the time limit, and was killed.
    #[error("{} did not respond within {} seconds", program.display(), limit.as_secs())]
    TimedOut {
        /// The program's path.
        program: PathBuf,
        /// The limit.
        limit: Duration,
    },
    /// It failed.
    #[error("{} failed ({status}){}", program.display(), after_colon(message))]
    Failed {
        /// The program's path.
        program: PathBuf,
        /// How it ended, for instance `exit status: 1`.
        status: ExitStatus,
        /// Its standard error, as one line.
        message: String,
    },
    /// Its output does not follow the protocol.
    #[error("the output of {} is not the JSON object of a credential helper", program.display())]
    InvalidOutput {
        /// The program's path.
        program: PathBuf,
    },
}

fn after_colon(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

impl Hints for HelperError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Missing { program } => {
                vec![format!("install {program}, or remove it from `credsStore` or `credHelpers`")]
            }
            Self::Failed { program, .. } => {
                vec![format!("for details, run `{} get` and enter the name of the registry", program.display())]
            }
            Self::TimedOut { .. } => vec!["unlock the keychain or the key that the helper waits for".to_owned()],
            Self::Name { .. } | Self::Run { .. } | Self::InvalidOutput { .. } => Vec::new(),
        }
    }
}

/// Runs helpers, and caches their results. A failure is cached too: a helper may have asked the user.
pub(super) struct Helpers {
    search_path: String,
    time_limit: Duration,
    /// By helper and server.
    results: Mutex<BTreeMap<(String, String), Arc<HelperCell>>>,
}

type HelperResult = Result<Option<RegistryLogin>, Arc<HelperError>>;

/// A result that is available, or on its way.
type HelperCell = OnceCell<HelperResult>;

impl Helpers {
    /// `search_path` has the format of `PATH`.
    pub(super) fn new(search_path: String) -> Self {
        Self { search_path, time_limit: LONGEST_RUN, results: Mutex::default() }
    }

    /// Runs a helper, once for equal queries, also for concurrent ones.
    pub(super) async fn ask(&self, question: &HelperQuery<'_>) -> HelperResult {
        let key = (question.helper.to_owned(), question.server.to_owned());
        let cell = Arc::clone(self.results.lock().await.entry(key).or_default());
        cell.get_or_init(async || self.get(question).await.map_err(Arc::new)).await.clone()
    }

    async fn get(&self, question: &HelperQuery<'_>) -> Result<Option<RegistryLogin>, HelperError> {
        let program = self.find(question.helper)?;
        let output = match tokio::time::timeout(self.time_limit, run(&program, question.server)).await {
            Ok(Ok(output)) => output,
            Ok(Err(source)) => return Err(HelperError::Run { program, source }),
            Err(_) => return Err(HelperError::TimedOut { program, limit: self.time_limit }),
        };
        if output.status.success() {
            return parse(&output.stdout).ok_or(HelperError::InvalidOutput { program });
        }
        if [&output.stdout, &output.stderr].into_iter().any(|text| text.trim_ascii() == NOT_FOUND.as_bytes()) {
            return Ok(None);
        }
        let message = one_line(&String::from_utf8_lossy(&output.stderr));
        Err(HelperError::Failed { program, status: output.status, message })
    }

    /// Finds a helper on the search path, except in relative directories: the working directory may be anybody's.
    fn find(&self, name: &str) -> Result<PathBuf, HelperError> {
        if name.is_empty() || name.chars().any(|character| character == '/' || character.is_control()) {
            return Err(HelperError::Name { name: name.to_owned() });
        }
        let program = format!("docker-credential-{name}");
        std::env::split_paths(&self.search_path)
            .map(|directory| directory.join(&program))
            .find(|path| path.is_absolute() && is_executable(path))
            .ok_or(HelperError::Missing { program })
    }
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

struct HelperOutput {
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// Runs `get`. The program is killed when the future is dropped.
async fn run(program: &Path, server: &str) -> io::Result<HelperOutput> {
    let mut command = Command::new(program);
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let ask = async {
        if let Some(mut stdin) = stdin {
            // A program that ignores its input may have exited already.
            let _ = stdin.write_all(server.as_bytes()).await;
        }
        Ok(())
    };
    let ((), stdout, stderr, status) = tokio::try_join!(ask, read(stdout), read(stderr), child.wait())?;
    Ok(HelperOutput { status, stdout, stderr })
}

async fn read(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(LARGEST_ANSWER).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// Parses the output of `get`: `None` if it is malformed, `Some(None)` if it has no credentials.
fn parse(answer: &[u8]) -> Option<Option<RegistryLogin>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct HelperCredentials {
        username: String,
        secret: String,
    }
    let HelperCredentials { username, secret } = serde_json::from_slice(answer).ok()?;
    Some(match username.as_str() {
        "" if secret.is_empty() => None,
        TOKEN_USERNAME => Some(RegistryLogin::IdentityToken(secret.into())),
        _ => Some(RegistryLogin::Basic { username, password: secret.into() }),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{basic, install};
    use super::*;

    const FOUND: &str = r#"cat >/dev/null; echo '{"ServerURL": "x", "Username": "user", "Secret": "s3cret"}'"#;

    fn helpers(directory: &Path) -> Helpers {
        let search_path = format!("relative:{}:{}", directory.join("absent").display(), directory.display());
        Helpers::new(search_path)
    }

    async fn answer(script: &str) -> HelperResult {
        let directory = tempfile::tempdir().unwrap();
        install(directory.path(), "docker-credential-it", script);
        helpers(directory.path()).ask(&HelperQuery { helper: "it", server: "quay.io" }).await
    }

    #[tokio::test]
    async fn answers_come_in_many_shapes() {
        for (script, login) in [
            (FOUND, Some(basic("user", "s3cret"))),
            (
                r#"echo '{"Username": "<token>", "Secret": "t"}'"#,
                Some(RegistryLogin::IdentityToken("t".to_owned().into())),
            ),
            (r#"echo '{"ServerURL": "", "Username": "", "Secret": ""}'"#, None),
            (r#"printf '{"Username": "%s", "Secret": "a:b"}' "$(cat)-$1""#, Some(basic("quay.io-get", "a:b"))),
            (r#"echo '{"Username": "user", "Secret": "s3cret"}'; echo warning >&2"#, Some(basic("user", "s3cret"))),
            ("echo credentials not found in native keychain; exit 1", None),
            ("echo credentials not found in native keychain >&2; exit 3", None),
        ] {
            assert_eq!(answer(script).await.unwrap(), login, "{script}");
        }
    }

    #[tokio::test]
    async fn faults_name_the_helper_and_show_no_secret() {
        for (script, expected) in [
            ("echo s3cret; exit 1", "docker-credential-it failed (exit status: 1)"),
            ("echo s3cret; echo 'key is\n\tlocked' >&2; exit 2", "failed (exit status: 2): key is locked"),
            ("kill -9 $$", "failed (signal: 9 (SIGKILL))"),
            ("echo s3cret", "the output of "),
            ("true", "is not the JSON object of a credential helper"),
            (r#"echo '{"Username": "user", "Secret": ["s3cret"]}'"#, "is not the JSON object"),
            (r#"echo '{"Username": "user", "password": "s3cret"}'"#, "is not the JSON object"),
            ("exec cat /dev/zero", "docker-credential-it"),
        ] {
            let fault = answer(script).await.unwrap_err();
            let shown = format!("{fault} {fault:?} {:?}", fault.hints());
            assert!(
                fault.to_string().contains(expected) && fault.to_string().contains("docker-credential-it"),
                "{fault}"
            );
            assert!(!shown.contains("s3cret"), "{script}: {shown}");
        }
    }

    #[tokio::test]
    async fn a_helper_that_hangs_is_killed() {
        let directory = tempfile::tempdir().unwrap();
        let pid = directory.path().join("pid");
        install(directory.path(), "docker-credential-it", &format!("echo $$ >'{}'; exec sleep 600", pid.display()));
        let helpers = Helpers { time_limit: Duration::from_secs(3), ..helpers(directory.path()) };
        let fault = helpers.ask(&HelperQuery { helper: "it", server: "quay.io" }).await.unwrap_err();
        assert!(matches!(*fault, HelperError::TimedOut { .. }), "{fault}");
        let process = PathBuf::from(format!("/proc/{}/cmdline", std::fs::read_to_string(pid).unwrap().trim()));
        for _ in 0..100 {
            // A process that was killed, but not yet waited for, has no command line.
            if std::fs::read(&process).unwrap_or_default().is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{} still runs", process.display());
    }

    #[tokio::test]
    async fn a_helper_that_waits_for_a_key_succeeds_after_the_key_is_unlocked() {
        let directory = tempfile::tempdir().unwrap();
        let lock = directory.path().join("lock");
        std::fs::write(&lock, "").unwrap();
        let script = format!("while [ -e '{}' ]; do sleep 0.05; done; {FOUND}", lock.display());
        install(directory.path(), "docker-credential-it", &script);
        let query = HelperQuery { helper: "it", server: "quay.io" };
        let locked = Helpers { time_limit: Duration::from_secs(1), ..helpers(directory.path()) };
        let fault = locked.ask(&query).await.unwrap_err();
        assert_eq!(fault.hints(), ["unlock the keychain or the key that the helper waits for"]);
        std::fs::remove_file(lock).unwrap();
        assert_eq!(helpers(directory.path()).ask(&query).await.unwrap(), Some(basic("user", "s3cret")));
    }

    #[tokio::test]
    async fn names_are_plain_and_programs_are_on_the_search_path() {
        let directory = tempfile::tempdir().unwrap();
        install(directory.path(), "docker-credential-it", FOUND);
        std::fs::write(directory.path().join("docker-credential-text"), FOUND).unwrap();
        std::fs::create_dir(directory.path().join("docker-credential-folder")).unwrap();
        std::fs::create_dir(directory.path().join("docker-credential-x")).unwrap();
        let helpers = helpers(directory.path());
        for (name, expected) in [
            ("", "the credential helper name \"\" is not a plain file name"),
            (
                "x/../docker-credential-it",
                "the credential helper name \"x/../docker-credential-it\" is not a plain file name",
            ),
            ("i\nt", "the credential helper name \"i\\nt\" is not a plain file name"),
            ("text", "docker-credential-text is not on PATH"),
            ("folder", "docker-credential-folder is not on PATH"),
            ("absent", "docker-credential-absent is not on PATH"),
        ] {
            let fault = helpers.ask(&HelperQuery { helper: name, server: "quay.io" }).await.unwrap_err();
            assert_eq!(fault.to_string(), expected);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_helper_is_asked_once_for_each_server() {
        for (end, is_answered) in [(FOUND, true), ("exit 1", false)] {
            let directory = tempfile::tempdir().unwrap();
            let calls = directory.path().join("calls");
            let script = format!("echo call >>'{}'; sleep 0.1; {end}", calls.display());
            install(directory.path(), "docker-credential-it", &script);
            let helpers = helpers(directory.path());
            let [quay, gcr] = ["quay.io", "gcr.io"].map(|server| HelperQuery { helper: "it", server });
            let answers = [&quay, &quay, &gcr, &quay].map(|query| helpers.ask(query));
            let answers = futures_util::future::join_all(answers).await;
            for answer in answers.into_iter().chain([helpers.ask(&quay).await]) {
                assert_eq!(answer.is_ok(), is_answered);
            }
            assert_eq!(std::fs::read_to_string(calls).unwrap().lines().count(), 2, "{end}");
        }
    }
}
