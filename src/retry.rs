//! When to try again, and how long to wait before.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, SystemTime};

/// How often, and how soon, a transfer that failed is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How many failures in a row are followed by another attempt. Failures are in a row if less than a mebibyte came
    /// in between them: a large file may come over a bad line.
    pub limit: u32,
    /// The pause after the first failure; it doubles with each further one.
    pub first_pause: Duration,
    /// The longest pause, also where a server asks for a longer one.
    pub longest_pause: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { limit: 3, first_pause: Duration::from_millis(500), longest_pause: Duration::from_secs(30) }
    }
}

impl RetryPolicy {
    /// Returns the pause after some failures in a row: between the half and the whole of its length, so that clients
    /// that failed together do not come back together, and no shorter than the server asks.
    pub fn pause(&self, failures: u32, asked: Option<Duration>) -> Duration {
        let doubled = 2u32.saturating_pow(failures.saturating_sub(1));
        let whole = self.first_pause.saturating_mul(doubled).min(self.longest_pause);
        // The standard library's only source of random numbers.
        let random = RandomState::new().build_hasher().finish() as u32;
        let jittered = whole / 2 + (whole / 2).mul_f64(f64::from(random) / f64::from(u32::MAX));
        asked.map_or(jittered, |asked| asked.min(self.longest_pause).max(jittered))
    }
}

/// Parses the header `Retry-After`: seconds, or a date
/// ([RFC 9110, section 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)).
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    // The parser takes some texts that are no dates for the year 1970.
    let date = u64::try_from(mailparse::dateparse(value).ok()?).ok().filter(|date| *date > 0)?;
    let date = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(date))?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn servers_ask_for_pauses_in_seconds_or_until_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_480);
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:10 GMT", now), Some(Duration::from_secs(10)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:27:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }
}
