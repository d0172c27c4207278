//! Maps a wheel's files to their paths under an installation scheme.
//!
//! Specification: [PyPA, binary distribution format, installing a wheel](https://packaging.python.org/en/latest/specifications/binary-distribution-format/#installing-a-wheel-distribution-1-0-py32-none-any-whl).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use super::Wheel;
use super::entry_points::{self, EntryPoint};
use super::error::{StrictArchiveError, WheelError, WheelErrorKind};
use super::inventory::{SchemePart, WheelInventory};
use super::record;
use crate::digest::Sha256;
use crate::name::DistributionName;
use crate::platform::Scheme;
use crate::tree::{
    DeferredContent, Distribution, FileAccess, FileContent, FileMode, FileOrigin, KnownContent, TreeEntry, TreePath,
};

/// How an installation differs from its wheel. RECORD is generated accordingly.
#[derive(Debug, Clone, Default)]
pub struct InstallChanges {
    /// The omitted files, by their positions in [`WheelInventory::files`].
    pub(crate) omitted: BTreeSet<usize>,
    /// The console scripts that are not generated.
    pub(crate) omitted_scripts: BTreeSet<String>,
    /// Files with other content, by their positions in [`WheelInventory::files`].
    pub(crate) replaced: BTreeMap<usize, FileContent>,
    /// Bytecode, by its path below site-packages. RECORD lists it without a digest, as pip does.
    pub(crate) bytecode: BTreeMap<String, FileContent>,
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
            (None, replaced) => {
                let content = replaced.cloned().unwrap_or_else(|| wheel.content(position));
                installation.add(prefix, &file.path, mode, content, RecordForm::Digest)?;
            }
        }
    }
    for (path, bytecode) in &changes.bytecode {
        installation.add(&scheme.site_packages, path, FileMode::REGULAR, bytecode.clone(), RecordForm::PathAlone)?;
    }
    for launcher in launchers.iter().filter(|launcher| !changes.omitted_scripts.contains(&launcher.name)) {
        let text = launcher.launcher(interpreter).into_bytes();
        installation.write(&scheme.scripts, &launcher.name, FileMode::EXECUTABLE, text)?;
    }
    installation.finish(&format!("{dist_info}/RECORD"))
}

/// What RECORD says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RecordForm {
    PathAlone,
    /// Its digest and its size, too.
    Digest,
}

/// The files installed so far, and how RECORD lists each of them.
struct Installation<'a> {
    site_packages: &'a str,
    origin: FileOrigin,
    files: Vec<(TreePath, TreeEntry)>,
    forms: Vec<RecordForm>,
}

impl<'a> Installation<'a> {
    fn new(inventory: &WheelInventory, site_packages: &'a str, capacity: usize) -> Self {
        let distribution = Distribution { name: inventory.name.clone(), version: inventory.version.clone() };
        let origin = FileOrigin::Distribution(Arc::new(distribution));
        Self { site_packages, origin, files: Vec::with_capacity(capacity), forms: Vec::with_capacity(capacity) }
    }

    fn add(
        &mut self,
        prefix: &str,
        path: &str,
        mode: FileMode,
        content: FileContent,
        form: RecordForm,
    ) -> Result<(), StrictArchiveError> {
        let destination = TreePath::below(prefix, path)
            .map_err(|invalid| WheelErrorKind::InvalidDestination(invalid.reason).at(path))?;
        self.forms.push(form);
        self.files
            .push((destination, TreeEntry { access: FileAccess::root(mode), content, origin: self.origin.clone() }));
        Ok(())
    }

    /// Adds a generated file.
    fn write(&mut self, prefix: &str, path: &str, mode: FileMode, bytes: Vec<u8>) -> Result<(), StrictArchiveError> {
        self.add(prefix, path, mode, FileContent::Bytes(bytes.into()), RecordForm::Digest)
    }

    /// Adds RECORD and returns all files, ordered by path.
    fn finish(mut self, record_path: &str) -> Result<Vec<(TreePath, TreeEntry)>, StrictArchiveError> {
        let record = self.record(record_path)?;
        self.add(self.site_packages, record_path, FileMode::REGULAR, record, RecordForm::Digest)?;
        self.files.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        match self.files.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(WheelErrorKind::DuplicateDestination.at(pair[0].0.as_str())),
            None => Ok(self.files),
        }
    }

    /// Returns RECORD. If a digest in it is that of a file which is not here, RECORD is not here either, but its size is known.
    fn record(&self, own_path: &str) -> Result<FileContent, StrictArchiveError> {
        let rows = self.files.iter().zip(&self.forms).map(|((destination, entry), form)| {
            let content = (*form == RecordForm::Digest).then(|| entry.content.clone());
            (relative(self.site_packages, destination.as_str()), content)
        });
        let rows: Vec<(String, Option<FileContent>)> = rows.collect();
        let is_deferred = rows.iter().any(|(_, content)| matches!(content, Some(FileContent::Deferred(_))));
        if !is_deferred {
            let text = written_record(own_path, &rows, FileContent::sha256);
            let text = text.map_err(|error| WheelErrorKind::Read(io::Error::other(error)).at(own_path))?;
            return Ok(FileContent::Bytes(text.into()));
        }
        let placeholder = Sha256::of(b"");
        let sized = written_record(own_path, &rows, |_| Ok::<_, io::Error>(placeholder));
        let size = sized.map_err(|error| WheelErrorKind::Read(error).at(own_path))?.len() as u64;
        let own_path = own_path.to_owned();
        let deferred = DeferredContent::new(size, KnownContent::Size, move || {
            let text = written_record(&own_path, &rows, |content| content.sha256().map_err(io::Error::other));
            Ok(FileContent::Bytes(text?.into()))
        });
        Ok(FileContent::Deferred(Arc::new(deferred)))
    }
}

/// Returns the text of RECORD.
fn written_record<E>(
    own_path: &str,
    rows: &[(String, Option<FileContent>)],
    digest: impl Fn(&FileContent) -> Result<Sha256, E>,
) -> Result<Vec<u8>, E> {
    let rows = rows.iter().map(|(path, content)| {
        let content = content.as_ref().map(|content| Ok((digest(content)?, content.size()))).transpose()?;
        Ok((path.clone(), content))
    });
    Ok(record::write(own_path, &rows.collect::<Result<Vec<_>, E>>()?))
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
