//! What summaries say of the remote cache.

use super::text_page::{TextPage, count};
use crate::report::{RecordUse, RemoteCacheReport};

/// Adds the line about the remote cache if anything was read from it or written to it.
pub(super) fn field(report: Option<&RemoteCacheReport>, page: &mut TextPage) {
    if let Some(used) = report.and_then(described) {
        page.field("shared", &used);
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
            let fetched =
                if *fetched == 0 { "none of them fetched".to_owned() } else { format!("{fetched} of them fetched") };
            Some(format!("{} known, {fetched}", count(*known as u64, "wheel")))
        }
    };
    let written = written.then(|| "a record written".to_owned());
    let sampled = sampled.as_ref().map(|sampled| format!("{sampled} compared"));
    let parts: Vec<String> = used.into_iter().chain(sampled).chain(written).collect();
    Some(format!("{} ({place})", parts.join("; ")))
}
