//! Maps a wheel's files to their paths under an installation scheme.
//!
//! Specification: [PyPA, binary distribution format, installing a wheel](https://packaging.python.org/en/latest/specifications/binary-distribution-format/#installing-a-wheel-distribution-1-0-py32-none-any-whl).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::entry_points::{self, EntryPoint};
use super::error::{StrictArchiveError, WheelError, WheelErrorKind};
use super::inventory::{LARGEST_TEXT, SchemePart, WheelInventory};
use super::record::{self, DigestAndSize};
use crate::digest::Sha256;
use crate::name::DistributionName;
use crate::platform::Scheme;
use crate::tree::{Distribution, Extent, FileAccess, FileContent, FileMode, FileOrigin, TreeEntry, TreePath};
use crate::wheel::filename::WheelFilename;

/// A verified wheel.
#[derive(Debug, Clone)]
pub struct Wheel {
    /// The parsed file name. The file itself may have another name: the cache names files by digest.
    pub filename: WheelFilename,
    /// The path of the file.
    pub archive: Arc<PathBuf>,
    /// The digest of the file.
    pub sha256: Sha256,
    /// The size of the file in bytes.
    pub size: u64,
    /// What the strict reader found in the file.
    pub inventory: WheelInventory,
}

impl Wheel {
    /// Reads METADATA, which was verified when the wheel was read.
    ///
    /// # Errors
    /// The wheel's file cannot be read.
    pub fn metadata(&self) -> io::Result<Vec<u8>> {
        let path = format!("{}/METADATA", self.inventory.dist_info);
        let mut files = self.inventory.files.iter();
        let file = files.find(|file| file.part == SchemePart::Library && file.path == path);
        let file = file.ok_or(io::ErrorKind::NotFound)?;
        let content = FileContent::Archived { archive: Arc::clone(&self.archive), extent: file.extent.clone() };
        content.read(LARGEST_TEXT)
    }
}

/// How an installation differs from its wheel. RECORD is generated accordingly.
#[derive(Debug, Clone, Default)]
pub struct InstallChanges {
    /// The omitted files, by their positions in [`WheelInventory::files`].
    pub(crate) omitted: BTreeSet<usize>,
    /// The console scripts that are not generated.
    pub(crate) omitted_scripts: BTreeSet<String>,
    /// Files with other content, by their positions in [`WheelInventory::files`].
    pub(crate) replaced: BTreeMap<usize, DerivedFile>,
    /// Bytecode, by its path below site-packages. RECORD lists it without a digest, as pip does.
    pub(crate) bytecode: BTreeMap<String, DerivedFile>,
}

/// A file that was derived from a wheel's file and cached.
#[derive(Debug, Clone)]
pub(crate) struct DerivedFile {
    /// The cache file that contains it.
    pub(crate) archive: Arc<PathBuf>,
    /// Its position in the cache file.
    pub(crate) extent: Extent,
}

impl DerivedFile {
    fn content(&self) -> FileContent {
        FileContent::Archived { archive: self.archive.clone(), extent: self.extent.clone() }
    }
}

/// Returns the files that installing a wheel under a scheme gives, ordered by path. `interpreter` is the path of the
/// interpreter at run time, for the first line of scripts.
///
/// # Errors
/// Two files have the same destination, or a destination is not a valid path.
pub fn install(
    wheel: &Wheel,
    changes: &InstallChanges,
    scheme: &Scheme,
    interpreter: &str,
) -> Result<Vec<(TreePath, TreeEntry)>, WheelError> {
    install_files(wheel, changes, scheme, interpreter).map_err(|error| error.of(&wheel.filename))
}

/// Returns the directory to which [`WheelFile::path`] is relative, for files of one part of a scheme.
///
/// [`WheelFile::path`]: super::WheelFile::path
pub(crate) fn destination_directory<'a>(part: SchemePart, name: &DistributionName, scheme: &'a Scheme) -> Cow<'a, str> {
    match part {
        SchemePart::Library => (&*scheme.site_packages).into(),
        SchemePart::Headers => join(&scheme.headers, name.as_str()).into(),
        SchemePart::Scripts => (&*scheme.scripts).into(),
        SchemePart::Data => (&*scheme.data).into(),
    }
}

fn install_files(
    wheel: &Wheel,
    changes: &InstallChanges,
    scheme: &Scheme,
    interpreter: &str,
) -> Result<Vec<(TreePath, TreeEntry)>, StrictArchiveError> {
    let WheelInventory { name, dist_info, files, entry_points, .. } = &wheel.inventory;
    let launchers = launchers(entry_points, interpreter);
    let mut installation =
        Installation::new(&wheel.inventory, &scheme.site_packages, files.len() + launchers.len() + 1);
    for (position, file) in files.iter().enumerate() {
        if changes.omitted.contains(&position) {
            continue;
        }
        let mode = match file.part {
            SchemePart::Library | SchemePart::Headers => file.mode,
            SchemePart::Data => {
                check_data(scheme, &file.path).map_err(|kind| kind.at(&*file.path))?;
                file.mode
            }
            SchemePart::Scripts if is_replaced_by_launcher(&file.path, &launchers) => continue,
            SchemePart::Scripts => FileMode::EXECUTABLE,
        };
        let prefix = &*destination_directory(file.part, name, scheme);
        match (&file.script, changes.replaced.get(&position)) {
            (Some(rest), _) => {
                let text = [b"#!", interpreter.as_bytes(), b"\n", rest].concat();
                installation.write(prefix, &file.path, mode, text)?;
            }
            (None, Some(derived)) => {
                installation.add(prefix, &file.path, mode, derived.content(), Some(derived.extent.sha256))?;
            }
            (None, None) => {
                let content = FileContent::Archived { archive: wheel.archive.clone(), extent: file.extent.clone() };
                installation.add(prefix, &file.path, mode, content, Some(file.extent.sha256))?;
            }
        }
    }
    for (path, derived) in &changes.bytecode {
        installation.add(&scheme.site_packages, path, FileMode::REGULAR, derived.content(), None)?;
    }
    for launcher in launchers.iter().filter(|launcher| !changes.omitted_scripts.contains(&launcher.name)) {
        let text = launcher.launcher(interpreter).into_bytes();
        installation.write(&scheme.scripts, &launcher.name, FileMode::EXECUTABLE, text)?;
    }
    installation.finish(&format!("{dist_info}/RECORD"))
}

/// The files installed so far, and their rows for RECORD.
struct Installation<'a> {
    site_packages: &'a str,
    origin: FileOrigin,
    files: Vec<(TreePath, TreeEntry)>,
    rows: Vec<(String, DigestAndSize)>,
}

impl<'a> Installation<'a> {
    fn new(inventory: &WheelInventory, site_packages: &'a str, capacity: usize) -> Self {
        let distribution = Distribution { name: inventory.name.clone(), version: inventory.version.clone() };
        let origin = FileOrigin::Distribution(Arc::new(distribution));
        Self { site_packages, origin, files: Vec::with_capacity(capacity), rows: Vec::with_capacity(capacity) }
    }

    fn add(
        &mut self,
        prefix: &str,
        path: &str,
        mode: FileMode,
        content: FileContent,
        sha256: Option<Sha256>,
    ) -> Result<(), StrictArchiveError> {
        let destination = TreePath::below(prefix, path)
            .map_err(|invalid| WheelErrorKind::InvalidDestination(invalid.reason).at(path))?;
        let digest_and_size = sha256.map(|sha256| (sha256, content.size()));
        self.rows.push((relative(self.site_packages, destination.as_str()), digest_and_size));
        self.files
            .push((destination, TreeEntry { access: FileAccess::root(mode), content, origin: self.origin.clone() }));
        Ok(())
    }

    /// Adds a generated file.
    fn write(&mut self, prefix: &str, path: &str, mode: FileMode, bytes: Vec<u8>) -> Result<(), StrictArchiveError> {
        let sha256 = Sha256::of(&bytes);
        self.add(prefix, path, mode, FileContent::Bytes(bytes.into()), Some(sha256))
    }

    /// Adds RECORD and returns all files, ordered by path.
    fn finish(mut self, record_path: &str) -> Result<Vec<(TreePath, TreeEntry)>, StrictArchiveError> {
        let text = record::write(record_path, &self.rows);
        self.write(self.site_packages, record_path, FileMode::REGULAR, text)?;
        self.files.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        match self.files.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(WheelErrorKind::DuplicateDestination.at(pair[0].0.as_str())),
            None => Ok(self.files),
        }
    }
}

/// Returns the scripts to generate. Like pip when it installs itself, replaces `pip3.X`, where X is of the Python that
/// built pip's wheel, by one for the target's minor version (`get_console_script_specs` in pip's `wheel.py`).
fn launchers(entry_points: &[EntryPoint], interpreter: &str) -> Vec<EntryPoint> {
    let mut launchers: Vec<EntryPoint> = entry_points
        .iter()
        .filter(|script| !script.name.strip_prefix("pip3.").is_some_and(is_minor_version))
        .cloned()
        .collect();
    let pip = launchers.iter().find(|script| script.name == "pip3").cloned();
    let program = interpreter.rsplit('/').next().unwrap_or(interpreter);
    let minor = program.strip_prefix("python3.").filter(|minor| is_minor_version(minor));
    launchers.extend(pip.zip(minor).map(|(pip, minor)| EntryPoint { name: format!("pip3.{minor}"), ..pip }));
    launchers
}

fn is_minor_version(text: &str) -> bool {
    text.parse::<u8>().is_ok()
}

/// Returns whether a script of the wheel is a launcher that an older build tool generated for an entry point; a new one
/// is generated for it.
fn is_replaced_by_launcher(script: &str, launchers: &[EntryPoint]) -> bool {
    let suffixes = [".exe", "-script.py", ".pya"];
    let name = suffixes.iter().find_map(|suffix| script.strip_suffix(suffix)).unwrap_or(script);
    launchers.iter().any(|launcher| launcher.name == name)
}

/// Checks that a data file whose destination is the scripts directory has a valid script name.
fn check_data(scheme: &Scheme, path: &str) -> Result<(), WheelErrorKind> {
    let destination = join(&scheme.data, path);
    let name = match destination.rsplit_once('/') {
        Some((directory, name)) if directory == scheme.scripts => name,
        None if scheme.scripts.is_empty() => &destination,
        _ => return Ok(()),
    };
    entry_points::check_script_name(name)
}

fn join(prefix: &str, path: &str) -> String {
    if prefix.is_empty() { path.to_owned() } else { format!("{prefix}/{path}") }
}

/// Returns `path` relative to the directory `base`.
fn relative(base: &str, path: &str) -> String {
    let (mut base, mut path) = (base.split('/').filter(|name| !name.is_empty()).peekable(), path);
    while let (Some(directory), Some((first, rest))) = (base.peek(), path.split_once('/')) {
        if *directory != first {
            break;
        }
        base.next();
        path = rest;
    }
    "../".repeat(base.count()) + path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_site_packages() {
        for (base, path, expected) in [
            ("", "bin/a", "bin/a"),
            ("python", "python/a/b.py", "a/b.py"),
            ("python", "bin/a", "../bin/a"),
            ("lib/python3.12/site-packages", "bin/a", "../../../bin/a"),
            ("lib/python3.12/site-packages", "lib/python3.12/site-packages/a.py", "a.py"),
            ("lib/python3.12/site-packages", "lib/python3.12", "../../python3.12"),
        ] {
            assert_eq!(relative(base, path), expected, "{base} {path}");
        }
    }

    #[test]
    fn pip_gets_a_script_for_the_interpreter_it_will_run_under() {
        let scripts = ["pip", "pip3", "pip3.9", "pip3.x"].map(|name| EntryPoint {
            name: name.to_owned(),
            module: "pip".into(),
            object: "main".into(),
        });
        for (interpreter, expected) in [
            ("/var/lang/bin/python3.13", &["pip", "pip3", "pip3.x", "pip3.13"][..]),
            ("/usr/bin/python3", &["pip", "pip3", "pip3.x"]),
        ] {
            let launchers = launchers(&scripts, interpreter);
            assert!(launchers.iter().map(|launcher| launcher.name.as_str()).eq(expected.iter().copied()));
        }
    }
}
