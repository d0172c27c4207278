//! What summaries say of the remote cache.

use super::text_page::{TextPage, count};
use crate::report::{RecordUse, RemoteCacheReport};

/// Adds the line about the remote cache if anything was read from it or written to it.
pub(super) fn field(report: Option<&RemoteCacheReport>, page: &mut TextPage) {
    if let Some(used) = report.and_then(described) {
        page.field("records", &used);
    }
}

/// Describes what was read and written; `None` if nothing was.
fn described(report: &RemoteCacheReport) -> Option<String> {
    let RemoteCacheReport { place, read, known, fetched, written, sampled } = report;
    let used = match read {
        RecordUse::Nothing | RecordUse::Missing if !written => return None,
        RecordUse::Nothing | RecordUse::Missing => None,
        RecordUse::Verified => Some("the record is correct".to_owned()),
        RecordUse::Earlier | RecordUse::Exact => {
            let fetched = if *fetched == 0 { "none".to_owned() } else { fetched.to_string() };
            Some(format!("{} known, {fetched} fetched", count(*known as u64, "wheel")))
        }
    };
    let written = written.then(|| "a new one written".to_owned());
    let sampled = sampled.as_ref().map(|sampled| format!("{sampled} compared"));
    let parts: Vec<String> = used.into_iter().chain(sampled).chain(written).collect();
    Some(format!("{} ({place})", parts.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_and_written_is_one_line() {
        let report = |read, fetched, written, sampled: Option<&str>| RemoteCacheReport {
            place: "s3://builds/pybundle".to_owned(),
            read,
            known: 11,
            fetched,
            written,
            sampled: sampled.map(str::to_owned),
        };
        for (report, expected) in [
            (report(RecordUse::Exact, 0, false, None), "11 wheels known, none fetched (s3://builds/pybundle)"),
            (
                report(RecordUse::Earlier, 2, true, None),
                "11 wheels known, 2 fetched; a new one written (s3://builds/pybundle)",
            ),
            (
                report(RecordUse::Exact, 0, false, Some("numpy 2.5.5")),
                "11 wheels known, none fetched; numpy 2.5.5 compared (s3://builds/pybundle)",
            ),
            (report(RecordUse::Missing, 0, true, None), "a new one written (s3://builds/pybundle)"),
            (report(RecordUse::Verified, 0, false, None), "the record is correct (s3://builds/pybundle)"),
        ] {
            assert_eq!(described(&report).as_deref(), Some(expected));
        }
        assert_eq!(described(&report(RecordUse::Missing, 0, false, None)), None);
    }
}
