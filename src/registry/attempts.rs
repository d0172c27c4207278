//! Trying again, as often as it may help.

use super::fault::Fault;
use super::{Action, RegistryError};
use crate::retry::RetryPolicy;

/// What is remembered between attempts at one thing.
pub(super) struct Attempts {
    retry: RetryPolicy,
    /// All of them.
    made: u32,
    /// The failures in a row.
    failures: u32,
    /// The failures in which bytes were altered.
    altered: u32,
}

/// An attempt that was the last.
pub(super) struct Failure {
    attempts: u32,
    pub fault: Fault,
}

impl Failure {
    /// Names what was tried.
    pub fn of(self, action: Action) -> RegistryError {
        RegistryError::Failed { action: Box::new(action), attempts: self.attempts, fault: Box::new(self.fault) }
    }
}

impl Attempts {
    pub fn new(retry: RetryPolicy) -> Self {
        Self { retry, made: 0, failures: 0, altered: 0 }
    }

    /// Something came since the last failure: the next is not in a row with it.
    pub fn forgive(&mut self) {
        self.failures = 0;
    }

    /// Waits for the next attempt, if another one may help.
    pub async fn pause(&mut self, fault: Fault) -> Result<(), Failure> {
        self.failures += 1;
        self.altered += u32::from(fault.is_about_content());
        let may_help = fault.is_retryable() || matches!(fault, Fault::Range { .. });
        if !may_help || self.failures > self.retry.limit || self.altered > 1 {
            return Err(self.give_up(fault));
        }
        self.made += 1;
        tokio::time::sleep(self.retry.pause(self.failures, fault.retry_after())).await;
        Ok(())
    }

    /// Takes the attempt for the last one.
    pub fn give_up(&self, fault: Fault) -> Failure {
        Failure { attempts: self.made + 1, fault }
    }
}

/// Tries until it succeeds, or until another attempt would not help. Each attempt is told how many were made before.
pub(super) async fn attempt<T>(
    retry: RetryPolicy,
    mut once: impl AsyncFnMut(u32) -> Result<T, Fault>,
) -> Result<T, Failure> {
    let mut attempts = Attempts::new(retry);
    loop {
        match once(attempts.made).await {
            Ok(done) => return Ok(done),
            Err(fault) => attempts.pause(fault).await?,
        }
    }
}
