//! Choosing, of a distribution's files, the one that is installed on a target.

use std::collections::BTreeSet;

use super::error::{LockError, list};
use super::{Files, LockedWheel, Pinned, Selected, SelectedSource, Selection, Source};
use crate::name::{DistributionName, InvalidName};
use crate::platform::{CompatibilityTag, CompatibilityTags, LambdaProfile, TargetPlatform};

/// How many compatibility tags a message lists.
const LISTED_TAGS: usize = 6;

/// A set of distributions, as pip's and uv's flags name it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Packages {
    /// None.
    #[default]
    None,
    /// Those with these names.
    Named(BTreeSet<DistributionName>),
    /// All of them.
    All,
}

impl Packages {
    /// Returns all distributions, or else those with some names, as a flag for all and one for each of them say it.
    pub fn of(all: bool, names: impl IntoIterator<Item = DistributionName>) -> Self {
        let names: BTreeSet<DistributionName> = names.into_iter().collect();
        match (all, names.is_empty()) {
            (true, _) => Self::All,
            (false, true) => Self::None,
            (false, false) => Self::Named(names),
        }
    }

    /// Returns whether a distribution is one of them.
    pub fn contains(&self, name: &DistributionName) -> bool {
        match self {
            Self::None => false,
            Self::Named(names) => names.contains(name),
            Self::All => true,
        }
    }

    /// Returns whether a distribution is one of them by its name.
    fn names(&self, name: &DistributionName) -> bool {
        matches!(self, Self::Named(names) if names.contains(name))
    }

    /// Returns those of both sets.
    pub fn union(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::None, packages) | (packages, Self::None) => packages,
            (Self::Named(mut names), Self::Named(others)) => {
                names.extend(others);
                Self::Named(names)
            }
        }
    }
}

/// Which forms of distributions may be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormatControl {
    /// Those that are not built: only their wheels are used (`--no-build`, pip's `--only-binary`).
    pub no_build: Packages,
    /// Those whose wheels are not used: they are built (`--no-binary`).
    pub no_binary: Packages,
}

impl FormatControl {
    /// The word for every distribution, in pip's options.
    const ALL: &str = ":all:";
    /// The word that takes back what was said before, in pip's options.
    const NONE: &str = ":none:";

    /// Takes the value of pip's `--only-binary`: names between commas. A name that is said here is taken out of
    /// `--no-binary`, and the other way round.
    ///
    /// # Errors
    ///
    /// [`InvalidName`], if one of them is no name.
    pub fn apply_only_binary(&mut self, names: &str) -> Result<(), InvalidName> {
        Self::apply(names, &mut self.no_build, &mut self.no_binary)
    }

    /// Takes the value of pip's `--no-binary`; see [`Self::apply_only_binary`].
    ///
    /// # Errors
    ///
    /// [`InvalidName`], if one of them is no name.
    pub fn apply_no_binary(&mut self, names: &str) -> Result<(), InvalidName> {
        Self::apply(names, &mut self.no_binary, &mut self.no_build)
    }

    /// Returns whether a distribution may be built. One that is named counts more than `:all:`.
    pub fn may_build(&self, name: &DistributionName) -> bool {
        !self.no_build.contains(name) || self.no_build == Packages::All && self.no_binary.names(name)
    }

    /// Returns whether the wheels of a distribution may be used. One that is named counts more than `:all:`.
    pub fn may_install(&self, name: &DistributionName) -> bool {
        !self.no_binary.contains(name) || self.no_binary == Packages::All && self.no_build.names(name)
    }

    fn apply(names: &str, target: &mut Packages, other: &mut Packages) -> Result<(), InvalidName> {
        for name in names.split(',').map(str::trim) {
            match name {
                Self::ALL => {
                    *target = Packages::All;
                    *other = Packages::None;
                }
                Self::NONE => *target = Packages::None,
                _ => {
                    let name: DistributionName = name.parse()?;
                    if let Packages::Named(names) = other {
                        names.remove(&name);
                    }
                    *target = std::mem::take(target).union(Packages::Named([name].into()));
                }
            }
        }
        Ok(())
    }
}

/// Chooses files for one target.
#[derive(Debug)]
pub struct Chooser<'a> {
    target: &'a TargetPlatform,
    tags: CompatibilityTags,
    formats: &'a FormatControl,
}

impl<'a> Chooser<'a> {
    /// Makes one.
    pub fn new(target: &'a TargetPlatform, formats: &'a FormatControl) -> Self {
        Self { target, tags: target.tags(), formats }
    }

    /// Returns what is installed of each distribution of a selection: of its files the wheel that fits the target best,
    /// or else the source distribution. What is left to an index has no files here.
    ///
    /// # Errors
    ///
    /// [`LockError::NoFile`] if there is neither, or none that may be used; [`LockError::NoBuild`] for a repository or a
    /// folder that may not be built.
    pub fn choose(&self, selection: Selection) -> Result<Vec<Selected>, LockError> {
        let choose = |pinned: Pinned| {
            let source = match &pinned.source {
                Source::Files(files) => self.file(&pinned, files)?,
                Source::Index(_) => self.file(&pinned, &Files::default())?,
                // As uv does, which also refuses the project itself.
                Source::Repository(_) | Source::Directory(_) if self.formats.no_build.contains(&pinned.name) => {
                    return Err(LockError::NoBuild { package: pinned.to_string() });
                }
                Source::Repository(repository) => SelectedSource::Repository(repository.clone()),
                Source::Directory(folder) => SelectedSource::Directory(folder.clone()),
                Source::Virtual(folder) => SelectedSource::Virtual(folder.clone()),
            };
            let passed_over = match (&source, &pinned.source) {
                (SelectedSource::Sdist(_), Source::Files(files)) => {
                    files.wheels.iter().map(|wheel| wheel.filename.clone()).collect()
                }
                _ => Vec::new(),
            };
            let misfit = match (&source, &pinned.source) {
                (SelectedSource::Sdist(_), Source::Files(Files { wheels, .. }))
                    if !wheels.is_empty() && self.best(wheels).is_none() =>
                {
                    Some(format!("{pinned} has no wheel for {}; {}", self.summary(), self.available(wheels, None)))
                }
                _ => None,
            };
            let Pinned { name, version, required_by, .. } = pinned;
            Ok(Selected { name, version, required_by, source, passed_over, misfit })
        };
        selection.distributions.into_iter().map(choose).collect()
    }

    fn file(&self, pinned: &Pinned, files: &Files) -> Result<SelectedSource, LockError> {
        let may_build = self.formats.may_build(&pinned.name);
        let may_install = self.formats.may_install(&pinned.name);
        if let (true, Some((wheel, tag))) = (may_install, self.best(&files.wheels)) {
            return Ok(SelectedSource::Wheel(wheel.clone(), tag.clone()));
        }
        match &files.sdist {
            Some(sdist) if may_build => Ok(SelectedSource::Sdist(sdist.clone())),
            _ => Err(self.no_file(pinned, files)),
        }
    }

    /// Returns the wheel whose tag the target prefers; among equals the one with the highest build tag, else the first.
    fn best<'w>(&self, wheels: &'w [LockedWheel]) -> Option<(&'w LockedWheel, &CompatibilityTag)> {
        let mut best: Option<(usize, &LockedWheel, &CompatibilityTag)> = None;
        for wheel in wheels {
            let Some((rank, tag)) = self.tags.best_match(&wheel.filename) else { continue };
            let better = best.is_none_or(|(best_rank, best_wheel, _)| {
                rank < best_rank || rank == best_rank && wheel.filename.build > best_wheel.filename.build
            });
            if better {
                best = Some((rank, wheel, tag));
            }
        }
        best.map(|(_, wheel, tag)| (wheel, tag))
    }

    fn no_file(&self, pinned: &Pinned, Files { wheels, sdist, unusable }: &Files) -> LockError {
        let name = &pinned.name;
        let fits = self.best(wheels).is_some();
        let mut hints = Vec::new();
        match sdist {
            Some(sdist) => hints.push(format!(
                "allow `{}` to be built: it is excluded by --no-build, --no-build-package or --only-binary",
                sdist.file.filename
            )),
            None if fits => {
                hints.push(format!(
                    "allow the wheels of {name}: they are excluded by --no-binary, and there is no source distribution"
                ));
            }
            None => {}
        }
        if !fits {
            hints.push(format!("lock another version of {name}, one that has a wheel for the target"));
            let runtimes = self.fitting_runtimes(wheels);
            if !runtimes.is_empty() {
                hints.push(format!("it has a wheel for --runtime {}", runtimes.join(", ")));
            }
        }
        LockError::NoFile {
            package: pinned.to_string(),
            target: self.summary(),
            available: match &wheels[..] {
                [] if sdist.is_none() && !unusable.is_empty() => {
                    format!("it has only {}, which cannot be used", list(unusable))
                }
                _ => self.available(wheels, sdist.as_ref().map(|sdist| sdist.file.filename.as_str())),
            },
            hints,
        }
    }

    /// Returns the built-in profiles that have a wheel on the target's architecture.
    fn fitting_runtimes(&self, wheels: &[LockedWheel]) -> Vec<&'static str> {
        let fits = |profile: &&LambdaProfile| {
            let tags = profile.target(self.target.architecture).tags();
            wheels.iter().any(|wheel| tags.best_match(&wheel.filename).is_some())
        };
        LambdaProfile::all().filter(fits).map(|profile| profile.name.as_str()).collect()
    }

    /// Returns what the target is, in tags: `cp312 on manylinux_2_26_x86_64`.
    fn summary(&self) -> String {
        match self.tags.as_slice().first() {
            Some(tag) => format!("{} on {}", tag.python, tag.platform),
            None => "a target without tags".to_owned(),
        }
    }

    /// Says what there is in place of a wheel that fits.
    fn available(&self, wheels: &[LockedWheel], sdist: Option<&str>) -> String {
        if self.best(wheels).is_some() {
            return "its wheels may not be used".to_owned();
        }
        if wheels.is_empty() {
            return match sdist {
                Some(sdist) => format!("it has only the source distribution `{sdist}`"),
                None => "the lock has no file of it".to_owned(),
            };
        }
        let is_known =
            |python: &str, abi: &str| self.tags.as_slice().iter().any(|tag| tag.python == python && tag.abi == abi);
        let fits_interpreter = |wheel: &&LockedWheel| {
            let filename = &wheel.filename;
            filename.python_tags.iter().any(|python| filename.abi_tags.iter().any(|abi| is_known(python, abi)))
        };
        let platforms: BTreeSet<&str> = wheels
            .iter()
            .filter(fits_interpreter)
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
        let suffix = self.tags.as_slice().first().and_then(|tag| glibc_of(&tag.platform)).map(|(_, suffix)| suffix);
        let floor = platforms
            .iter()
            .filter_map(|platform| glibc_of(platform))
            .filter(|(_, architecture)| Some(*architecture) == suffix)
            .map(|(version, _)| version)
            .min();
        match floor {
            Some((major, minor)) => format!("it has manylinux_{major}_{minor} and later"),
            None => format!("it has wheels for {}", shortened(platforms.into_iter().map(str::to_owned).collect())),
        }
    }
}

/// Returns the version of glibc and the architecture of a manylinux tag (PEP 600; the older names are its aliases).
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

fn shortened(tags: BTreeSet<String>) -> String {
    let count = tags.len();
    let mut listed: Vec<String> = tags.into_iter().take(LISTED_TAGS).collect();
    if count > LISTED_TAGS {
        listed.push(format!("{} more", count - LISTED_TAGS));
    }
    list(&listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_not_be_built_is_refused_unless_nothing_is_installed_for_it() {
        let target = LambdaProfile::built_in("python3.12").unwrap().target(crate::platform::Architecture::X86_64);
        let choose = |no_build: Packages, source: Source| {
            let (name, version, required_by) = ("demo".parse().unwrap(), None, Vec::new());
            let distributions = vec![Pinned { name, version, required_by, source }];
            let formats = FormatControl { no_build, ..FormatControl::default() };
            Chooser::new(&target, &formats).choose(Selection { distributions })
        };
        let folder = || Source::Directory("demo".into());
        let (url, commit) = ("https://host/demo".to_owned(), "0".repeat(40));
        let repository = Source::Repository(super::super::Repository { url, commit, subdirectory: None, lfs: false });
        let demo = || Packages::Named(BTreeSet::from(["demo".parse().unwrap()]));
        for (no_build, source) in [(Packages::All, folder()), (demo(), folder()), (Packages::All, repository)] {
            assert!(matches!(choose(no_build, source), Err(LockError::NoBuild { package }) if package == "demo"));
        }
        let other = Packages::Named(BTreeSet::from(["other".parse().unwrap()]));
        for (no_build, source) in [(other, folder()), (Packages::All, Source::Virtual("demo".into()))] {
            assert_eq!(choose(no_build, source).unwrap().len(), 1);
        }
    }

    #[test]
    fn manylinux_tags_name_a_glibc() {
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
