//! Chooses the files of a pinned version from index pages.
//!
//! Specification: [PyPA, version specifiers](https://packaging.python.org/en/latest/specifications/version-specifiers/#version-matching)
//! for local versions, and [PyPA, simple repository API](https://packaging.python.org/en/latest/specifications/simple-repository-api/)
//! for the files of a page.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;

use super::IndexError;
use super::accept::{AcceptedFile, RejectedFile, accept};
use super::cutoff::Cutoff;
use super::error::list;
use super::options::IndexStrategy;
use super::page::{IndexFile, IndexPage};
use super::pages::PageCoverage;
use super::search::{Listing, SearchResult};
use crate::lock::{AcceptedFiles, DistributionFiles, FileLocation, IndexQuery, LockedFile, LockedSdist};
use crate::name::DistributionName;
use crate::platform::{CompatibilityTags, TargetPlatform};
use crate::sdist::filename::{SdistFilename, SdistFormat};
use crate::wheel::filename::WheelFilename;

#[derive(Debug, Clone)]
pub(super) enum DistributionFilename {
    Wheel(WheelFilename),
    Sdist(SdistFilename),
}

impl DistributionFilename {
    /// Parses the name of a file of the distribution; returns it with its version.
    fn of(file: &IndexFile, name: &DistributionName) -> Option<(Self, Version)> {
        if let Ok(wheel) = file.name.parse::<WheelFilename>() {
            let version = wheel.version.clone();
            return (wheel.name == *name).then_some((Self::Wheel(wheel), version));
        }
        let sdist: SdistFilename = file.name.parse().ok()?;
        let version = sdist.version_of(name)?;
        Some((Self::Sdist(sdist), version))
    }
}

struct CandidateFile<'a> {
    form: DistributionFilename,
    file: &'a IndexFile,
    listing: &'a Listing,
    accepted: AcceptedFile,
}

/// The files of one version in one index and in the pages of `--find-links`.
struct Release<'a> {
    version: Version,
    /// The position of the index.
    rank: usize,
    candidates: Vec<CandidateFile<'a>>,
}

pub(super) struct FileRequest<'a> {
    pub(crate) name: &'a DistributionName,
    pub(crate) query: &'a IndexQuery,
    pub(crate) target: &'a TargetPlatform,
    pub(crate) tags: &'a CompatibilityTags,
    pub(crate) cutoff: Option<Cutoff>,
    pub(crate) strategy: IndexStrategy,
}

/// A file with different digests in two indexes.
pub(super) struct ConflictingFile {
    pub(crate) name: String,
    /// The index that it is taken from.
    pub(crate) chosen: String,
    pub(crate) other: String,
}

pub(super) struct ChosenFiles {
    /// Including the local version.
    pub(crate) version: Version,
    pub(crate) files: DistributionFiles,
    /// A file that another index has with another digest, if no hash in the lock tells which one is meant.
    pub(crate) conflict: Option<ConflictingFile>,
    /// The index of a yanked file that is compatible with the target, and the reason if there is one.
    pub(crate) yanked: Option<(String, Option<String>)>,
}

/// Returns how much of what a query needs is on a page.
pub(super) fn coverage(page: &IndexPage, name: &DistributionName, query: &IndexQuery) -> PageCoverage {
    // With fewer files than the lock names, the choice would depend on the age of the cached page.
    match &query.accepted {
        AcceptedFiles::Named(wanted) => {
            let names: BTreeSet<&str> = page.files.iter().map(|file| file.name.as_str()).collect();
            PageCoverage::all_or_nothing(wanted.keys().all(|name| names.contains(name.as_str())))
        }
        AcceptedFiles::Digests(wanted) => {
            let digests: BTreeSet<_> = page.files.iter().flat_map(|file| &file.digests).collect();
            PageCoverage::all_or_nothing(wanted.iter().all(|digest| digests.contains(digest)))
        }
        // The version may have got more files, or a local version.
        AcceptedFiles::Any => {
            let mut versions = page.files.iter().filter_map(|file| DistributionFilename::of(file, name));
            let is_there = versions.any(|(_, version)| is_meant(&version, &query.version));
            if is_there { PageCoverage::Something } else { PageCoverage::Nothing }
        }
    }
}

/// Returns a text that identifies a query by its file names or digests; `None` if it accepts any file.
pub(super) fn named(name: &DistributionName, query: &IndexQuery) -> Option<String> {
    let version = &query.version;
    match &query.accepted {
        AcceptedFiles::Any => None,
        AcceptedFiles::Digests(digests) => Some(format!("{name} {version}\n{digests:?}")),
        AcceptedFiles::Named(named) => Some(format!("{name} {version}\n{named:?}")),
    }
}

/// Returns the files of a page that a query may choose from.
pub(super) fn excerpt(page: &IndexPage, name: &DistributionName, query: &IndexQuery) -> IndexPage {
    let files = page.files.iter().filter(|file| {
        let form = DistributionFilename::of(file, name);
        form.is_some_and(|(_, version)| is_meant(&version, &query.version))
    });
    // These appear only in messages, so a comparison of texts is good enough.
    let version = query.version.to_string();
    let skipped = page.skipped.iter().filter(|skipped| skipped.name.contains(&version));
    IndexPage { files: files.cloned().collect(), skipped: skipped.cloned().collect(), status: page.status.clone() }
}

/// Returns whether a file has the pinned version (version matching: a local version is ignored unless the pin has one).
fn is_meant(version: &Version, pinned: &Version) -> bool {
    version == pinned || !pinned.is_local() && version.is_local() && version.clone().without_local() == *pinned
}

impl FileRequest<'_> {
    /// Returns the files of the best release that is compatible with the target, as uv finds it, or else of the best.
    ///
    /// # Errors
    /// There is no such file, or a local file cannot be read.
    pub(crate) fn choose(&self, found: &SearchResult) -> Result<ChosenFiles, IndexError> {
        let mut refused = Vec::new();
        let mut releases = self.releases(found, &mut refused)?;
        match self.strategy {
            IndexStrategy::UnsafeBestMatch => {
                releases.sort_by(|a, b| b.version.cmp(&a.version).then(a.rank.cmp(&b.rank)));
            }
            IndexStrategy::FirstIndex | IndexStrategy::UnsafeFirstMatch => {
                releases.sort_by(|a, b| a.rank.cmp(&b.rank).then(b.version.cmp(&a.version)));
                // Only the first index with a version counts, even if none of its files is compatible.
                let mut seen = BTreeSet::new();
                releases.retain(|release| seen.insert(release.version.clone()));
            }
        }
        if releases.is_empty() {
            return Err(self.lack(found, refused));
        }
        let fitting = releases.iter().position(|release| release.candidates.iter().any(|file| self.fits(file)));
        let release = releases.swap_remove(fitting.unwrap_or(0));
        let conflict = match self.query.accepted {
            AcceptedFiles::Any => conflict(&release, found),
            AcceptedFiles::Digests(_) | AcceptedFiles::Named(_) => None,
        };
        Ok(ChosenFiles { conflict, ..self.offer(release) })
    }

    /// Groups the accepted files by version and index. Files of `--find-links` belong to every index.
    fn releases<'f>(
        &self,
        found: &'f SearchResult,
        refused: &mut Vec<RejectedFile>,
    ) -> Result<Vec<Release<'f>>, IndexError> {
        let mut ranks: Vec<Vec<&Listing>> = found.indexes.iter().map(|index| vec![index]).collect();
        if ranks.is_empty() {
            ranks.push(Vec::new());
        }
        let mut releases = Vec::new();
        for (rank, indexes) in ranks.into_iter().enumerate() {
            let mut versions: BTreeMap<Version, Vec<CandidateFile>> = BTreeMap::new();
            for listing in found.links.iter().chain(indexes) {
                for (version, candidate) in self.candidates(listing, refused)? {
                    versions.entry(version).or_default().push(candidate);
                }
            }
            let of_rank = versions.into_iter();
            releases.extend(of_rank.map(|(version, candidates)| Release { version, rank, candidates }));
        }
        Ok(releases)
    }

    /// Returns the accepted files of a page, ordered by name.
    fn candidates<'f>(
        &self,
        listing: &'f Listing,
        refused: &mut Vec<RejectedFile>,
    ) -> Result<Vec<(Version, CandidateFile<'f>)>, IndexError> {
        let mut candidates = Vec::new();
        for file in &listing.page.files {
            let Some((form, version)) = DistributionFilename::of(file, self.name) else { continue };
            if !is_meant(&version, &self.query.version) {
                continue;
            }
            // Like uv, `exclude-newer` ignores `--find-links`, whose pages have no upload times.
            let cutoff = self.cutoff.filter(|_| listing.index.is_some());
            match accept(file, &self.query.accepted, self.target.python, cutoff)? {
                Ok(accepted) => candidates.push((version, CandidateFile { form, file, listing, accepted })),
                Err(reason) => refused.push(reason),
            }
        }
        candidates.sort_by(|(_, a), (_, b)| a.file.name.cmp(&b.file.name));
        Ok(candidates)
    }

    fn fits(&self, candidate: &CandidateFile) -> bool {
        match &candidate.form {
            DistributionFilename::Wheel(wheel) => self.tags.best_match(wheel).is_some(),
            DistributionFilename::Sdist(_) => true,
        }
    }

    fn offer(&self, Release { version, mut candidates, .. }: Release) -> ChosenFiles {
        // Files whose digest the page does not state are not needed if it states that of a compatible file.
        if candidates.iter().any(|candidate| candidate.accepted.is_stated && self.fits(candidate)) {
            candidates.retain(|candidate| candidate.accepted.is_stated);
        }
        let yanked = candidates.iter().filter(|candidate| self.fits(candidate)).find_map(|candidate| {
            let reason = candidate.file.yanked.as_ref()?;
            Some((candidate.listing.location.clone(), Some(one_line(reason)).filter(|reason| !reason.is_empty())))
        });
        let mut files = DistributionFiles { unusable: self.unusable(&candidates), ..DistributionFiles::default() };
        let mut sdists = Vec::new();
        for CandidateFile { form, file, listing, accepted } in candidates {
            let location = locate(file, listing);
            let (digests, size) = (accepted.digests, file.size);
            match form {
                DistributionFilename::Wheel(filename) => {
                    files.wheels.push(LockedFile { filename, location, digests, size })
                }
                DistributionFilename::Sdist(filename) => sdists.push(LockedFile { filename, location, digests, size }),
            }
        }
        // Prefers .tar.gz, the format that PEP 625 requires.
        sdists.sort_by_key(|sdist| Reverse(sdist.filename.format() == SdistFormat::TarGz));
        files.sdist = sdists.into_iter().next().map(|file| Box::new(LockedSdist { file, subdirectory: None }));
        ChosenFiles { version, files, conflict: None, yanked }
    }

    /// Returns the files that seem to belong to the version, but are neither wheels nor source distributions.
    fn unusable(&self, candidates: &[CandidateFile]) -> Vec<String> {
        let mark = format!("-{}", self.query.version);
        let mut indexes =
            candidates.iter().map(|candidate| candidate.listing).filter(|listing| listing.index.is_some());
        let Some(listing) = indexes.next_back() else { return Vec::new() };
        let others = listing.page.files.iter().filter(|file| {
            DistributionFilename::of(file, self.name).is_none() && file.name.parse::<WheelFilename>().is_err()
        });
        let names = others.map(|file| &file.name).chain(listing.page.skipped.iter().map(|file| &file.name));
        names.filter(|name| name.contains(&mark)).cloned().collect()
    }

    /// Returns the error for a version without accepted files.
    fn lack(&self, found: &SearchResult, refused: Vec<RejectedFile>) -> IndexError {
        let package = format!("{} {}", self.name, self.query.version);
        let mut locations = BTreeSet::new();
        let mut versions = BTreeSet::new();
        for listing in found.links.iter().chain(&found.indexes) {
            let of_listing = listing.page.files.iter().filter_map(|file| DistributionFilename::of(file, self.name));
            let before = versions.len();
            versions.extend(of_listing.map(|(_, version)| version));
            if listing.index.is_some() || versions.len() > before {
                locations.insert(listing.location.clone());
            }
        }
        let locations: Vec<String> = locations.into_iter().collect();
        if !refused.is_empty() {
            let is_other = refused.iter().any(|refused| matches!(refused, RejectedFile::Other(..)));
            return IndexError::NoFile { package, locations, reasons: reasons(&refused), is_other };
        }
        if !found.unknown.is_empty() {
            return IndexError::Offline { name: self.name.to_string(), asked: found.unknown.clone() };
        }
        let is_refused = found.indexes.is_empty() && !found.refused.is_empty();
        if !locations.is_empty() && !is_refused {
            let available = nearest(versions, &self.query.version);
            return IndexError::NoVersion { package, locations, available, not_asked: found.not_asked.clone() };
        }
        IndexError::NotFound { name: self.name.to_string(), asked: found.asked.clone(), refused: found.refused.clone() }
    }
}

/// Finds a file of a release that another index has, too, with another digest.
fn conflict(release: &Release, found: &SearchResult) -> Option<ConflictingFile> {
    let mut pairs = release.candidates.iter().flat_map(|candidate| {
        let others = found.indexes.iter().filter(|other| other.location != candidate.listing.location);
        others.flat_map(move |other| other.page.files.iter().map(move |file| (candidate, other, file)))
    });
    let is_other = |(candidate, _, file): &(&CandidateFile, &Listing, &IndexFile)| {
        let mut digests = candidate.file.digests.iter();
        file.name == candidate.file.name
            && digests.any(|own| file.digests.iter().any(|it| it.algorithm() == own.algorithm() && it != own))
    };
    pairs.find(is_other).map(|(candidate, other, file)| ConflictingFile {
        name: file.name.clone(),
        chosen: candidate.listing.location.clone(),
        other: other.location.clone(),
    })
}

/// Orders versions by how many release numbers they share with the pinned one, then by age, the newest first.
fn nearest(versions: BTreeSet<Version>, pinned: &Version) -> Vec<String> {
    let mut versions: Vec<Version> = versions.into_iter().rev().collect();
    versions.sort_by_key(|version| {
        let numbers = version.release().iter().zip(pinned.release());
        Reverse(numbers.take_while(|(a, b)| a == b).count())
    });
    versions.iter().map(ToString::to_string).collect()
}

/// Groups the rejected files by reason.
fn reasons(refused: &[RejectedFile]) -> Vec<String> {
    let mut by_reason: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for refused in refused {
        by_reason.entry(refused.reason()).or_default().insert(refused.file().to_owned());
    }
    let groups = by_reason.into_iter();
    groups.map(|(reason, files)| format!("{reason}: {}", list(&files.into_iter().collect::<Vec<_>>()))).collect()
}

/// Returns a text without line breaks and control characters.
fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

fn locate(file: &IndexFile, listing: &Listing) -> FileLocation {
    let path = if file.url.scheme() == "file" { file.url.to_file_path().ok() } else { None };
    match path {
        Some(path) => FileLocation::Path(path),
        None => FileLocation::Url { url: file.url.clone(), index: listing.index.clone() },
    }
}
