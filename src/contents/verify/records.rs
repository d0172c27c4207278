//! Checks files against the RECORDs of their distributions.

use std::collections::HashSet;

use super::{CheckResult, CheckedAspect};
use crate::contents::origins;
use crate::contents::{ArtifactContents, ArtifactProblem, DistributionEntry, FileEntry};
use crate::digest::{Algorithm, Digest};
use crate::wheel::record::{self, RecordRow};

/// Compares every file with its row in RECORD, for the distributions whose RECORD `is_own` accepts. Files in `unread` have
/// other problems already.
pub(super) fn check(contents: &ArtifactContents, unread: &HashSet<&str>, is_own: impl Fn(&str) -> bool) -> CheckResult {
    let visible = contents.visible();
    let mut problems = Vec::new();
    let own = contents.distributions.iter().zip(&contents.records).filter(|(_, (path, _))| is_own(path));
    let (mut distributions, mut rows) = (0, 0);
    for (DistributionEntry { dist_info, .. }, (path, text)) in own {
        distributions += 1;
        let record = match record::parse(text) {
            Ok(record) => record,
            Err(fault) => {
                problems.push(ArtifactProblem::at(path, fault.to_string()));
                continue;
            }
        };
        rows += record.len();
        let mut listed = HashSet::new();
        let mut record: Vec<_> = record.into_iter().collect();
        record.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (listed_path, row) in record {
            let Some(installed) = origins::installed(dist_info, &listed_path) else {
                problems.push(ArtifactProblem::at(
                    path,
                    format!("it lists `{listed_path}`, which is outside the artifact"),
                ));
                continue;
            };
            match visible.get(installed.as_str()) {
                _ if unread.contains(installed.as_str()) => {}
                None => {
                    problems.push(ArtifactProblem::at(&installed, format!("it is missing, but listed in {path}")));
                }
                Some(file) => {
                    let differences = differences(file, &row, path).into_iter();
                    problems.extend(differences.map(|difference| ArtifactProblem::at(&installed, difference)));
                }
            }
            listed.insert(installed);
        }
        let below = format!("{dist_info}/");
        let inside = visible.range(below.as_str()..).map(|(path, _)| *path).take_while(|path| path.starts_with(&below));
        problems.extend(
            inside
                .filter(|path| !listed.contains(*path))
                .map(|found| ArtifactProblem::at(found, format!("it is not listed in {path}"))),
        );
    }
    problems.extend(without_record(&visible.keys().copied().collect::<Vec<_>>(), &is_own));
    CheckResult::new(CheckedAspect::Record, format!("distributions: {distributions}, files: {rows}"), problems)
}

/// Describes how a file differs from its row in a RECORD.
fn differences(file: &FileEntry, row: &RecordRow, record: &str) -> Vec<String> {
    let mut differences = Vec::new();
    if let Some(size) = row.size.filter(|size| *size != file.size) {
        differences.push(format!("it has {} bytes, but {record} states {size}", file.size));
    }
    match &row.digest {
        Some(expected) if expected.algorithm != Algorithm::Sha256 => {
            differences.push(format!("{record} has a {} digest for it, not sha256", expected.algorithm.name()));
        }
        Some(expected) if *expected != Digest::from(file.sha256) => {
            differences.push(format!("its digest differs from the one in {record}"));
        }
        // RECORD has no digest for itself (PyPA, recording installed projects), nor for bytecode, which an import may
        // rewrite.
        None if file.path != record && !file.path.ends_with(".pyc") => {
            differences.push(format!("{record} has no digest for it"));
        }
        _ => {}
    }
    differences
}

/// Finds distributions with METADATA but without RECORD.
fn without_record(paths: &[&str], is_own: impl Fn(&str) -> bool) -> Vec<ArtifactProblem> {
    let known: HashSet<&str> = paths.iter().copied().collect();
    let metadata = paths.iter().filter(|path| path.ends_with(".dist-info/METADATA") && is_own(path));
    let records = metadata.map(|path| format!("{}RECORD", path.trim_end_matches("METADATA")));
    records
        .filter(|record| !known.contains(record.as_str()))
        .map(|record| ArtifactProblem::at(record, "it is missing"))
        .collect()
}
