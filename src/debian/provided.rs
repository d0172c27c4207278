//! Which package provides a shared library or a program.
//!
//! The tables are made by `scripts/debian-provided` from the lists of files of Debian's archive.

use std::cmp::Ordering;
use std::fmt;

use super::os_release;

/// By the names that files are linked to. Each line is a name and its package, or its packages in Debian 12 and 13.
const LIBRARIES: &str = include_str!("provided/libraries.txt");

/// By the names of executables on `PATH`, in the same form.
const PROGRAMS: &str = include_str!("provided/programs.txt");

/// What stands for no package in a line.
const NONE: &str = "-";

/// A release of Debian that the tables have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DebianRelease {
    Bookworm,
    Trixie,
}

impl DebianRelease {
    /// Returns the release that a file [os-release](os_release) names; `None` if it is another system.
    pub(crate) fn of_os_release(text: &str) -> Option<Self> {
        let fields = os_release(text);
        match (*fields.get("ID")?, *fields.get("VERSION_ID")?) {
            ("debian", "12") => Some(Self::Bookworm),
            ("debian", "13") => Some(Self::Trixie),
            _ => None,
        }
    }

    /// Returns the package with a library, by the name that files are linked to.
    pub(crate) fn package_of_library(self, soname: &str) -> Option<&'static str> {
        self.package(LIBRARIES, soname)
    }

    /// Returns the package with a program, by its name on `PATH`.
    pub(crate) fn package_of_program(self, name: &str) -> Option<&'static str> {
        self.package(PROGRAMS, name)
    }

    fn package(self, table: &'static str, name: &str) -> Option<&'static str> {
        let mut packages = line_of(table, name)?.split(' ').skip(1);
        let bookworm = packages.next()?;
        let package = match self {
            Self::Bookworm => bookworm,
            Self::Trixie => packages.next().unwrap_or(bookworm),
        };
        (package != NONE).then_some(package)
    }
}

impl fmt::Display for DebianRelease {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Bookworm => "Debian 12",
            Self::Trixie => "Debian 13",
        })
    }
}

/// Returns the hint to add packages to an image.
pub(crate) fn apt_hint<'a>(packages: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = packages.into_iter().map(|package| format!("\"{package}\"")).collect();
    format!("add `apt = [{}]` to [tool.pybundle], and run `pybundle apt lock`", quoted.join(", "))
}

/// Returns the line of a sorted table that begins with a name.
fn line_of(table: &'static str, name: &str) -> Option<&'static str> {
    let mut rest = table;
    while !rest.is_empty() {
        let middle = rest.as_bytes()[..rest.len() / 2].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let line = rest[middle..].lines().next()?;
        match line.split(' ').next()?.cmp(name) {
            Ordering::Equal => return Some(line),
            Ordering::Greater => rest = &rest[..middle],
            Ordering::Less => rest = rest.get(middle + line.len() + 1..)?,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_change_between_releases() {
        let [bookworm, trixie] = [DebianRelease::Bookworm, DebianRelease::Trixie];
        for (soname, of_bookworm, of_trixie) in [
            ("libGL.so.1", Some("libgl1"), Some("libgl1")),
            ("libmagic.so.1", Some("libmagic1"), Some("libmagic1t64")),
            ("libgdal.so.32", Some("libgdal32"), None),
            ("libgdal.so.36", None, Some("libgdal36")),
            ("libnothing.so.1", None, None),
            ("", None, None),
        ] {
            assert_eq!(bookworm.package_of_library(soname), of_bookworm, "{soname}");
            assert_eq!(trixie.package_of_library(soname), of_trixie, "{soname}");
        }
        assert_eq!(trixie.package_of_program("ps"), Some("procps"));
        assert_eq!(
            [bookworm, trixie].map(|release| release.package_of_program("7z")),
            [Some("p7zip-full"), Some("7zip")]
        );
    }

    #[test]
    fn every_line_is_found() {
        for table in [LIBRARIES, PROGRAMS] {
            for line in table.lines() {
                let mut words = line.split(' ');
                assert_eq!(line_of(table, words.next().unwrap()), Some(line));
                assert!((1..=2).contains(&words.clone().count()), "{line}");
                for package in words.filter(|package| *package != NONE) {
                    assert!(package.parse::<crate::debian::PackageName>().is_ok(), "{line}");
                }
            }
        }
    }

    #[test]
    fn releases_are_known_by_os_release() {
        let bookworm = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n";
        assert_eq!(DebianRelease::of_os_release(bookworm), Some(DebianRelease::Bookworm));
        assert_eq!(DebianRelease::of_os_release("ID=debian\nVERSION_ID='13'\n"), Some(DebianRelease::Trixie));
        for other in ["ID=ubuntu\nVERSION_ID=\"24.04\"\n", "ID=debian\n", "ID=\"amzn\"\nVERSION_ID=\"2023\"\n", ""] {
            assert_eq!(DebianRelease::of_os_release(other), None, "{other}");
        }
    }
}
