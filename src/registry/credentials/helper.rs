//! Programs that keep credentials: `docker-credential-NAME`.
//!
//! Protocol: [docker login, credential helpers](https://docs.docker.com/reference/cli/docker/login/#credential-helper-protocol).
//! `get` takes the server's address on standard input and answers with a JSON object, or, with another exit status than
//! zero, with a message. That may come on either output; the standard one may hold secrets, so it is never shown.

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

use super::Login;
use super::error::one_line;
use super::file::Question;

/// How long a helper may take. It may ask the user to unlock a key.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// How much a helper may write to each output, in bytes.
const SIZE_LIMIT: u64 = 256 * 1024;

/// What every helper says when it knows nothing of a server.
const NOT_FOUND: &str = "credentials not found in native keychain";

/// The user name that marks a secret as an identity token.
const TOKEN_USERNAME: &str = "<token>";

/// Why a helper gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum HelperFault {
    /// Its name is a path, or empty.
    #[error("the helper's name {name:?} is not a plain file name")]
    Name {
        /// The name after `docker-credential-`.
        name: String,
    },
    /// It is not on the search path.
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
    /// It took too long, and was killed.
    #[error("{} gave no answer within {} seconds", program.display(), limit.as_secs())]
    TimedOut {
        /// The program's path.
        program: PathBuf,
        /// How long it was waited for.
        limit: Duration,
    },
    /// It failed.
    #[error("{} failed ({status}){}", program.display(), after_colon(message))]
    Failed {
        /// The program's path.
        program: PathBuf,
        /// How it ended, for instance `exit status: 1`.
        status: ExitStatus,
        /// What it wrote to standard error, cut to a line.
        message: String,
    },
    /// It answered with something else than its protocol has.
    #[error("the answer of {} is not the JSON object that a credential helper gives", program.display())]
    Answer {
        /// The program's path.
        program: PathBuf,
    },
}

fn after_colon(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

impl HelperFault {
    /// Returns what the user may do about it.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Missing { program } => {
                vec![format!("install {program}, or take it out of `credsStore` or `credHelpers`")]
            }
            Self::Failed { program, .. } => {
                vec![format!("`{} get` tells more; it reads the registry's name from standard input", program.display())]
            }
            Self::TimedOut { .. } => vec!["unlock the keychain or the key that the helper waits for".to_owned()],
            Self::Name { .. } | Self::Run { .. } | Self::Answer { .. } => Vec::new(),
        }
    }
}

/// The helpers that can be run, and what they answered. A failure is an answer: nobody wants to be asked twice.
pub(super) struct Helpers {
    search_path: String,
    time_limit: Duration,
    answers: Mutex<BTreeMap<(String, String), Arc<OnceCell<Answer>>>>,
}

type Answer = Result<Option<Login>, Arc<HelperFault>>;

impl Helpers {
    /// Returns the helpers on a search path, the value of `PATH`.
    pub fn new(search_path: String) -> Self {
        Self { search_path, time_limit: TIME_LIMIT, answers: Mutex::default() }
    }

    /// Asks a helper, once for all who ask the same at any time.
    pub async fn ask(&self, question: &Question<'_>) -> Answer {
        let key = (question.helper.to_owned(), question.server.to_owned());
        let answer = Arc::clone(self.answers.lock().await.entry(key).or_default());
        answer.get_or_init(async || self.get(question).await.map_err(Arc::new)).await.clone()
    }

    async fn get(&self, question: &Question<'_>) -> Result<Option<Login>, HelperFault> {
        let program = self.find(question.helper)?;
        let output = match tokio::time::timeout(self.time_limit, run(&program, question.server)).await {
            Ok(Ok(output)) => output,
            Ok(Err(source)) => return Err(HelperFault::Run { program, source }),
            Err(_) => return Err(HelperFault::TimedOut { program, limit: self.time_limit }),
        };
        if output.status.success() {
            return parse(&output.stdout).ok_or(HelperFault::Answer { program });
        }
        if [&output.stdout, &output.stderr].into_iter().any(|text| text.trim_ascii() == NOT_FOUND.as_bytes()) {
            return Ok(None);
        }
        let message = one_line(&String::from_utf8_lossy(&output.stderr));
        Err(HelperFault::Failed { program, status: output.status, message })
    }

    /// Finds a helper, as a shell would; but never in a folder that depends on where the user stands.
    fn find(&self, name: &str) -> Result<PathBuf, HelperFault> {
        if name.is_empty() || name.chars().any(|character| character == '/' || character.is_control()) {
            return Err(HelperFault::Name { name: name.to_owned() });
        }
        let program = format!("docker-credential-{name}");
        let is_program = |path: &PathBuf| {
            path.is_absolute()
                && path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
        };
        std::env::split_paths(&self.search_path)
            .map(|folder| folder.join(&program))
            .find(is_program)
            .ok_or(HelperFault::Missing { program })
    }
}

struct Output {
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// Runs `get`. The program is killed if nobody waits for its end any more.
async fn run(program: &Path, server: &str) -> io::Result<Output> {
    let mut command = Command::new(program);
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let ask = async {
        if let Some(mut stdin) = stdin {
            // A program that does not care for the question may have ended already; its answer tells.
            let _ = stdin.write_all(server.as_bytes()).await;
        }
        Ok(())
    };
    let ((), stdout, stderr, status) = tokio::try_join!(ask, read(stdout), read(stderr), child.wait())?;
    Ok(Output { status, stdout, stderr })
}

async fn read(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(SIZE_LIMIT).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// Parses the answer to `get`: outside of it nothing is known, inside of it nothing may be there.
fn parse(answer: &[u8]) -> Option<Option<Login>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Credentials {
        username: String,
        secret: String,
    }
    let Credentials { username, secret } = serde_json::from_slice(answer).ok()?;
    Some(match username.as_str() {
        "" if secret.is_empty() => None,
        TOKEN_USERNAME => Some(Login::IdentityToken(secret.into())),
        _ => Some(Login::Basic { username, password: secret.into() }),
    })
}
