//! Compiles sources to bytecode, which is cached.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::sync::Arc;

use rayon::prelude::*;

use crate::bytecode::{BytecodeCompiler, BytecodePlace, FORMAT, LARGEST_SOURCE};
use crate::cache::Cache;
use crate::digest::Sha256;
use crate::pipeline::BuildError;
use crate::pipeline::install::derived::DerivedFiles;
use crate::pipeline::install::{InstalledDistribution, InstalledFiles, derived};
use crate::platform::PythonVersion;
use crate::report::{BytecodeReport, Phase};
use crate::settings::Settings;
use crate::tree::{FileAccess, FileContent, TreeEntry, TreePath};
use crate::wheel::{SchemePart, Wheel};

/// How many sources are compiled in parallel before they are packed in their order: so many are in memory.
const AT_ONCE: usize = 64;

/// Compiles the sources of an artifact, or does not.
pub(crate) struct Bytecode<'a> {
    version: PythonVersion,
    /// Whether bytecode was requested or is the default.
    is_wanted: bool,
    /// `None` if nothing is compiled.
    compiler: Option<Arc<BytecodeCompiler>>,
    place: BytecodePlace,
    cache: &'a Cache,
}

/// A Python source, with its path below site-packages.
struct PythonSource {
    path: String,
    content: FileContent,
    /// The digest of a file of the project, which may change meanwhile.
    sha256: Option<Sha256>,
}

impl<'a> Bytecode<'a> {
    /// Finds an interpreter to compile with, if bytecode is requested or the default.
    ///
    /// # Errors
    /// Bytecode is requested, and no interpreter of the version is installed.
    pub(crate) fn find(
        settings: &Settings,
        version: PythonVersion,
        by_default: bool,
        cache: &'a Cache,
    ) -> Result<Self, BuildError> {
        let is_wanted = settings.contents.bytecode.unwrap_or(by_default);
        let compiler = if is_wanted {
            settings
                .environment
                .interpreters
                .find(version, cache)?
                .map(|interpreter| Arc::new(BytecodeCompiler::new(interpreter)))
        } else {
            None
        };
        match (settings.contents.bytecode, &compiler) {
            (Some(true), None) => Err(BuildError::NoInterpreter(version)),
            _ => Ok(Self { version, is_wanted, compiler, place: BytecodePlace::Cache, cache }),
        }
    }

    /// Returns the same for modules that are imported from a zip itself, or not.
    pub(crate) fn imported_from_zip(self, is_imported_from_zip: bool) -> Self {
        Self { place: if is_imported_from_zip { BytecodePlace::Beside } else { BytecodePlace::Cache }, ..self }
    }

    /// Returns the same with another cache.
    pub(crate) fn in_cache<'b>(&self, cache: &'b Cache) -> Bytecode<'b> {
        Bytecode { compiler: self.compiler.clone(), cache, ..*self }
    }

    /// Returns what installing wheels is called.
    pub(crate) fn phase(&self) -> Phase {
        if self.compiler.is_some() { Phase::Bytecode } else { Phase::Install }
    }

    /// Returns the digest of everything besides a source that decides its bytecode; `None` if nothing is compiled.
    pub(crate) fn key(&self) -> Option<Sha256> {
        let BytecodeCompiler { interpreter, .. } = &**self.compiler.as_ref()?;
        let place = match self.place {
            BytecodePlace::Cache => "",
            BytecodePlace::Beside => "\nbeside the sources",
        };
        Some(Sha256::of(format!("bytecode {FORMAT}\n{}{place}", interpreter.identity).as_bytes()))
    }

    /// Returns the path of a source's bytecode, both below site-packages; `None` if nothing is compiled.
    pub(crate) fn path_of(&self, source: &str) -> Option<String> {
        self.compiler.as_ref()?.bytecode_path(source, self.place)
    }

    /// Returns the bytecode of a wheel's sources: by the source's position in the inventory, the path below
    /// site-packages and the file.
    ///
    /// # Errors
    /// The interpreter fails, or the wheel cannot be read.
    pub(crate) fn of_wheel(&self, wheel: &Wheel) -> Result<BTreeMap<usize, (String, FileContent)>, BuildError> {
        let (Some(compiler), Some(key)) = (&self.compiler, self.key()) else { return Ok(BTreeMap::new()) };
        let files = wheel.inventory.files.iter().enumerate().filter(|(_, file)| file.part == SchemePart::Library);
        let mut positions: BTreeMap<String, usize> = files
            .filter_map(|(position, file)| Some((compiler.bytecode_path(&file.path, self.place)?, position)))
            .collect();
        let sources = positions.iter().map(|(path, position)| {
            let source = wheel.inventory.files[*position].path.clone();
            (path.clone(), PythonSource { path: source, content: wheel.content(*position), sha256: None })
        });
        let sources: Vec<_> = sources.collect();
        let key = Sha256::of(format!("{}\n{}", key.hex(), wheel.sha256.hex()).as_bytes());
        let packed = packed(self.cache, compiler, key, sources, wheel.filename.to_string())?;
        let mut bytecode = BTreeMap::new();
        for (path, content) in packed {
            if let Some(position) = positions.remove(&path) {
                bytecode.insert(position, (path, content));
            }
        }
        Ok(bytecode)
    }

    /// Returns the bytecode of the application's sources, ordered by path.
    ///
    /// # Errors
    /// The interpreter fails, or a file cannot be read.
    pub(crate) fn of_application(&self, files: &[(TreePath, TreeEntry)]) -> Result<InstalledFiles, BuildError> {
        self.of_files(files, "the application")
    }

    /// Returns the bytecode of the standard library, whose files have paths relative to its directory, ordered by path.
    ///
    /// # Errors
    /// The interpreter fails, or a file cannot be read.
    pub(crate) fn of_standard_library(&self, files: &[(TreePath, TreeEntry)]) -> Result<InstalledFiles, BuildError> {
        self.of_files(files, "the standard library")
    }

    /// Returns the bytecode of files that are no distribution's. `origin` is what errors call them.
    fn of_files(&self, files: &[(TreePath, TreeEntry)], origin: &str) -> Result<InstalledFiles, BuildError> {
        let (Some(compiler), Some(key)) = (&self.compiler, self.key()) else { return Ok(Vec::new()) };
        let mut digests = format!("{}\n", key.hex());
        let (mut sources, mut owners) = (BTreeMap::new(), BTreeMap::new());
        for (path, entry) in files {
            if let Some(bytecode_path) = compiler.bytecode_path(path.as_str(), self.place) {
                owners.insert(bytecode_path.clone(), (entry.access, &entry.origin));
                let sha256 = entry.content.sha256()?;
                digests.push_str(&format!("{} {path}\n", sha256.hex()));
                let (path, content) = (path.to_string(), entry.content.clone());
                let source = PythonSource { path, content, sha256: Some(sha256) };
                sources.insert(bytecode_path, source);
            }
        }
        let sources: Vec<_> = sources.into_iter().collect();
        // An application is its author's alone, and a record is of distributions: nothing of it is shared.
        let (cache, key) = (&self.cache.unshared(), Sha256::of(digests.as_bytes()));
        let packed = packed(cache, compiler, key, sources, origin.to_owned())?;
        let mut files = InstalledFiles::with_capacity(packed.len());
        for (path, content) in packed {
            let Some((FileAccess { mode, owner }, origin)) = owners.get(&path) else { continue };
            // Who may not read a source must not be able to read its bytecode.
            let access = FileAccess { mode: mode.without_execution(), owner: *owner };
            files.push((TreePath::new(&path)?, TreeEntry { access, content, origin: (*origin).clone() }));
        }
        Ok(files)
    }

    /// Reports the bytecode of distributions and of the application; `None` if it was not requested.
    pub(crate) fn report(
        &self,
        distributions: &[InstalledDistribution],
        application: &[(TreePath, TreeEntry)],
    ) -> Option<BytecodeReport> {
        let interpreter = self.compiler.as_ref().map(|compiler| &compiler.interpreter);
        let of_wheels = distributions.iter().flat_map(|distribution| &distribution.changes.bytecode);
        let sizes = of_wheels.map(|(_, packed)| packed.size());
        let sizes: Vec<u64> = sizes.chain(application.iter().map(|(_, entry)| entry.content.size())).collect();
        self.is_wanted.then(|| BytecodeReport {
            version: self.version.to_string(),
            python: interpreter.map(|interpreter| interpreter.full_version.clone()),
            interpreter: interpreter.map(|interpreter| interpreter.path.clone()),
            files: sizes.len(),
            size: sizes.iter().sum(),
        })
    }
}

/// Returns the application's files and their bytecode, which replaces existing bytecode.
pub(crate) fn beside<'a>(
    files: &'a [(TreePath, TreeEntry)],
    bytecode: &'a [(TreePath, TreeEntry)],
) -> impl Iterator<Item = &'a (TreePath, TreeEntry)> {
    let replaced: HashSet<&TreePath> = bytecode.iter().map(|(path, _)| path).collect();
    files.iter().filter(move |(path, _)| !replaced.contains(path)).chain(bytecode)
}

/// Returns the bytecode of sources, each with its path.
fn packed(
    cache: &Cache,
    compiler: &Arc<BytecodeCompiler>,
    key: Sha256,
    sources: Vec<(String, PythonSource)>,
    origin: String,
) -> Result<DerivedFiles, BuildError> {
    let compiler = Arc::clone(compiler);
    derived::packed(cache, key, move |keep| {
        for chunk in sources.chunks(AT_ONCE) {
            let compiled: Vec<Option<Vec<u8>>> =
                chunk.par_iter().map(|(_, source)| source.compile(&compiler, &origin)).collect::<Result<_, _>>()?;
            for ((path, _), bytecode) in chunk.iter().zip(compiled) {
                if let Some(bytecode) = bytecode {
                    keep(path.clone(), &bytecode)?;
                }
            }
        }
        Ok(())
    })
}

impl PythonSource {
    /// Reads the source and checks its digest; `None` if it is too large.
    fn read(&self, origin: &str) -> Result<Option<Vec<u8>>, BuildError> {
        let error = match self.content.read(LARGEST_SOURCE) {
            Ok(bytes) if self.sha256.is_none_or(|expected| Sha256::of(&bytes) == expected) => return Ok(Some(bytes)),
            Ok(_) => io::ErrorKind::InvalidData.into(),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Ok(None),
            Err(error) => error,
        };
        Err(BuildError::Source { file: self.path.clone(), origin: origin.to_owned(), source: error })
    }

    /// Compiles the source; `None` if it is too large or cannot be compiled.
    fn compile(&self, compiler: &BytecodeCompiler, origin: &str) -> Result<Option<Vec<u8>>, BuildError> {
        let Some(bytes) = self.read(origin)? else { return Ok(None) };
        let compiled = compiler.compile(&self.path, &bytes);
        compiled.map_err(|source| BuildError::Bytecode { origin: origin.to_owned(), source })
    }
}
