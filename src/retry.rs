//! When to retry a failed transfer, and how long to wait first.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, SystemTime};

use reqwest::StatusCode;

/// How often and how soon a failed transfer is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The number of consecutive failures that are followed by another attempt. Failures are consecutive if less than a
    /// mebibyte arrived between them, so that a large file can be downloaded over an unreliable connection.
    pub limit: u32,
    /// The pause after the first failure, which doubles with each further one.
    pub first_pause: Duration,
    /// The longest pause, even if the server requests a longer one.
    pub longest_pause: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { limit: 3, first_pause: Duration::from_millis(500), longest_pause: Duration::from_secs(30) }
    }
}

impl RetryPolicy {
    /// Returns the pause after a number of consecutive failures. It is random between half of its length and all of it, so that
    /// clients that failed at the same time do not retry at the same time, and not shorter than the server requests.
    pub(crate) fn pause(&self, failures: u32, requested: Option<Duration>) -> Duration {
        let doubled = 2u32.saturating_pow(failures.saturating_sub(1));
        let whole = self.first_pause.saturating_mul(doubled).min(self.longest_pause);
        // The only source of random numbers in the standard library.
        let random = RandomState::new().build_hasher().finish() as u32;
        let jittered = whole / 2 + (whole / 2).mul_f64(f64::from(random) / f64::from(u32::MAX));
        requested.map_or(jittered, |requested| requested.min(self.longest_pause).max(jittered))
    }
}

/// Tells whether the same request may have another status at the next attempt.
pub(crate) fn is_passing(status: StatusCode) -> bool {
    let is_lasting = matches!(status, StatusCode::NOT_IMPLEMENTED | StatusCode::HTTP_VERSION_NOT_SUPPORTED);
    is_about_timing(status) || (status.is_server_error() && !is_lasting)
}

/// Tells whether a status says that a request came too early, too late or too often, and nothing of what it asked for. 499 is
/// nginx's: a proxy believes that the client went away.
pub(crate) fn is_about_timing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 499)
}

/// Returns the end of a message about a request that failed.
pub(crate) fn attempts_suffix(attempts: u32) -> String {
    if attempts > 1 { format!(" after {attempts} attempts") } else { String::new() }
}

/// Parses the value of `Retry-After`: seconds or a date
/// ([RFC 9110, section 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)).
pub(crate) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    // mailparse returns 0, in the year 1970, for some strings that are not dates.
    let date = u64::try_from(mailparse::dateparse(value).ok()?).ok().filter(|date| *date > 0)?;
    let date = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(date))?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_statuses_pass() {
        for status in [408, 425, 429, 499, 500, 502, 503, 504, 599] {
            assert!(is_passing(StatusCode::from_u16(status).unwrap()), "{status}");
        }
        for status in [200, 301, 400, 403, 404, 405, 409, 413, 416, 501, 505] {
            assert!(!is_passing(StatusCode::from_u16(status).unwrap()), "{status}");
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let retry =
            RetryPolicy { limit: 9, first_pause: Duration::from_secs(1), longest_pause: Duration::from_secs(5) };
        for (failures, seconds) in [(1, 1), (2, 2), (3, 4), (4, 5), (u32::MAX, 5)] {
            let (pause, whole) = (retry.pause(failures, None), Duration::from_secs(seconds));
            assert!(pause >= whole / 2 && pause <= whole, "{failures}: {pause:?}");
        }
        assert_eq!(retry.pause(1, Some(Duration::from_secs(3))), Duration::from_secs(3));
        assert_eq!(retry.pause(1, Some(Duration::from_secs(3600))), Duration::from_secs(5));
        assert!(retry.pause(1, Some(Duration::ZERO)) >= Duration::from_millis(500));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_480);
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:10 GMT", now), Some(Duration::from_secs(10)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:27:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }
}
