//! How long servers may be silent: after a second progress shows what is waited for, after ten the user is told, and after a
//! limit it is an error.
//!
//! A server is silent while nothing arrives from it, and none of its uploads progresses, although a request waits. Pauses
//! between attempts count, too: to the user it is one wait.

use std::collections::BTreeMap;
use std::pin::pin;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::hints::Hints;
use crate::report::{Reporter, RunningTask, Task, TaskKind};

/// The interval at which waiting requests are checked.
const TICK: Duration = Duration::from_millis(100);

/// A shorter silence is not worth showing.
const SHORTEST_SHOWN: Duration = Duration::from_secs(1);

/// A silence during which no request waited for this long is over: longer than any pause between attempts.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// How long servers may be silent, over all attempts at a request: a positive number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkTimeout(Duration);

impl Default for NetworkTimeout {
    fn default() -> Self {
        Self(Duration::from_secs(120))
    }
}

/// A text that is not a timeout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a number of seconds from 1 to 86400")]
pub struct InvalidTimeout;

impl FromStr for NetworkTimeout {
    type Err = InvalidTimeout;

    fn from_str(text: &str) -> Result<Self, InvalidTimeout> {
        let seconds = text.parse().ok().filter(|seconds| (1..=86_400).contains(seconds));
        seconds.map(|seconds| Self(Duration::from_secs(seconds))).ok_or(InvalidTimeout)
    }
}

/// The limits of one kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SilenceLimits {
    /// When the user is told what is waited for.
    pub notice: Duration,
    /// When a request is repeated on another connection, which may reach a server that works.
    pub request: Duration,
    /// When the server is given up.
    pub total: Duration,
}

impl SilenceLimits {
    const NOTICE: Duration = Duration::from_secs(10);

    /// Returns the limits for indexes, and for servers that files are downloaded from.
    pub fn of_index(NetworkTimeout(total): NetworkTimeout) -> Self {
        Self { notice: Self::NOTICE, request: total / 4, total }
    }

    /// Returns the limits for registries, some of which respond only after they have stored a large blob.
    pub fn of_registry(NetworkTimeout(total): NetworkTimeout) -> Self {
        Self { notice: Self::NOTICE, request: total * 3 / 4, total }
    }
}

/// A server was silent for too long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", if *.is_final {
    format!("{server} did not answer for {} s", .limit.as_secs())
} else {
    format!("the connection to {server} stalled for {} seconds", .limit.as_secs())
})]
pub struct TooSilent {
    /// The server, with its port.
    pub server: String,
    /// The limit, for one attempt or for all of them.
    pub limit: Duration,
    /// Whether all attempts together took too long, so that another one is useless.
    pub is_final: bool,
}

impl Hints for TooSilent {
    fn hints(&self) -> Vec<String> {
        if !self.is_final {
            return vec!["try again later".to_owned()];
        }
        let longer = self.limit.as_secs().max(1) * 5;
        vec![format!(
            "check that the server can be reached; to wait longer, add --network-timeout {longer} or set PYBUNDLE_NETWORK_TIMEOUT={longer}"
        )]
    }
}

/// What is known about the silence of servers. Requests wait with [`wait`](Self::wait), on any thread.
#[derive(Debug, Default)]
pub(crate) struct SilenceWatch(Mutex<BTreeMap<String, ServerState>>);

#[derive(Debug)]
struct ServerState {
    /// When it last sent or took something.
    heard: Option<Instant>,
    /// When the present silence began.
    silent: Option<Instant>,
    /// When a request last waited in silence.
    checked: Instant,
    is_told: bool,
}

impl SilenceWatch {
    /// Waits for a server, for as long as it makes `progress`, a number that grows.
    ///
    /// # Errors
    /// The server is silent for longer than the limits.
    pub(crate) async fn wait<T, E>(
        &self,
        server: &str,
        limits: SilenceLimits,
        answer: impl Future<Output = Result<T, E>>,
        mut progress: impl FnMut() -> u64,
    ) -> Result<Result<T, E>, TooSilent> {
        let (mut answer, mut moved, mut done) = (pin!(answer), Instant::now(), progress());
        loop {
            if let Ok(answer) = tokio::time::timeout(TICK, &mut answer).await {
                if answer.is_ok() {
                    self.hear(server);
                }
                return Ok(answer);
            }
            let before = std::mem::replace(&mut done, progress());
            if done > before {
                moved = Instant::now();
                self.hear(server);
            } else {
                self.check(server, limits, moved)?;
            }
        }
    }

    /// Ends the silence of a server.
    fn hear(&self, server: &str) {
        let mut servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some(state) = servers.get_mut(server) {
            (state.heard, state.silent, state.is_told) = (Some(now), None, false);
        } else {
            let state = ServerState { heard: Some(now), silent: None, checked: now, is_told: false };
            servers.insert(server.to_owned(), state);
        }
    }

    /// Notes that a request has waited in vain since `moved`.
    fn check(&self, server: &str, limits: SilenceLimits, moved: Instant) -> Result<(), TooSilent> {
        let mut servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let state = servers.entry(server.to_owned()).or_insert_with(|| ServerState {
            heard: None,
            silent: None,
            checked: now,
            is_told: false,
        });
        if now - state.checked > FORGOTTEN {
            state.silent = None;
        }
        state.checked = now;
        let silent = *state.silent.get_or_insert(state.heard.map_or(moved, |heard| heard.max(moved)));
        if now - silent >= limits.total {
            Err(TooSilent { server: server.to_owned(), limit: limits.total, is_final: true })
        } else if now - moved >= limits.request {
            Err(TooSilent { server: server.to_owned(), limit: limits.request, is_final: false })
        } else {
            Ok(())
        }
    }

    /// Runs requests, shows which servers are waited for, and tells once about each silence of a server.
    pub(crate) async fn attend<T>(
        &self,
        limits: SilenceLimits,
        reporter: &dyn Reporter,
        run: impl Future<Output = T>,
    ) -> T {
        let (mut run, mut waits) = (pin!(run), BTreeMap::<String, RunningTask>::new());
        loop {
            if let Ok(output) = tokio::time::timeout(TICK, &mut run).await {
                return output;
            }
            let silent = self.silent();
            for (_, answered) in waits.extract_if(.., |server, _| !silent.contains_key(server)) {
                answered.finish();
            }
            for (server, since) in silent {
                let task = Task::new(TaskKind::Wait, &server);
                waits.entry(server).or_insert_with(|| RunningTask::since(reporter, task, since));
            }
            for server in self.untold(limits.notice) {
                reporter.note(&format!("waiting for {server}: no answer for {} s", limits.notice.as_secs()));
            }
        }
    }

    /// Returns the servers that are waited for, and since when.
    fn silent(&self) -> BTreeMap<String, Instant> {
        let servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = servers.iter().filter(|(_, state)| state.checked.elapsed() < 10 * TICK);
        let silent = waiting.filter_map(|(server, state)| Some((server.clone(), state.silent?)));
        silent.filter(|(_, since)| since.elapsed() >= SHORTEST_SHOWN).collect()
    }

    /// Returns the servers whose silence the user should know of, each once.
    fn untold(&self, notice: Duration) -> Vec<String> {
        let mut servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut untold = Vec::new();
        for (server, state) in servers.iter_mut().filter(|(_, state)| !state.is_told) {
            let silence = state.silent.map(|silent| silent.elapsed()).unwrap_or_default();
            if silence >= notice && state.checked.elapsed() < 10 * TICK {
                state.is_told = true;
                untold.push(server.clone());
            }
        }
        untold
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::pending;

    use super::*;
    use crate::report::Phase;

    const LIMITS: SilenceLimits = SilenceLimits {
        notice: Duration::from_millis(150),
        request: Duration::from_millis(400),
        total: Duration::from_millis(1000),
    };

    /// Collects notes.
    #[derive(Default)]
    struct Notes(Mutex<Vec<String>>);

    impl Reporter for Notes {
        fn start(&self, _: Phase, _: u64) {}
        fn advance(&self, _: Phase, _: u64) {}
        fn finish(&self, _: Phase) {}
        fn warn(&self, _: &str) {}
        fn note(&self, message: &str) {
            self.0.lock().unwrap().push(message.to_owned());
        }
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    #[test]
    fn the_attempts_at_one_request_share_the_limit() {
        let (watch, notes, began) = (SilenceWatch::default(), Notes::default(), Instant::now());
        let attempts = run(watch.attend(LIMITS, &notes, async {
            let mut attempts = Vec::new();
            while attempts.last().is_none_or(|attempt: &TooSilent| !attempt.is_final) {
                let answer = pending::<Result<(), Infallible>>();
                attempts.push(watch.wait("host", LIMITS, answer, || 0).await.unwrap_err());
            }
            attempts
        }));
        assert_eq!(attempts.iter().map(|attempt| attempt.limit).collect::<Vec<_>>()[..2], [LIMITS.request; 2]);
        assert_eq!((attempts.len(), attempts[2].limit), (3, LIMITS.total));
        assert!(began.elapsed() >= LIMITS.total && began.elapsed() < 3 * LIMITS.total, "{:?}", began.elapsed());
        // One line, whatever the number of attempts.
        assert_eq!(*notes.0.lock().unwrap(), ["waiting for host: no answer for 0 s"]);
    }

    #[test]
    fn a_server_that_takes_bytes_is_not_silent() {
        let (watch, notes, began) = (SilenceWatch::default(), Notes::default(), Instant::now());
        let answer = async {
            tokio::time::sleep(2 * LIMITS.total).await;
            Ok::<_, Infallible>("done")
        };
        let waited = watch.wait("host", LIMITS, answer, || began.elapsed().as_millis() as u64);
        assert_eq!(run(watch.attend(LIMITS, &notes, waited)), Ok(Ok("done")));
        assert!(notes.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_timeout_is_a_number_of_seconds() {
        assert_eq!("5".parse(), Ok(NetworkTimeout(Duration::from_secs(5))));
        for text in ["", "0", "-1", "1.5", "10s", "86401"] {
            assert_eq!(text.parse::<NetworkTimeout>(), Err(InvalidTimeout), "{text}");
        }
    }

    #[test]
    fn the_limits_of_one_request_leave_time_for_another() {
        let (index, registry) = (SilenceLimits::of_index, SilenceLimits::of_registry);
        for (limits, request) in [(index(NetworkTimeout::default()), 30), (registry(NetworkTimeout::default()), 90)] {
            assert_eq!((limits.notice.as_secs(), limits.request.as_secs(), limits.total.as_secs()), (10, request, 120));
        }
    }
}
