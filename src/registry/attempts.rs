//! Repeating requests that failed.

use super::request_error::RequestError;
use super::{RegistryAction, RegistryError};
use crate::retry::RetryPolicy;

/// The attempts at one operation.
pub(super) struct AttemptCounter {
    retry: RetryPolicy,
    /// All attempts that failed.
    made: u32,
    /// The failures since there was progress.
    failures: u32,
    /// The failures with altered bytes.
    altered: u32,
}

/// The last attempt failed.
pub(super) struct FailedAttempts {
    attempts: u32,
    pub error: RequestError,
}

impl FailedAttempts {
    /// Returns the failure of an operation that another attempt does not help.
    pub(super) fn once(error: RequestError) -> Self {
        Self { attempts: 1, error }
    }

    /// Adds the operation that was attempted.
    pub(super) fn of(self, action: RegistryAction) -> RegistryError {
        RegistryError::Failed { action: Box::new(action), attempts: self.attempts, source: Box::new(self.error) }
    }
}

impl AttemptCounter {
    pub(super) fn new(retry: RetryPolicy) -> Self {
        Self { retry, made: 0, failures: 0, altered: 0 }
    }

    /// Starts to count failures anew, after progress.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Waits before the next attempt, or returns the error if another attempt is useless or there were too many.
    pub(super) async fn pause(&mut self, error: RequestError) -> Result<(), FailedAttempts> {
        self.failures += 1;
        self.altered += u32::from(error.is_about_content());
        let may_help = error.is_retryable() || matches!(error, RequestError::Range { .. });
        if !may_help || self.failures > self.retry.limit || self.altered > 1 {
            return Err(self.give_up(error));
        }
        self.made += 1;
        tokio::time::sleep(self.retry.pause(self.failures, error.retry_after())).await;
        Ok(())
    }

    /// Makes this attempt the last one.
    pub(super) fn give_up(&self, error: RequestError) -> FailedAttempts {
        FailedAttempts { attempts: self.made + 1, error }
    }
}

/// Repeats an operation until it succeeds, or until another attempt is useless or there were too many. The argument is
/// the number of earlier attempts.
pub(super) async fn attempt<T>(
    retry: RetryPolicy,
    mut once: impl AsyncFnMut(u32) -> Result<T, RequestError>,
) -> Result<T, FailedAttempts> {
    let mut attempts = AttemptCounter::new(retry);
    loop {
        match once(attempts.made).await {
            Ok(done) => return Ok(done),
            Err(error) => attempts.pause(error).await?,
        }
    }
}
