//! Archives: signed by gpg here, and damaged in every way.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use jiff::{SignedDuration, Timestamp};
use pybundle::apt::archive::{AptArchiveError, Archives, VerifiedRelease};
use pybundle::apt::lock::LockedPackage;
use pybundle::apt::packages::PackageIndex;
use pybundle::apt::resolve::{AptResolver, ResolveError, ResolvedClosure};
use pybundle::apt::{AptSource, PackageRequest};
use pybundle::cache::Cache;
use pybundle::debian::DpkgStatus;
use pybundle::debian::deb::Deb;
use pybundle::debian::openpgp::ArchiveKeyring;
use pybundle::digest::Sha256;
use pybundle::fetch::{DownloadOptions, RetryPolicy};
use pybundle::hints::Hints;
use pybundle::report::Silent;
use tempfile::TempDir;

use crate::gpg::Gpg;
use crate::http::{Answer, Server};

/// An archive with one suite, served over HTTP.
pub struct TestArchive {
    pub gpg: Gpg,
    pub server: Server,
    cache: TempDir,
    suite: &'static str,
    date: Timestamp,
    valid_until: Option<Timestamp>,
    by_hash: bool,
    packages: String,
}

impl TestArchive {
    pub fn new(packages: &str) -> Self {
        let gpg = Gpg::new();
        gpg.key("archive", "ed25519", "sign", "never");
        let mut archive = Self {
            gpg,
            server: Server::start(),
            cache: tempfile::tempdir().unwrap(),
            suite: "stable",
            date: Timestamp::now() - SignedDuration::from_hours(1),
            valid_until: None,
            by_hash: true,
            packages: packages.to_owned(),
        };
        archive.publish();
        archive
    }

    /// Writes and signs the release.
    fn publish(&mut self) {
        let date = |time: Timestamp| time.strftime("%a, %d %b %Y %H:%M:%S UTC").to_string();
        let sha256 = Sha256::of(self.packages.as_bytes()).hex();
        let mut release = format!("Suite: {}\nCodename: x\nDate: {}\n", self.suite, date(self.date));
        if let Some(until) = self.valid_until {
            release += &format!("Valid-Until: {}\n", date(until));
        }
        let path = "main/binary-amd64/Packages";
        let by_hash = if self.by_hash { "yes" } else { "no" };
        release += &format!(
            "Acquire-By-Hash: {by_hash}\nArchitectures: amd64\nComponents: main contrib\nSHA256:\n {sha256} {} {path}\n",
            self.packages.len()
        );
        let signed = self.gpg.sign("InRelease", &release, &[], &["archive"]);
        self.serve("dists/stable/InRelease", &std::fs::read(signed).unwrap());
        let requested =
            if self.by_hash { format!("main/binary-amd64/by-hash/SHA256/{sha256}") } else { path.to_owned() };
        self.serve(&format!("dists/stable/{requested}"), self.packages.as_bytes());
    }

    fn serve(&self, path: &str, body: &[u8]) {
        self.server.answer(&format!("/debian/{path}"), [Answer::file(body)]);
    }

    fn source(&self) -> AptSource {
        let keyring = self.gpg.keyring("archive.gpg", &["archive"]);
        AptSource {
            uri: self.server.url("/debian").parse().unwrap(),
            suite: "stable".to_owned(),
            components: vec!["main".to_owned()],
            keyring: ArchiveKeyring::parse(&std::fs::read(keyring).unwrap()).unwrap(),
            snapshot: Some(self.server.url("/snapshot").parse().unwrap()),
        }
    }

    fn with<T>(&self, use_archives: impl FnOnce(Archives<'_>) -> T) -> T {
        let options =
            DownloadOptions { retry: RetryPolicy { limit: 0, ..RetryPolicy::default() }, ..DownloadOptions::default() };
        self.with_options(&options, use_archives)
    }

    fn with_options<T>(&self, options: &DownloadOptions, use_archives: impl FnOnce(Archives<'_>) -> T) -> T {
        let cache = Cache::open(self.cache.path()).unwrap();
        use_archives(Archives { options, cache: &cache, reporter: &Silent, now: Timestamp::now() })
    }

    fn releases(&self, source: AptSource) -> Result<Vec<VerifiedRelease>, AptArchiveError> {
        self.with(|archives| archives.releases(&[source]))
    }

    fn index(&self) -> Result<PackageIndex, AptArchiveError> {
        let releases = self.releases(self.source())?;
        self.with(|archives| archives.packages(&releases, &"amd64".parse().unwrap()))
    }

    /// The error of reading the archive, with its causes, and its hints.
    fn error(&self, source: AptSource) -> (String, Vec<String>) {
        explained(self.releases(source).unwrap_err())
    }
}

fn explained(error: AptArchiveError) -> (String, Vec<String>) {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(source) = cause {
        text += &format!(": {source}");
        cause = source.source();
    }
    (text, error.hints())
}

pub fn package(name: &str, version: &str, fields: &str) -> String {
    let filename = format!("pool/{name}_{version}_amd64.deb");
    let content = deb(name, version);
    format!(
        "Package: {name}\nVersion: {version}\nArchitecture: amd64\n{fields}Filename: {filename}\nSize: {}\nSHA256: {}\n\n",
        content.len(),
        Sha256::of(&content).hex()
    )
}

/// Returns an ar archive with one member.
fn deb(name: &str, version: &str) -> Vec<u8> {
    let content = format!("{name} {version}");
    let header = format!("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", "debian-binary", 0, 0, 0, 100_644, content.len());
    format!("!<arch>\n{header}{content}").into_bytes()
}

#[test]
fn releases_are_verified_before_anything_is_used() {
    let mut archive = TestArchive::new(&package("tini", "1", ""));
    let release = &archive.releases(archive.source()).unwrap()[0];
    assert_eq!(release.locked.signed_by[0].to_string(), archive.gpg.fingerprint("archive"));
    assert_eq!(release.locked.date.as_second(), archive.date.as_second());

    // By another key than the trusted one.
    let other = Gpg::new();
    other.key("other", "ed25519", "sign", "never");
    let keyring = ArchiveKeyring::parse(&std::fs::read(other.keyring("other.gpg", &["other"])).unwrap()).unwrap();
    let (error, hints) = archive.error(AptSource { keyring, ..archive.source() });
    assert!(error.contains("has no good signature by a trusted key: the key "), "{error}");
    let trusted = other.fingerprint("other");
    assert_eq!(hints, [format!("set `signed-by` of the source to a keyring with its key; trusted are {trusted}")]);

    // Not signed at all.
    archive.serve("dists/stable/InRelease", b"Suite: stable\n");
    let (error, _) = archive.error(archive.source());
    assert!(error.contains("is invalid: it is not signed"), "{error}");

    // Of another suite, with the same key.
    archive.suite = "testing";
    archive.publish();
    let (error, hints) = archive.error(archive.source());
    assert!(error.ends_with("stable` is for another suite: testing, x"), "{error}");
    assert_eq!(hints, ["set `suites` of the source to `testing`"]);
    archive.suite = "stable";

    // From the future, and expired.
    archive.date = Timestamp::now() + SignedDuration::from_hours(48);
    archive.publish();
    let (error, hints) = archive.error(archive.source());
    assert!(error.ends_with("which is in the future"), "{error}");
    assert_eq!(hints, ["check the clock of this machine, and whether the mirror is up to date"]);
    archive.date = Timestamp::now() - SignedDuration::from_hours(1);
    archive.valid_until = Some(Timestamp::now() - SignedDuration::from_mins(1));
    archive.publish();
    let (error, hints) = archive.error(archive.source());
    assert!(error.contains("stable` expired at "), "{error}");
    assert_eq!(hints, ["check the clock of this machine, and whether the mirror is up to date"]);
    archive.valid_until = Some(Timestamp::now() + SignedDuration::from_hours(1));
    archive.publish();
    assert!(archive.releases(archive.source()).is_ok());

    // Older than one that was seen, although it has no Valid-Until.
    archive.date = Timestamp::now() - SignedDuration::from_hours(200);
    archive.valid_until = None;
    archive.publish();
    let (error, hints) = archive.error(archive.source());
    assert!(error.contains(", but an earlier run has seen that of "), "{error}");
    assert_eq!(hints, ["try again later: the mirror is being updated, or serves an old state"]);

    // Without a network, the newest one that was seen is used.
    let offline = DownloadOptions { offline: true, ..DownloadOptions::default() };
    let source = archive.source();
    assert!(archive.with_options(&offline, |archives| archives.releases(&[source])).is_ok());
    let elsewhere = AptSource { uri: "http://host.invalid/debian".parse().unwrap(), ..archive.source() };
    let refused = archive.with_options(&offline, |archives| archives.releases(&[elsewhere]));
    let (error, hints) = explained(refused.unwrap_err());
    assert_eq!(
        error,
        "the release `http://host.invalid/debian stable main` is not in the cache, and the network is disabled"
    );
    assert_eq!(hints, ["run once without --offline to fill the cache"]);
}

#[test]
fn indexes_have_the_digests_of_the_release() {
    let mut archive = TestArchive::new(&package("tini", "1", ""));
    assert_eq!(archive.index().unwrap().names().count(), 1);
    archive.by_hash = false;
    archive.packages += &package("libpq5", "1", "");
    archive.publish();
    assert_eq!(archive.index().unwrap().names().count(), 2);

    archive.packages += &package("ffmpeg", "1", "");
    archive.publish();
    let tampered = archive.packages.replace("ffmpeg", "ffmpej");
    archive.serve("dists/stable/main/binary-amd64/Packages", tampered.as_bytes());
    let (error, hints) = explained(archive.index().unwrap_err());
    assert!(error.contains("main/binary-amd64/Packages") && error.contains("does not match"), "{error}");
    assert_eq!(hints, ["try again later: the mirror may be damaged"]);

    archive.server.answer("/debian/dists/stable/main/binary-amd64/Packages", [Answer::status(404)]);
    let (error, hints) = explained(archive.index().unwrap_err());
    assert!(error.contains("the server returned 404"), "{error}");
    assert_eq!(hints, ["check `uris` and `suites` of the source"]);

    let other = AptSource { components: vec!["extra".to_owned()], ..archive.source() };
    let releases = archive.releases(other).unwrap();
    let missing = archive.with(|archives| archives.packages(&releases, &"amd64".parse().unwrap()));
    let (error, hints) = explained(missing.unwrap_err());
    assert!(error.ends_with("stable` has no packages for amd64 in the component `extra`"), "{error}");
    assert_eq!(hints, ["set `components` of the source to some of main, contrib"]);

    archive.packages = "Package: a b\nVersion: 1\n".to_owned();
    archive.publish();
    let (error, _) = explained(archive.index().unwrap_err());
    assert!(error.contains("is invalid: the package `a b`: `a b` is not a valid package name"), "{error}");
}

#[test]
fn credentials_are_asked_for_and_sent() {
    let archive = TestArchive::new(&package("tini", "1", ""));
    let release = std::fs::read(archive.gpg.home.path().join("InRelease")).unwrap();
    archive.server.answer("/debian/dists/stable/InRelease", [Answer::file(&release).for_login("user:secret")]);
    let (error, hints) = archive.error(archive.source());
    assert!(error.contains("the server returned 401"), "{error}");
    assert_eq!(hints, ["write `machine HOST login USER password PASSWORD` into .netrc or auth.conf"]);
    let mut uri = archive.source().uri;
    uri.set_username("user").unwrap();
    uri.set_password(Some("secret")).unwrap();
    let releases = archive.releases(AptSource { uri, ..archive.source() }).unwrap();
    assert!(!format!("{releases:?}").contains("secret"), "{releases:?}");
}

#[test]
fn debs_that_left_the_archive_are_fetched_from_its_snapshot() {
    let archive = TestArchive::new(&(package("tini", "1", "") + &package("libpq5", "1", "")));
    let releases = archive.releases(archive.source()).unwrap();
    let index = archive.index().unwrap();
    let locked: Vec<LockedPackage> = ["tini", "libpq5"]
        .iter()
        .map(|name| {
            let offer = index.latest(&name.parse().unwrap()).unwrap();
            let (stanza, file) = (index.stanza(offer).unwrap(), index.file(offer).unwrap());
            LockedPackage {
                name: stanza.name,
                version: stanza.version,
                architecture: stanza.architecture,
                multi_arch: None,
                source: stanza.source.0,
                source_version: stanza.source.1,
                release: releases[0].locked.label(),
                filename: file.filename,
                size: file.size,
                sha256: file.sha256,
            }
        })
        .collect();
    let packages: Vec<_> = locked.iter().map(|package| (package, &releases[0].locked)).collect();
    let sources = [archive.source()];
    let fetch = || archive.with(|archives| archives.debs(&packages, &sources));

    let (error, hints) = explained(fetch().unwrap_err());
    assert!(error.starts_with("cannot fetch ") && error.contains("/snapshot/") && error.contains("404"), "{error}");
    assert_eq!(hints, ["lock the versions that the archive has now with `pybundle apt lock --upgrade`"]);
    let time = (archive.date + SignedDuration::from_hours(12)).strftime("%Y%m%dT%H%M%SZ").to_string();
    archive.server.answer(&format!("/snapshot/{time}/pool/tini_1_amd64.deb"), [Answer::file(&deb("tini", "1"))]);
    archive.serve("pool/libpq5_1_amd64.deb", &deb("libpq5", "2"));
    let (error, _) = explained(fetch().unwrap_err());
    assert!(error.contains("libpq5 1 amd64") && error.contains("does not match"), "{error}");
    archive.serve("pool/libpq5_1_amd64.deb", &deb("libpq5", "1"));
    let fetched = fetch().unwrap();
    let contents: Vec<_> = fetched.iter().map(|deb| std::fs::read(&deb.path).unwrap()).collect();
    assert_eq!(contents, [deb("tini", "1"), deb("libpq5", "1")]);
    // They are in the cache now.
    let count = archive.server.requests("/debian/pool/libpq5_1_amd64.deb").len();
    fetch().unwrap();
    assert_eq!(archive.server.requests("/debian/pool/libpq5_1_amd64.deb").len(), count);

    // The disk cuts off a file that is read after it was verified.
    let damaged = &fetched[1].path;
    let file = std::fs::OpenOptions::new().read(true).write(true).open(damaged).unwrap();
    file.set_len(file.metadata().unwrap().len() - 1).unwrap();
    let error = Deb::open(damaged, &file).err().unwrap();
    assert_eq!(error.hints(), ["run pybundle again: a damaged file is downloaded anew"]);
    fetch().unwrap();
    assert_eq!(std::fs::read(damaged).unwrap(), deb("libpq5", "1"));
    assert_eq!(archive.server.requests("/debian/pool/libpq5_1_amd64.deb").len(), count + 1);
}

fn resolve(packages: &str, status: &str, requests: &[&str]) -> Result<ResolvedClosure, ResolveError> {
    let mut index = PackageIndex::default();
    index.add(packages.as_bytes(), 0).unwrap();
    let status = DpkgStatus::read(status.as_bytes(), "amd64").unwrap();
    let requests: Vec<PackageRequest> = requests.iter().map(|request| request.parse().unwrap()).collect();
    AptResolver::new(&index, &status, BTreeMap::new()).resolve(&requests)
}

fn names(closure: &ResolvedClosure) -> Vec<String> {
    closure.packages.iter().map(|package| format!("{} {}", package.stanza.name, package.stanza.version)).collect()
}

#[test]
fn what_cannot_be_resolved_is_an_error_with_a_hint() {
    let present = |name: &str, version: &str, fields: &str| {
        format!("Package: {name}\nStatus: install ok installed\nVersion: {version}\nArchitecture: amd64\n{fields}\n")
    };
    let archive = package("tini", "2", "")
        + &package("libpq5", "1", "Depends: libssl (>= 3)\n")
        + &package("libssl", "2", "")
        + &package("exim", "1", "Provides: mta\nConflicts: mta\n")
        + &package("postfix", "1", "Provides: mta\nConflicts: mta\n")
        + &package("perl", "2", "Depends: perl-base (= 2)\n")
        + &package("perl-base", "2", "");
    let base =
        present("perl-base", "1", "") + &present("user", "1", "Depends: perl-base (= 1)\n") + &present("tini", "3", "");
    for (requests, base, error, hint) in [
        (
            &["libpq"][..],
            "",
            "no archive of the base's release has the package `libpq`",
            Some("did you mean `libpq5`?"),
        ),
        (
            &["nonsense"],
            "",
            "no archive of the base's release has the package `nonsense`",
            Some("to find the package with a library or a command, run `pybundle apt search-file nonsense`"),
        ),
        (&["tini=1"], "", "no archive has version 1 of `tini`: available are 2", Some("request `tini=2`")),
        (
            &["tini=2"],
            &base,
            "cannot install `tini=2`: the base has the later version 3",
            Some("request `tini` without a version"),
        ),
        (
            &["mta"],
            "",
            "`mta` is a virtual package that several packages provide: exim, postfix",
            Some("request one of them, for instance `exim`"),
        ),
        (&["libpq5"], "", "`libpq5` depends on `libssl (>= 3)`, which no package satisfies (available is 2)", None),
        (&["exim", "postfix"], "", "`exim 1` conflicts with `postfix 1` (mta)", Some("request one without the other")),
        (&["perl"], &base, "`user 1` of the base depends on `perl-base (= 1)`, which an upgrade removes", None),
    ] {
        let refused = resolve(&archive, base, requests).unwrap_err();
        assert_eq!(refused.to_string(), error);
        assert_eq!(refused.hints().first().map(String::as_str), hint, "{error}");
    }
    let closure = resolve(&archive, &present("perl-base", "1", ""), &["perl"]).unwrap();
    assert_eq!(names(&closure), ["perl-base 2", "perl 2"]);
    assert_eq!(closure.packages[0].replaces.as_ref().unwrap().as_str(), "1");
    let closure = resolve(&archive, &base, &["tini", "libssl", "libssl=2"]).unwrap();
    assert_eq!(names(&closure), ["libssl 2"]);
    let installed: BTreeSet<String> =
        closure.installed.iter().map(|(name, version)| format!("{name} {version}")).collect();
    assert_eq!(installed, ["tini 3".to_owned()].into());
}
