//! Closures, with apt-get as the judge.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use pybundle::apt::archive::{Archives, VerifiedRelease};
use pybundle::apt::packages::PackageIndex;
use pybundle::apt::resolve::{AptResolver, ResolvedClosure};
use pybundle::apt::{DebianDistribution, PackageRequest};
use pybundle::cache::Cache;
use pybundle::debian::{DebianArchitecture, DpkgStatus};
use pybundle::fetch::DownloadOptions;
use pybundle::report::Silent;

use crate::support::command::cache;
use crate::support::sample::is_every_case;
use crate::system_apt::SystemApt;

/// What services in Python ask for, by the names in Debian 12 and, where another one, in Debian 13.
const CORPUS: &[&str] = &[
    "libpq5",
    "tini",
    "ffmpeg",
    "libgl1",
    "libglib2.0-0 libglib2.0-0t64",
    "gdal-bin",
    "imagemagick",
    "netcat-openbsd",
    "graphviz",
    "libgdk-pixbuf-2.0-0",
    "tdsodbc",
    "nginx",
    "iputils-ping",
    "cron",
    "xz-utils",
    "less",
    "chromium",
    "wkhtmltopdf qpdf",
    "tesseract-ocr",
    "ghostscript",
    "git",
    "curl",
    "postgresql-client",
    "default-mysql-client",
    "nodejs",
    "poppler-utils",
    "supervisor",
    "libmagic1 libmagic1t64",
    "libsndfile1",
    "libzbar0 libzbar0t64",
    "libreoffice-writer-nogui",
    "unixodbc",
    "libxml2",
    "libxslt1.1",
    "libcairo2",
    "libpango-1.0-0",
    "libsm6",
    "libxext6",
    "libxrender1",
    "libfontconfig1",
    "libgomp1",
    "libaio1 libaio1t64",
    "libsqlite3-0",
    "sqlite3",
    "redis-tools",
    "wget",
    "ca-certificates",
    "openssl",
    "procps",
    "vim-tiny",
    "nano",
    "jq",
    "unzip",
    "zip",
    "p7zip-full",
    "rsync",
    "openssh-client",
    "gnupg",
    "build-essential",
    "pkg-config",
    "libpq-dev",
    "default-jre-headless",
    "r-base-core",
    "pandoc",
    "texlive-latex-base",
    "libmemcached11 libmemcached11t64",
    "libsasl2-modules",
    "krb5-user",
    "libldap-2.5-0 libldap2",
    "freetds-bin",
    "exiftool",
    "mediainfo",
    "sox",
    "libvips42 libvips42t64",
    "locales",
    "tzdata",
    "dumb-init",
    "gosu",
];

/// The part of the corpus that the test suite resolves together for every release and architecture.
const PART: &[&str] =
    &["ffmpeg", "gdal-bin", "nginx", "default-mysql-client", "build-essential", "libreoffice-writer-nogui"];

/// What is judged of a package: its name, version, and the version that it replaces.
type Installed = BTreeSet<(String, String, Option<String>)>;

/// A release for an architecture, for pybundle and for apt.
struct Judged {
    apt: SystemApt,
    index: PackageIndex,
    status_path: PathBuf,
    status: DpkgStatus,
}

impl Judged {
    /// With the status of a slim base: what debootstrap's variant minbase installs.
    fn of(codename: &'static str, architecture: &'static str) -> Self {
        let apt = SystemApt::of(codename, architecture);
        let index = fetch_index(codename, architecture);
        let status_text = slim_status(&apt);
        Self::with_status(apt, index, status_text, architecture)
    }

    fn with_status(apt: SystemApt, index: PackageIndex, status_text: String, architecture: &str) -> Self {
        let status_path = apt.status().with_file_name(format!("status-{}", status_text.len()));
        fs::write(&status_path, &status_text).unwrap();
        let status = DpkgStatus::read(status_text.as_bytes(), architecture).unwrap();
        Self { apt, index, status_path, status }
    }

    fn resolve(&self, names: &[&str]) -> Result<ResolvedClosure, String> {
        let requests: Vec<PackageRequest> = names.iter().map(|name| name.parse().unwrap()).collect();
        let resolver = AptResolver::new(&self.index, &self.status, BTreeMap::new());
        resolver.resolve(&requests).map_err(|error| error.to_string())
    }

    fn by_pybundle(&self, names: &[&str]) -> Result<Installed, String> {
        let packages = self.resolve(names)?.packages.into_iter().map(|package| {
            let replaces = package.replaces.map(|version| version.to_string());
            (package.stanza.name.to_string(), package.stanza.version.to_string(), replaces)
        });
        Ok(packages.collect())
    }

    /// What apt-get would install; an error if it would remove something, or cannot install it.
    fn by_apt(&self, names: &[&str]) -> Result<Installed, String> {
        simulate(&self.apt, &self.status_path, names)
    }

    /// Compares the closures of names; returns what differs.
    fn differences(&self, names: &[&str]) -> Option<String> {
        match (self.by_pybundle(names), self.by_apt(names)) {
            (Ok(found), Ok(expected)) if found == expected => None,
            (Ok(found), Ok(expected)) => Some(format!(
                "{names:?}: apt-get has {:?}, pybundle has {:?}",
                expected.difference(&found).collect::<Vec<_>>(),
                found.difference(&expected).collect::<Vec<_>>()
            )),
            (Err(_), Err(_)) => None,
            (found, expected) => Some(format!("{names:?}: apt-get {:?}, pybundle {:?}", expected.err(), found.err())),
        }
    }
}

fn simulate(apt: &SystemApt, status: &Path, names: &[&str]) -> Result<Installed, String> {
    let mut command = apt.command(Path::new("/usr/bin/apt-get"), status);
    let output = command.args(["install", "--simulate", "--no-install-recommends", "-y"]).args(names).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() || text.lines().any(|line| line.starts_with("Remv ")) {
        return Err(text + &String::from_utf8_lossy(&output.stderr));
    }
    let lines = text.lines().filter_map(|line| line.strip_prefix("Inst "));
    let installed = lines.map(|line| {
        let (name, rest) = line.split_once(' ').unwrap();
        let (old, rest) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (old, rest) = rest.split_once("] ").unwrap();
                (Some(old.to_owned()), rest)
            }
            None => (None, rest),
        };
        let version = rest.trim_start_matches('(').split_whitespace().next().unwrap();
        (name.to_owned(), version.to_owned(), old)
    });
    Ok(installed.collect())
}

/// Returns the verified releases and the packages of Debian's archives.
fn fetch_index(codename: &str, architecture: &str) -> PackageIndex {
    let cache = Cache::open(&cache().join("pybundle")).unwrap();
    let options = DownloadOptions::default();
    let archives = Archives { options: &options, cache: &cache, reporter: &Silent, now: Timestamp::now() };
    let os_release = format!("ID=debian\nVERSION_CODENAME={codename}\n");
    let distribution = DebianDistribution::of_os_release(Some(&os_release)).unwrap();
    let architecture: DebianArchitecture = architecture.parse().unwrap();
    let keyring = distribution.keyring([]);
    let releases: Vec<VerifiedRelease> = archives.releases(&distribution.sources(&architecture, &keyring)).unwrap();
    archives.packages(&releases, &architecture).unwrap()
}

/// Returns the status of a system with all required packages and apt.
fn slim_status(apt: &SystemApt) -> String {
    let output = apt.command(Path::new("/usr/bin/apt-cache"), &apt.status()).arg("dumpavail").output().unwrap();
    let available = String::from_utf8(output.stdout).unwrap();
    let field = |paragraph: &str, name: &str| {
        let line = paragraph.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.map(str::to_owned)
    };
    let mut stanzas = BTreeMap::new();
    let mut required = vec!["apt".to_owned(), "ca-certificates".to_owned(), "tzdata".to_owned()];
    for paragraph in available.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
        let name = field(paragraph, "Package").unwrap();
        if field(paragraph, "Priority").as_deref() == Some("required") || field(paragraph, "Essential").is_some() {
            required.push(name.clone());
        }
        stanzas.insert(name, paragraph.trim());
    }
    let names: Vec<&str> = required.iter().map(String::as_str).collect();
    let installed = simulate(apt, &apt.status(), &names).unwrap();
    assert!((80..130).contains(&installed.len()), "{}", installed.len());
    let paragraphs = installed.iter().map(|(name, version, _)| {
        let paragraph = stanzas[name];
        assert!(paragraph.contains(&format!("\nVersion: {version}\n")), "{name} {version}");
        paragraph.replacen('\n', "\nStatus: install ok installed\n", 1) + "\n\n"
    });
    paragraphs.collect()
}

/// Returns the names of the corpus for a release.
fn corpus(codename: &str, part: Option<&[&str]>) -> Vec<&'static str> {
    let names = CORPUS.iter().filter(|names| part.is_none_or(|part| part.contains(names)));
    names
        .map(|names| if codename == "trixie" { names.rsplit(' ').next() } else { names.split(' ').next() }.unwrap())
        .collect()
}

fn compare(codename: &'static str, architecture: &'static str) {
    let judged = Judged::of(codename, architecture);
    let is_whole = is_every_case();
    let names = corpus(codename, (!is_whole).then_some(PART));
    // Each answer of apt-get takes seconds.
    let alone = if is_whole { &names[..] } else { &[] };
    let mut differences: Vec<String> = alone.iter().filter_map(|name| judged.differences(&[name])).collect();
    differences.extend(judged.differences(&["tini", "libpq5", "ffmpeg"]));
    differences.extend(judged.differences(&names));
    println!("{codename} {architecture}: {} closures, {} differ", alone.len() + 2, differences.len());
    assert!(differences.is_empty(), "{codename} {architecture}\n{}", differences.join("\n"));
}

#[test]
fn closures_for_bookworm_are_those_of_apt_get() {
    compare("bookworm", "amd64");
    if is_every_case() {
        compare("bookworm", "arm64");
    }
}

#[test]
fn closures_for_trixie_are_those_of_apt_get() {
    compare("trixie", "arm64");
    if is_every_case() {
        compare("trixie", "amd64");
    }
}
