//! Whether the files of distributions are what their RECORDs say.

use std::collections::HashSet;

use super::{CheckResult, CheckedAspect};
use crate::contents::owners;
use crate::contents::{ArtifactContents, ArtifactProblem, DistributionEntry};
use crate::digest::{Algorithm, Digest};
use crate::wheel::record;

/// Compares every file with its row, for the distributions that `is_own` takes. Files in `unread` are wrong in
/// another way already.
pub(super) fn check(contents: &ArtifactContents, unread: &HashSet<&str>, is_own: impl Fn(&str) -> bool) -> CheckResult {
    let visible = contents.visible();
    let mut findings = Vec::new();
    let own = contents.distributions.iter().zip(&contents.records).filter(|(_, (path, _))| is_own(path));
    let (mut distributions, mut rows) = (0, 0);
    for (DistributionEntry { dist_info, .. }, (path, text)) in own {
        distributions += 1;
        let record = match record::parse(text) {
            Ok(record) => record,
            Err(fault) => {
                findings.push(ArtifactProblem::at(path, fault.to_string()));
                continue;
            }
        };
        rows += record.len();
        let mut listed = HashSet::new();
        let mut record: Vec<_> = record.into_iter().collect();
        record.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (name, row) in record {
            let Some(place) = owners::installed(dist_info, &name) else {
                findings
                    .push(ArtifactProblem::at(path, format!("it lists `{name}`, which is outside of the artifact")));
                continue;
            };
            let mut find = |message: String| findings.push(ArtifactProblem::at(&place, message));
            match visible.get(place.as_str()) {
                _ if unread.contains(place.as_str()) => {}
                None => find(format!("it is missing, but listed in {path}")),
                Some(file) => {
                    if row.size.is_some_and(|size| size != file.size) {
                        find(format!("it has {} bytes, but {path} states {}", file.size, row.size.unwrap_or(0)));
                    }
                    match &row.digest {
                        Some(stated) if stated.algorithm != Algorithm::Sha256 => {
                            find(format!("{path} states its digest by {}, not by sha256", stated.algorithm.name()));
                        }
                        Some(stated) if *stated != Digest::from(file.sha256) => {
                            find(format!("its digest is not the one that {path} states"));
                        }
                        // Of itself it states none, and of bytecode, which whoever imports may write anew, none either.
                        None if place != *path && !place.ends_with(".pyc") => {
                            find(format!("{path} states no digest of it"));
                        }
                        _ => {}
                    }
                }
            }
            listed.insert(place);
        }
        let below = format!("{dist_info}/");
        let inside = visible.range(below.as_str()..).map(|(path, _)| *path).take_while(|path| path.starts_with(&below));
        findings.extend(
            inside
                .filter(|path| !listed.contains(*path))
                .map(|found| ArtifactProblem::at(found, format!("it is not listed in {path}"))),
        );
    }
    findings.extend(without_record(&visible.keys().copied().collect::<Vec<_>>(), &is_own));
    CheckResult::new(CheckedAspect::Record, format!("distributions: {distributions}, files: {rows}"), findings)
}

/// Returns the distributions that have METADATA and no RECORD.
fn without_record(paths: &[&str], is_own: impl Fn(&str) -> bool) -> Vec<ArtifactProblem> {
    let known: HashSet<&str> = paths.iter().copied().collect();
    let metadata = paths.iter().filter(|path| path.ends_with(".dist-info/METADATA") && is_own(path));
    let records = metadata.map(|path| format!("{}RECORD", path.trim_end_matches("METADATA")));
    records
        .filter(|record| !known.contains(record.as_str()))
        .map(|record| ArtifactProblem::at(record, "it is missing"))
        .collect()
}
