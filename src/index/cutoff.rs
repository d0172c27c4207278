//! The value of `exclude-newer`, in the formats that uv accepts.

use std::fmt;
use std::time::SystemTime;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};

/// A time: files that were uploaded then or later are excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cutoff(Timestamp);

/// A text that is not a valid [`Cutoff`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid exclude-newer value: {reason}", .text.escape_debug())]
pub struct InvalidCutoff {
    /// The text.
    pub text: String,
    /// The reason.
    pub reason: String,
}

impl Cutoff {
    /// Parses a time of [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339), a date, or a duration before `now`, either as
    /// `7 days` or as in ISO 8601 (`P7D`).
    ///
    /// A date includes the whole day, in UTC, so that it means the same on every machine; uv uses the machine's time zone.
    ///
    /// # Errors
    /// The text is none of these, or the duration has months or years, whose lengths vary.
    pub fn parse(text: &str, now: SystemTime) -> Result<Self, InvalidCutoff> {
        timestamp(text, now).map(Self).map_err(|reason| InvalidCutoff { text: text.to_owned(), reason })
    }

    /// Returns whether a file is excluded by its upload time, in milliseconds since 1970. One without an upload time is.
    pub(super) fn excludes(self, uploaded: Option<i64>) -> bool {
        uploaded.is_none_or(|uploaded| uploaded >= self.0.as_millisecond())
    }
}

impl fmt::Display for Cutoff {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

/// Parses an upload time; returns milliseconds since 1970.
pub(super) fn upload_time(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// Returns the first moment that a string excludes, or the reason why the string is invalid.
fn timestamp(text: &str, now: SystemTime) -> Result<Timestamp, String> {
    if let Ok(timestamp) = text.parse() {
        return Ok(timestamp);
    }
    if let Ok(date) = text.parse::<Date>() {
        let next = date.checked_add(1.day()).and_then(|next| next.to_zoned(TimeZone::UTC));
        return next.map(|next| next.timestamp()).map_err(|error| error.to_string());
    }
    let span: Span = text.parse().map_err(|_| {
        "expected a date (2026-01-31), a time (2026-01-31T12:00:00Z) or a duration (7 days, P7D)".to_owned()
    })?;
    if span.get_years() != 0 || span.get_months() != 0 {
        return Err("months and years differ in length; count days or weeks".to_owned());
    }
    let now = Timestamp::try_from(now).map(|now| now.to_zoned(TimeZone::UTC));
    let then = now.and_then(|now| now.checked_sub(span.abs()));
    then.map(|then| then.timestamp()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_dates_and_durations_are_read() {
        // 2026-03-10T12:00:00Z
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_773_144_000);
        for (text, cutoff) in [
            ("2026-01-31T12:30:00Z", "2026-01-31T12:30:00Z"),
            ("2026-01-31T12:30:00.5+02:00", "2026-01-31T10:30:00.5Z"),
            ("2026-01-31", "2026-02-01T00:00:00Z"),
            ("7 days", "2026-03-03T12:00:00Z"),
            ("1 week", "2026-03-03T12:00:00Z"),
            ("P7D", "2026-03-03T12:00:00Z"),
            ("-P1DT12H", "2026-03-09T00:00:00Z"),
            ("36h", "2026-03-09T00:00:00Z"),
        ] {
            assert_eq!(Cutoff::parse(text, now).unwrap().to_string(), cutoff, "{text}");
        }
        for (text, reason) in [
            ("", "expected a date"),
            ("soon", "expected a date"),
            ("2026-02-30", "expected a date"),
            ("2 months", "count days"),
            ("P1Y", "count days"),
            ("9000000 days", ""),
        ] {
            let error = Cutoff::parse(text, now).unwrap_err();
            assert!(error.reason.contains(reason), "{error}");
        }
    }

    #[test]
    fn what_is_newer_or_of_unknown_age_is_excluded() {
        let cutoff = Cutoff::parse("2026-01-31T12:00:00Z", SystemTime::UNIX_EPOCH).unwrap();
        assert!(!cutoff.excludes(upload_time("2026-01-31T11:59:59.999999Z")));
        assert!(cutoff.excludes(upload_time("2026-01-31T12:00:00.000000Z")));
        assert!(cutoff.excludes(upload_time("yesterday")));
    }
}
