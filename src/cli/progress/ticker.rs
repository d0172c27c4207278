//! Calls a function periodically.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Calls a function periodically in a thread, until it is dropped.
pub(super) struct Ticker {
    /// Dropping it stops the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(super) fn start(interval: Duration, mut act: impl FnMut() + Send + 'static) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                act();
            }
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread only prints: if that panicked, there is nothing to report.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_ticker_ticks_until_it_is_dropped() {
        let (tick, ticked) = mpsc::channel();
        let ticker = Ticker::start(Duration::from_millis(1), move || {
            let _ = tick.send(());
        });
        assert_eq!(ticked.iter().take(3).count(), 3);
        drop(ticker);
        // Its thread is gone, and the sender with it: what was sent comes to an end.
        ticked.iter().for_each(drop);
        assert!(ticked.recv().is_err());
    }

    #[test]
    fn a_dropped_ticker_does_not_wait() {
        let began = Instant::now();
        drop(Ticker::start(Duration::from_secs(3600), || unreachable!("it is dropped long before")));
        assert!(began.elapsed() < Duration::from_secs(60));
    }
}
