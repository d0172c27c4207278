//! The distribution of a base: which archives it installs from, and whose keys it trusts.

use url::Url;

use super::AptSource;
use crate::debian::openpgp::ArchiveKeyring;
use crate::debian::{DebianArchitecture, os_release};
use crate::hints::Hints;

/// The keys of Debian 12 and 13, for bases without a keyring: each release has one for its archive, one for its security
/// archive and one for the stable release. From the package debian-archive-keyring, without certifications by others.
const DEBIAN_KEYS: &[u8] = include_bytes!("debian-archive-keys.gpg");

/// A base whose packages cannot be installed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsupportedDistribution {
    /// The base has no os-release.
    #[error("the base has no file os-release, so that its distribution is unknown")]
    Unknown,
    /// The base is another system.
    #[error("the base is {0}, which has no dpkg: expected Debian or Ubuntu")]
    Other(String),
    /// The base does not say which release it is.
    #[error("the base is {0}, but its os-release has no VERSION_CODENAME")]
    NoCodename(String),
}

impl Hints for UnsupportedDistribution {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Unknown | Self::Other(_) => {
                let mut hints =
                    vec!["choose a base of Debian or Ubuntu, for instance --base python:3.13-slim".to_owned()];
                // Lambda's runtimes search `lib` in the directory of the function.
                if matches!(self, Self::Other(name) if name.starts_with("Amazon Linux")) {
                    hints.push("include a library of Amazon Linux: --include libpq.so.5:lib/libpq.so.5".to_owned());
                }
                hints
            }
            Self::NoCodename(_) => {
                vec!["choose a base of a release, for instance --base python:3.13-slim".to_owned()]
            }
        }
    }
}

/// The distribution of a base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebianDistribution {
    kind: DistributionKind,
    /// The name of the release, for instance `bookworm`.
    pub codename: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DistributionKind {
    Debian,
    Ubuntu,
}

impl DebianDistribution {
    /// Reads [os-release(5)](https://manpages.debian.org/os-release.5) of a base.
    ///
    /// # Errors
    /// The base has no such file, or is neither Debian nor Ubuntu.
    pub fn of_os_release(text: Option<&str>) -> Result<Self, UnsupportedDistribution> {
        let fields = os_release(text.ok_or(UnsupportedDistribution::Unknown)?);
        let pretty = || {
            let name = fields.get("PRETTY_NAME").or_else(|| fields.get("NAME")).or_else(|| fields.get("ID"));
            name.map_or_else(|| "an unknown system".to_owned(), |name| name.escape_debug().to_string())
        };
        let kind = match fields.get("ID").copied() {
            Some("debian") => DistributionKind::Debian,
            Some("ubuntu") => DistributionKind::Ubuntu,
            _ => return Err(UnsupportedDistribution::Other(pretty())),
        };
        // distroless has only the number.
        let by_number = || match (kind, fields.get("VERSION_ID").copied()) {
            (DistributionKind::Debian, Some("12")) => Some("bookworm".to_owned()),
            (DistributionKind::Debian, Some("13")) => Some("trixie".to_owned()),
            _ => None,
        };
        let is_name = |name: &String| name.bytes().all(|byte| byte.is_ascii_lowercase()) && !name.is_empty();
        let codename = fields.get("VERSION_CODENAME").map(|name| (*name).to_owned()).filter(is_name).or_else(by_number);
        let codename = codename.ok_or_else(|| UnsupportedDistribution::NoCodename(pretty()))?;
        Ok(Self { kind, codename })
    }

    /// Tells whether the resolution was compared with that of apt for this release.
    pub fn is_proven(&self) -> bool {
        self.kind == DistributionKind::Debian && matches!(self.codename.as_str(), "bookworm" | "trixie")
    }

    /// Returns the keys that the base trusts, given its files below `etc/apt/trusted.gpg.d` and `usr/share/keyrings`, and
    /// those that are built in. Files that are not keyrings are skipped, as apt skips them.
    pub fn keyring<'a>(&self, files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> ArchiveKeyring {
        let mut keyring = match self.kind {
            DistributionKind::Debian => ArchiveKeyring::parse(DEBIAN_KEYS).unwrap_or_default(),
            DistributionKind::Ubuntu => ArchiveKeyring::default(),
        };
        for (_, bytes) in files.into_iter().filter(|(path, _)| self.is_keyring(path)) {
            if let Ok(keys) = ArchiveKeyring::parse(bytes) {
                keyring.extend(keys);
            }
        }
        keyring
    }

    /// Tells whether the base trusts the keys of a file for all archives. Others are for one archive, or were removed.
    fn is_keyring(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        let stem = match self.kind {
            DistributionKind::Debian => "debian-archive-",
            DistributionKind::Ubuntu => "ubuntu-archive-keyring",
        };
        let is_own = name.starts_with(stem) && !name.contains("removed");
        path.starts_with("etc/apt/trusted.gpg.d/") || (path.starts_with("usr/share/keyrings/") && is_own)
    }

    /// Returns the archives that the distribution installs from: the release, its updates and its security updates.
    pub fn sources(&self, architecture: &DebianArchitecture, keyring: &ArchiveKeyring) -> Vec<AptSource> {
        let Self { kind, codename } = self;
        let suites = [codename.clone(), format!("{codename}-updates"), format!("{codename}-security")];
        let sources = suites.into_iter().map(|suite| {
            let is_security = suite.ends_with("-security");
            let (uri, snapshot, components): (&str, Option<&str>, &[&str]) = match kind {
                DistributionKind::Debian if is_security => (
                    "http://deb.debian.org/debian-security",
                    Some("https://snapshot.debian.org/archive/debian-security"),
                    &["main"],
                ),
                DistributionKind::Debian => {
                    ("http://deb.debian.org/debian", Some("https://snapshot.debian.org/archive/debian"), &["main"])
                }
                // Of Ubuntu's architectures, only these are in the main archive.
                DistributionKind::Ubuntu if !matches!(architecture.as_str(), "amd64" | "i386") => {
                    ("http://ports.ubuntu.com/ubuntu-ports", None, &["main", "universe"])
                }
                DistributionKind::Ubuntu if is_security => {
                    ("http://security.ubuntu.com/ubuntu", None, &["main", "universe"])
                }
                DistributionKind::Ubuntu => ("http://archive.ubuntu.com/ubuntu", None, &["main", "universe"]),
            };
            let parse = |text: &str| Url::parse(text).ok();
            parse(uri).map(|uri| AptSource {
                uri,
                suite,
                components: components.iter().map(|component| (*component).to_owned()).collect(),
                keyring: keyring.clone(),
                snapshot: snapshot.and_then(parse),
            })
        });
        sources.flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archives_follow_from_the_release() {
        for (text, sources) in [
            (
                "ID=debian\nVERSION_CODENAME=trixie\n",
                "http://deb.debian.org/debian trixie main|http://deb.debian.org/debian trixie-updates main|http://deb.debian.org/debian-security trixie-security main",
            ),
            (
                "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID='debian'",
                "http://deb.debian.org/debian bookworm main|http://deb.debian.org/debian bookworm-updates main|http://deb.debian.org/debian-security bookworm-security main",
            ),
            (
                "ID=ubuntu\nUBUNTU_CODENAME=noble\nVERSION_CODENAME=noble",
                "http://ports.ubuntu.com/ubuntu-ports noble main universe|http://ports.ubuntu.com/ubuntu-ports noble-updates main universe|http://ports.ubuntu.com/ubuntu-ports noble-security main universe",
            ),
        ] {
            let distribution = DebianDistribution::of_os_release(Some(text)).unwrap();
            let found = distribution.sources(&"arm64".parse().unwrap(), &ArchiveKeyring::default());
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            assert_eq!(found.join("|"), sources);
            assert_eq!(distribution.is_proven(), !text.contains("ubuntu"));
        }
    }

    #[test]
    fn other_systems_are_refused() {
        for (text, expected) in [
            (None, "the base has no file os-release, so that its distribution is unknown"),
            (
                Some("ID=alpine\nPRETTY_NAME=\"Alpine Linux v3.22\""),
                "the base is Alpine Linux v3.22, which has no dpkg: expected Debian or Ubuntu",
            ),
            (
                Some("ID=\"amzn\"\nNAME=\"Amazon Linux\""),
                "the base is Amazon Linux, which has no dpkg: expected Debian or Ubuntu",
            ),
            (
                Some("ID=debian\nVERSION_CODENAME=../x"),
                "the base is debian, but its os-release has no VERSION_CODENAME",
            ),
        ] {
            let error = DebianDistribution::of_os_release(text).unwrap_err();
            assert_eq!(error.to_string(), expected);
            assert!(error.hints()[0].starts_with("choose a base of "), "{:?}", error.hints());
        }
    }

    #[test]
    fn the_built_in_keys_are_those_of_debian() {
        let distribution = DebianDistribution { kind: DistributionKind::Debian, codename: "trixie".to_owned() };
        let built_in = distribution.keyring([]);
        // As published on <https://ftp-master.debian.org/keys.html>.
        let expected = [
            "B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8",
            "05AB90340C0C5E797F44A8C8254CF3B5AEC0A8F0",
            "4D64FEC119C2029067D6E791F8D2585B8783D481",
            "04B54C3CDCA79751B16BC6B5225629DF75B188BD",
            "5E04A1E3223A19A20706E20F9904613D4CCE68C6",
            "41587F7DB8C774BCCF131416762F67A0B2C39DE4",
        ];
        let found: Vec<String> = built_in.fingerprints().iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
        let files = [
            ("usr/share/keyrings/nodesource.gpg", &b"\x99"[..]),
            ("usr/share/keyrings/debian-archive-removed-keys.gpg", DEBIAN_KEYS),
            ("usr/share/keyrings/debian-archive-keyring.gpg", DEBIAN_KEYS),
            ("etc/apt/trusted.gpg.d/readme", b"text"),
        ];
        assert_eq!(distribution.keyring(files), built_in);
    }
}
