//! The creation time of an image.

use std::fmt;
use std::str::FromStr;

use crate::archive::EPOCH;

/// A creation time, in whole seconds since 1970-01-01T00:00:00Z, at most in the year 9999.
///
/// It is never the time of the build, so that equal inputs give equal images. It is parsed as `SOURCE_DATE_EPOCH`
/// ([specification](https://reproducible-builds.org/specs/source-date-epoch/)), and [`Display`] writes
/// [RFC 3339, section 5.6](https://www.rfc-editor.org/rfc/rfc3339#section-5.6).
///
/// [`Display`]: fmt::Display
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(u64);

/// A string that is not a valid `SOURCE_DATE_EPOCH`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a number of seconds since 1970, at most {LATEST}", .0.escape_debug())]
pub struct InvalidTimestamp(pub String);

/// 9999-12-31T23:59:59Z, the last second with a year of four digits.
const LATEST: u64 = 253_402_300_799;

impl Default for Timestamp {
    /// Returns the time that every file in an artifact has, too.
    fn default() -> Self {
        Self(EPOCH)
    }
}

impl Timestamp {
    /// Returns the seconds since 1970-01-01T00:00:00Z.
    pub(crate) fn seconds(self) -> u64 {
        self.0
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = text.parse().ok().filter(|seconds| digits && *seconds <= LATEST);
        seconds.map(Self).ok_or_else(|| InvalidTimestamp(text.to_owned()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0 / 86_400, self.0 % 86_400);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(formatter, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// Returns the year, the month and the day that is `days` after 1970-01-01.
///
/// Years begin in March, so that a leap day is the last day of its year, and are counted within eras of 400 years, after
/// which the calendar repeats.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_OF_ERA: u64 = 146_097;
    // 1970-01-01 is 719,468 days after 0000-03-01.
    let days = days + 719_468;
    let (era, day) = (days / DAYS_OF_ERA, days % DAYS_OF_ERA);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (400 * era + year + next, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_the_earliest_time_in_a_zip() {
        assert_eq!(Timestamp::default().to_string(), "1980-01-01T00:00:00Z");
    }

    /// The right-hand sides are GNU date's: `date -u -d @N +%FT%TZ`.
    #[test]
    fn seconds_become_dates() {
        for (seconds, date) in [
            ("0", "1970-01-01T00:00:00Z"),
            ("68169599", "1972-02-28T23:59:59Z"),
            ("68169600", "1972-02-29T00:00:00Z"),
            ("951782400", "2000-02-29T00:00:00Z"),
            ("951868800", "2000-03-01T00:00:00Z"),
            ("1709210096", "2024-02-29T12:34:56Z"),
            ("1735689599", "2024-12-31T23:59:59Z"),
            ("4107542400", "2100-03-01T00:00:00Z"),
            ("253402300799", "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(seconds.parse::<Timestamp>().unwrap().to_string(), date);
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut last = date(0);
        for days in 1..800 * 366 {
            let next = date(days);
            let (year, month, day) = last;
            let expected = [(year, month, day + 1), (year, month + 1, 1), (year + 1, 1, 1)];
            assert!(expected.contains(&next) && next.2 <= 31 && next.1 <= 12, "{last:?} and {next:?}");
            last = next;
        }
    }

    #[test]
    fn other_strings_are_errors() {
        for text in ["", "-1", "+1", " 1", "1.5", "253402300800", "99999999999999999999", "2024-01-01"] {
            assert_eq!(text.parse::<Timestamp>(), Err(InvalidTimestamp(text.to_owned())));
        }
    }
}
