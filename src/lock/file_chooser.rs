//! The choice of the file of a distribution that is installed on a target.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::error::{LockError, list};
use super::hints::python_hint;
use super::{
    DistributionFiles, DistributionSource, FileLocation, FormatControl, LockedWheel, PinnedDistribution,
    SelectedDistribution, SelectedSource, Selection, WantedWheel,
};
use crate::name::DistributionName;
use crate::platform::{
    CLibrary, CompatibilityTag, CompatibilityTags, Glibc, LambdaProfile, Musl, ProfileKind, TargetPlatform,
};
use crate::wheel::filename::WheelFilename;

/// The number of compatibility tags or files that a message lists.
const LISTED: usize = 6;

/// Chooses the files of distributions for one target.
#[derive(Debug)]
pub struct FileChooser<'a> {
    target: &'a TargetPlatform,
    tags: CompatibilityTags,
    formats: &'a FormatControl,
}

impl<'a> FileChooser<'a> {
    /// Returns a chooser for a target.
    pub fn new(target: &'a TargetPlatform, formats: &'a FormatControl) -> Self {
        Self { target, tags: target.tags(), formats }
    }

    /// Chooses the source of each distribution of a selection. Of its files, this is the most compatible wheel, or else the
    /// source distribution. Files on indexes must have been looked up before.
    ///
    /// # Errors
    ///
    /// Returns [`LockError::NoCompatibleFile`] if there is neither, or if neither may be used, and
    /// [`LockError::BuildNotAllowed`] for a repository or a directory that may not be built.
    pub fn choose(&self, selection: Selection) -> Result<Vec<SelectedDistribution>, LockError> {
        selection.distributions.into_iter().map(|pinned| self.choose_one(pinned)).collect()
    }

    fn choose_one(&self, mut pinned: PinnedDistribution) -> Result<SelectedDistribution, LockError> {
        let (mut unused_wheels, mut incompatibility) = (Vec::new(), None);
        let source = match &mut pinned.source {
            DistributionSource::Files(files) => {
                let files = std::mem::take(files);
                self.choose_file(&pinned, files, (&mut unused_wheels, &mut incompatibility))?
            }
            DistributionSource::Index(_) => return Err(self.no_file(&pinned, &DistributionFiles::default())),
            DistributionSource::Git(_) | DistributionSource::Directory(_) if !self.formats.may_build(&pinned.name) => {
                let excluded_by = self.formats.excluding_builds(&pinned.name);
                return Err(LockError::BuildNotAllowed { package: pinned.to_string(), excluded_by });
            }
            DistributionSource::Git(repository) => SelectedSource::Git(repository.clone()),
            DistributionSource::Directory(directory) => SelectedSource::Directory(directory.clone()),
            DistributionSource::Virtual(directory) => SelectedSource::Virtual(directory.clone()),
        };
        let PinnedDistribution { name, version, required_by, .. } = pinned;
        let excludes =
            matches!(source, SelectedSource::Sdist(_)) && !unused_wheels.is_empty() && incompatibility.is_none();
        let wheels_excluded_by = excludes.then(|| self.formats.excluding_wheels(&name));
        Ok(SelectedDistribution {
            name,
            version,
            required_by,
            source,
            unused_wheels,
            incompatibility,
            wheels_excluded_by,
        })
    }

    /// Moves the chosen file, and drops the others: a lock may list hundreds of wheels for each of thousands of distributions.
    fn choose_file(
        &self,
        pinned: &PinnedDistribution,
        mut files: DistributionFiles,
        (unused_wheels, incompatibility): (&mut Vec<WheelFilename>, &mut Option<String>),
    ) -> Result<SelectedSource, LockError> {
        let best = self.best(&files.wheels);
        if let Some((at, tag)) = best.filter(|_| self.formats.may_install(&pinned.name)) {
            return Ok(SelectedSource::Wheel(Box::new(files.wheels.swap_remove(at)), Arc::clone(tag)));
        }
        let Some(sdist) = files.sdist.take_if(|_| self.formats.may_build(&pinned.name)) else {
            return Err(self.no_file(pinned, &files));
        };
        if best.is_none() && !files.wheels.is_empty() {
            let available = self.available(&files.wheels, None);
            *incompatibility = Some(format!("{pinned} has no wheel for {}; {available}", self.summary()));
        }
        unused_wheels.extend(files.wheels.into_iter().map(|wheel| wheel.filename));
        Ok(SelectedSource::Sdist(sdist))
    }

    /// Returns the index of the wheel with the most preferred tag; among equal ones that with the highest build tag, else the
    /// first.
    fn best(&self, wheels: &[LockedWheel]) -> Option<(usize, &Arc<CompatibilityTag>)> {
        let matches = wheels.iter().enumerate().filter_map(|(at, wheel)| {
            let (rank, tag) = self.tags.best_match(&wheel.filename)?;
            Some(((rank, Reverse(&wheel.filename.build), at), tag))
        });
        matches.min_by_key(|(key, _)| *key).map(|((.., at), tag)| (at, tag))
    }

    /// Returns whether all wheels are compiled, and none is compatible with the target.
    pub(crate) fn lacks_compiled_wheel(&self, wheels: &[LockedWheel]) -> bool {
        let is_compiled = !wheels.is_empty() && wheels.iter().all(|wheel| !wheel.filename.is_any());
        is_compiled && self.best(wheels).is_none()
    }

    fn no_file(
        &self,
        pinned: &PinnedDistribution,
        DistributionFiles { wheels, sdist, unusable }: &DistributionFiles,
    ) -> LockError {
        let name = &pinned.name;
        let is_compatible = self.best(wheels).is_some();
        let mut hints = Vec::new();
        if let Some(sdist) = sdist {
            let excluding = self.formats.excluding_builds(name);
            hints.push(format!("allow `{}` to be built: it is excluded by {excluding}", sdist.file.filename));
        }
        let excludes_wheels = !self.formats.may_install(name);
        if !is_compatible {
            hints.extend(marker_hint(name, wheels));
            hints.extend(python_hint(&self.compatible_pythons(wheels), "for which it has a wheel"));
            hints.extend(self.c_library_hint(wheels));
        }
        if excludes_wheels {
            let excluding = self.formats.excluding_wheels(name);
            hints.push(match sdist {
                // No wheel of another version or for another target would be used either.
                _ if !is_compatible => {
                    format!("then allow the wheels of {name}, too: they are excluded by {excluding}")
                }
                Some(_) => format!("allow the wheels of {name}: they are excluded by {excluding}"),
                None => format!(
                    "allow the wheels of {name}: they are excluded by {excluding}, and it has no source distribution"
                ),
            });
        }
        LockError::NoCompatibleFile {
            package: pinned.to_string(),
            target: self.summary(),
            available: match &wheels[..] {
                [] if sdist.is_none() && !unusable.is_empty() => {
                    format!(
                        "it has only {}, whose format is not supported",
                        shortened(unusable.iter().map(quoted).collect())
                    )
                }
                _ => self.available(wheels, sdist.as_ref().map(|sdist| sdist.file.filename.as_str())),
            },
            wanted: pinned.version.as_ref().filter(|_| !is_compatible).map(|version| {
                let index = wheels.iter().find_map(|wheel| match &wheel.location {
                    FileLocation::Url { index, .. } => index.as_deref().cloned(),
                    FileLocation::Path(_) => None,
                });
                Box::new(WantedWheel { name: name.clone(), version: version.clone(), index, known: None })
            }),
            hints,
        }
    }

    /// Returns the flags that select a version of Python for which one of the wheels is compatible, on the target's
    /// architecture.
    fn compatible_pythons(&self, wheels: &[LockedWheel]) -> Vec<String> {
        let compatible = LambdaProfile::all().filter(|profile| {
            let tags = match self.target.kind {
                ProfileKind::Lambda => profile.target(self.target.architecture).tags(),
                ProfileKind::Image => TargetPlatform { python: profile.python, ..self.target.clone() }.tags(),
            };
            wheels.iter().any(|wheel| tags.best_match(&wheel.filename).is_some())
        });
        compatible.map(|profile| self.target.python_flag(profile.python)).collect()
    }

    /// Returns the other C library if a wheel is compatible with a base that has it.
    fn c_library_hint(&self, wheels: &[LockedWheel]) -> Option<String> {
        let libc = match self.target.libc {
            CLibrary::Glibc(_) => CLibrary::Musl(Musl { minor: 2, patch: u8::MAX }),
            CLibrary::Musl(_) => CLibrary::Glibc(Glibc { major: 2, minor: u8::MAX.into() }),
        };
        let tags = TargetPlatform { libc, ..self.target.clone() }.tags();
        let is_compatible = wheels.iter().any(|wheel| tags.best_match(&wheel.filename).is_some());
        let is_image = self.target.kind == ProfileKind::Image;
        (is_image && is_compatible)
            .then(|| format!("choose a base with {}, for which it has a wheel, with --base", libc.name()))
    }

    /// Returns the target's preferred tag, for messages: `cp312 on manylinux_2_26_x86_64`.
    fn summary(&self) -> String {
        match self.tags.as_slice().first() {
            Some(tag) => format!("{} on {}", tag.abi, tag.platform),
            None => "a target without tags".to_owned(),
        }
    }

    /// Returns whether a wheel supports the target's interpreter, on any platform.
    fn supports_interpreter(&self, filename: &WheelFilename) -> bool {
        self.tags
            .as_slice()
            .iter()
            .any(|tag| filename.python_tags.contains(&tag.python) && filename.abi_tags.contains(&tag.abi))
    }

    /// Returns what is available instead of a compatible wheel, for messages.
    fn available(&self, wheels: &[LockedWheel], sdist: Option<&str>) -> String {
        if self.best(wheels).is_some() {
            return "its wheels are excluded".to_owned();
        }
        if wheels.is_empty() {
            return match sdist {
                Some(sdist) => format!("it has only the source distribution `{sdist}`"),
                None => "the lock lists no files of it".to_owned(),
            };
        }
        let platforms: BTreeSet<&str> = wheels
            .iter()
            .filter(|wheel| self.supports_interpreter(&wheel.filename))
            .flat_map(|wheel| wheel.filename.platform_tags.iter().map(String::as_str))
            .collect();
        if platforms.is_empty() {
            let interpreters = wheels.iter().flat_map(|wheel| {
                let filename = &wheel.filename;
                filename
                    .python_tags
                    .iter()
                    .zip(filename.abi_tags.iter().cycle())
                    .map(|(python, abi)| if python == abi { python.clone() } else { format!("{python}-{abi}") })
            });
            return format!("it has wheels for {}", shortened(interpreters.collect()));
        }
        let suffix = Some(self.target.architecture.wheel_name());
        let oldest_glibc = platforms
            .iter()
            .filter_map(|platform| glibc_of(platform))
            .filter(|(_, architecture)| Some(*architecture) == suffix)
            .map(|(version, _)| version)
            .min();
        match oldest_glibc {
            Some((major, minor)) => format!("it has wheels for manylinux_{major}_{minor} and later"),
            None => format!("it has wheels for {}", shortened(platforms.into_iter().map(str::to_owned).collect())),
        }
    }
}

/// Returns the hint to require a distribution only on the operating system that all of its wheels are for; `None` if they are
/// for several, or for Linux.
fn marker_hint(name: &DistributionName, wheels: &[LockedWheel]) -> Option<String> {
    const SYSTEMS: [(&str, &str, &str); 2] = [("win", "Windows", "win32"), ("macosx", "macOS", "darwin")];
    let tags: BTreeSet<&str> =
        wheels.iter().flat_map(|wheel| wheel.filename.platform_tags.iter().map(String::as_str)).collect();
    let (_, system, value) =
        SYSTEMS.into_iter().find(|(prefix, ..)| !tags.is_empty() && tags.iter().all(|tag| tag.starts_with(prefix)))?;
    Some(format!(
        "if only {system} needs {name}, require it with the marker `; sys_platform == '{value}'`, and lock again"
    ))
}

/// Returns the version of glibc and the architecture of a manylinux tag. PEP 600 defines the older names as aliases.
fn glibc_of(platform: &str) -> Option<((u16, u16), &str)> {
    let rest = platform.strip_prefix("manylinux")?;
    for (alias, version) in [("1_", (2, 5)), ("2010_", (2, 12)), ("2014_", (2, 17))] {
        if let Some(architecture) = rest.strip_prefix(alias) {
            return Some((version, architecture));
        }
    }
    let (major, rest) = rest.strip_prefix('_')?.split_once('_')?;
    let (minor, architecture) = rest.split_once('_')?;
    Some(((major.parse().ok()?, minor.parse().ok()?), architecture))
}

/// Lists tags or files, at most [`LISTED`] of them.
fn shortened(items: BTreeSet<String>) -> String {
    let count = items.len();
    let mut listed: Vec<String> = items.into_iter().take(LISTED).collect();
    if count > LISTED {
        listed.push(format!("{} more", count - LISTED));
    }
    list(&listed)
}

fn quoted(filename: &String) -> String {
    format!("`{filename}`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::DistributionSet;

    #[test]
    fn sources_that_may_not_be_built_are_refused_unless_they_are_virtual() {
        let directory = DistributionSource::Directory("demo".into());
        let (url, commit) = ("https://host/demo".to_owned(), "0".repeat(40));
        let repository =
            DistributionSource::Git(super::super::GitSource { url, commit, subdirectory: None, lfs: false });
        let demo = DistributionSet::Named(BTreeSet::from(["demo".parse().unwrap()]));
        for (no_build, source) in
            [(DistributionSet::All, directory.clone()), (demo, directory.clone()), (DistributionSet::All, repository)]
        {
            assert!(
                matches!(choose(no_build, source), Err(LockError::BuildNotAllowed { package, .. }) if package == "demo")
            );
        }
        let other = DistributionSet::Named(BTreeSet::from(["other".parse().unwrap()]));
        for (no_build, source) in
            [(other, directory), (DistributionSet::All, DistributionSource::Virtual("demo".into()))]
        {
            assert_eq!(choose(no_build, source).unwrap().len(), 1);
        }
    }

    /// Chooses the file of the distribution `demo`.
    fn choose(no_build: DistributionSet, source: DistributionSource) -> Result<Vec<SelectedDistribution>, LockError> {
        let target = LambdaProfile::built_in("python3.12").unwrap().target(crate::platform::Architecture::X86_64);
        let (name, version, required_by) = ("demo".parse().unwrap(), None, Vec::new());
        let distributions = vec![PinnedDistribution { name, version, required_by, source }];
        let formats = FormatControl { no_build, ..FormatControl::default() };
        FileChooser::new(&target, &formats).choose(Selection { distributions })
    }

    #[test]
    fn manylinux_tags_contain_a_version_of_glibc() {
        for (tag, glibc) in [
            ("manylinux_2_27_x86_64", Some(((2, 27), "x86_64"))),
            ("manylinux2014_aarch64", Some(((2, 17), "aarch64"))),
            ("manylinux1_i686", Some(((2, 5), "i686"))),
            ("musllinux_1_2_x86_64", None),
            ("manylinux_x_y_z", None),
        ] {
            assert_eq!(glibc_of(tag), glibc, "{tag}");
        }
    }
}
