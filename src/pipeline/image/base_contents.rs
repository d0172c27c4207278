//! What a base image contains: interpreters, shared libraries, and its file system.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::audit::c_library::CLibraryKind;
use crate::audit::{elf, musl};
use crate::cache::{RecordKey, RecordKind};
use crate::debian::{DebianRelease, os_release};
use crate::digest::Sha256;
use crate::image::config::ImageConfig;
use crate::image::search::LayerSearch;
use crate::image::system::BaseSystem;
use crate::image::{Base, BasePython, BlobContent, FileSystem, Layer, python};
use crate::pipeline::BuildError;
use crate::pipeline::image::base::Bases;
use crate::platform::{Glibc, Libstdcxx, Musl, PythonVendor, PythonVersion};

/// The libraries that Docker's official Python images are known to have, so that their layers need not be searched:
/// Python's own module `zlib` links to it, and so does numpy.
const OF_PYTHON: [&str; 1] = ["libz.so.1"];

/// What an image needs to know of its base's files.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct BaseContents {
    pub pythons: Vec<BasePython>,
    /// The names of the shared libraries.
    pub libraries: BTreeSet<String>,
    pub libstdcxx: Option<Libstdcxx>,
    /// The version of glibc, if it has a readable one.
    pub glibc: Option<Glibc>,
    /// musl, if it is the C library of the base's interpreters.
    pub musl: Option<BaseMusl>,
    /// The file os-release.
    pub os_release: Option<String>,
}

/// musl in a base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BaseMusl {
    /// The path of its file, relative to the root.
    path: String,
    /// `None` if the file does not state it.
    version: Option<Musl>,
    /// The directories in which it searches libraries.
    pub directories: Vec<String>,
}

impl BaseMusl {
    /// Returns musl if the interpreters of a base name its dynamic linker, or if none of them names any and the base has no
    /// other C library. A base of Debian may have musl besides.
    fn of(search: &LayerSearch) -> Option<Self> {
        let loader = search.musl()?;
        let pythons = search.pythons();
        let headers = pythons.iter().filter_map(|python| search.interpreter_header(python));
        let named = headers.filter_map(elf::interpreter).find_map(|path| CLibraryKind::of_interpreter(&path));
        let is_used = named.map_or(search.libc().is_none(), |named| named == CLibraryKind::Musl);
        is_used.then(|| Self {
            path: loader.path.clone(),
            version: musl::version(&loader.content),
            directories: musl::directories(search.musl_path()),
        })
    }
}

impl BaseContents {
    /// The version of the cached data. Raise it whenever a field changes, or a search finds more.
    const FORMAT: u32 = 5;

    fn of(search: &LayerSearch) -> Self {
        Self {
            pythons: search.pythons(),
            libraries: search.libraries().clone(),
            libstdcxx: search.libstdcxx(),
            // Without a readable libc, the profile's version counts.
            glibc: search.libc().and_then(|libc| elf::defined_glibc(libc).ok().flatten()),
            musl: BaseMusl::of(search),
            os_release: search.os_release().map(str::to_owned),
        }
    }
}

impl Bases<'_> {
    /// Returns the interpreters of a base: from its configuration, or by searching its layers. The configuration does not name
    /// free-threaded ones.
    ///
    /// # Errors
    /// A layer cannot be downloaded or read.
    pub(crate) fn pythons(&self, base: &Base, wanted: Option<PythonVersion>) -> Result<Vec<BasePython>, BuildError> {
        match python::from_config(base).filter(|_| wanted.is_none_or(|wanted| !wanted.free_threaded)) {
            Some(python) => Ok(vec![python]),
            None => Ok(self.contents(base)?.pythons),
        }
    }

    /// Returns the version of musl if it is the C library of a base; otherwise that is glibc. The layers are searched, unless
    /// the history of the base shows that it is built with the packages of a system with glibc.
    ///
    /// # Errors
    /// A layer cannot be downloaded or read, or musl's version is not in it.
    pub(crate) fn musl(&self, base: &Base) -> Result<Option<Musl>, BuildError> {
        let contents = match self.recorded(base) {
            Some(contents) => contents,
            None if base.all_layers().next().is_none() => return Ok(None),
            None if python::from_config(base).is_some() && is_of_glibc(&base.config) => return Ok(None),
            None => self.contents(base)?,
        };
        let Some(musl) = contents.musl else { return Ok(None) };
        musl.version.map(Some).ok_or_else(|| BuildError::UnknownMusl(musl.path))
    }

    /// Returns who built the interpreter of a base: Debian's are in `/usr/bin`.
    ///
    /// # Errors
    /// A layer cannot be downloaded or read.
    pub(crate) fn vendor(&self, base: &Base, python: Option<&BasePython>) -> Result<PythonVendor, BuildError> {
        if python.is_none_or(|python| python.home() != "/usr/bin") {
            return Ok(PythonVendor::Upstream);
        }
        let text = self.contents(base)?.os_release.unwrap_or_default();
        let fields = os_release(&text);
        let families = ["ID", "ID_LIKE"].into_iter().filter_map(|key| fields.get(key));
        let is_debian = families.flat_map(|family| family.split(' ')).any(|family| family == "debian");
        Ok(if is_debian { PythonVendor::Debian } else { PythonVendor::Upstream })
    }

    /// Returns what an earlier search of a base found.
    fn recorded(&self, base: &Base) -> Option<BaseContents> {
        self.cache.record(RecordKind::Base, contents_key(base.content_digest()?))
    }

    /// Returns the contents of a base as far as they are known; layers are downloaded and searched only if that can
    /// tell more about the wanted libraries.
    ///
    /// # Errors
    /// A layer cannot be downloaded or read.
    pub(crate) fn known_contents(
        &self,
        base: &Base,
        wanted: &BTreeSet<&str>,
    ) -> Result<Option<BaseContents>, BuildError> {
        let recorded = self.recorded(base);
        if recorded.is_some() || wanted.is_empty() || base.all_layers().next().is_none() {
            return Ok(recorded);
        }
        if wanted.iter().all(|library| OF_PYTHON.contains(library)) && python::from_config(base).is_some() {
            let libraries = OF_PYTHON.map(str::to_owned).into();
            return Ok(Some(BaseContents { libraries, ..BaseContents::default() }));
        }
        match self.contents(base) {
            Err(BuildError::OfflineBase(_)) => Ok(None),
            found => found.map(Some),
        }
    }

    /// Returns the release of Debian that a base is, if it has been searched before and is one.
    pub(crate) fn known_release(&self, base: &Base) -> Option<DebianRelease> {
        DebianRelease::of_os_release(&self.recorded(base)?.os_release?)
    }

    /// Returns the contents of a base by searching its layers.
    fn contents(&self, base: &Base) -> Result<BaseContents, BuildError> {
        let Some(digest) = base.content_digest() else { return Ok(BaseContents::default()) };
        self.cache.remember(RecordKind::Base, contents_key(digest), || {
            let search = self.search(base, LayerSearch::default())?;
            if let Some(files) = search.file_system() {
                self.cache.store_record(RecordKind::FileSystem, file_system_key(digest), files)?;
            }
            Ok(BaseContents::of(&search))
        })
    }

    /// Returns the file system of a base by searching its layers.
    ///
    /// # Errors
    /// A layer cannot be downloaded or read, or there are too many files.
    pub(crate) fn file_system(&self, base: &Base) -> Result<FileSystem, BuildError> {
        let Some(digest) = base.content_digest() else { return Ok(FileSystem::default()) };
        self.cache.remember(RecordKind::FileSystem, file_system_key(digest), || {
            let search = self.search(base, LayerSearch::default())?;
            self.cache.store_record(RecordKind::Base, contents_key(digest), &BaseContents::of(&search))?;
            search.file_system().cloned().ok_or(BuildError::LargeBase(digest))
        })
    }

    /// Returns what packages of the operating system depend on in a base, by searching its layers.
    ///
    /// # Errors
    /// A layer cannot be downloaded or read, or there are too many files.
    pub(crate) fn system(&self, base: &Base) -> Result<BaseSystem, BuildError> {
        let Some(digest) = base.content_digest() else { return Ok(BaseSystem::default()) };
        self.cache.remember(RecordKind::System, system_key(digest), || {
            let search = self.search(base, LayerSearch::of_system())?;
            self.cache.store_record(RecordKind::Base, contents_key(digest), &BaseContents::of(&search))?;
            if let Some(files) = search.file_system() {
                self.cache.store_record(RecordKind::FileSystem, file_system_key(digest), files)?;
            }
            search.into_system().ok_or(BuildError::LargeBase(digest))
        })
    }

    /// Returns the file system of a base if nothing has to be downloaded for it.
    pub(crate) fn known_file_system(&self, base: &Base) -> Option<FileSystem> {
        let recorded = self.cache.record(RecordKind::FileSystem, file_system_key(base.content_digest()?));
        recorded.or_else(|| {
            let is_available = base.all_layers().all(|layer| self.is_available(layer));
            is_available.then(|| self.file_system(base).ok())?
        })
    }

    /// Tells whether a layer can be read without downloading it.
    fn is_available(&self, layer: &Layer) -> bool {
        match &layer.blob.content {
            BlobContent::Registry { .. } => self.cache.blob(layer.blob.digest).is_some(),
            _ => true,
        }
    }

    /// Searches the layers of a base, the top one first.
    fn search(&self, base: &Base, mut search: LayerSearch) -> Result<LayerSearch, BuildError> {
        for layer in base.all_layers().rev() {
            if let BlobContent::Layer(tree) = &layer.blob.content {
                search.in_tree(tree).map_err(BuildError::Packages)?;
                continue;
            }
            let mut blob = layer.blob.clone();
            self.download(&mut blob)?;
            let BlobContent::File { path, offset } = &blob.content else { continue };
            let failed = BuildError::reading(path);
            let file = open_at(path, *offset).map_err(&failed)?;
            search.in_layer(&blob.media_type, std::io::Read::take(file, blob.size)).map_err(&failed)?;
        }
        Ok(search)
    }
}

/// Returns whether the build steps of a base name only package managers, or distributions, of systems with glibc.
fn is_of_glibc(config: &ImageConfig) -> bool {
    let names = |words: &[&str]| config.build_steps().any(|step| words.iter().any(|word| step.contains(word)));
    names(&["apt-get", "debian", "Debian", "Ubuntu", "dnf ", "yum ", "microdnf"])
        && !names(&["apk ", "alpine", "Alpine"])
}

fn contents_key(base: Sha256) -> RecordKey {
    RecordKey::new(format!("{} {}", BaseContents::FORMAT, base.hex()), &[])
}

fn file_system_key(base: Sha256) -> RecordKey {
    RecordKey::new(format!("{} {}", FileSystem::FORMAT, base.hex()), &[])
}

fn system_key(base: Sha256) -> RecordKey {
    RecordKey::new(format!("{} {}", BaseSystem::FORMAT, base.hex()), &[])
}

fn open_at(path: &Path, offset: u64) -> std::io::Result<File> {
    use std::io::{Seek, SeekFrom};
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_shows_glibc_only_if_nothing_speaks_for_musl() {
        for (steps, expected) in [
            (&["# debian.sh --arch 'amd64' out/ 'trixie'", "RUN /bin/sh -c apt-get update"][..], true),
            (&["ADD rootfs.tar.xz / # buildkit", "RUN dnf install -y python3.12 # buildkit"], true),
            (&["ADD alpine-minirootfs-3.22.1-x86_64.tar.gz / # buildkit", "RUN apk add --no-cache tzdata"], false),
            (&["RUN apt-get update", "RUN apk add bash"], false),
            (&["by hand"], false),
            (&[], false),
        ] {
            let history: Vec<_> = steps.iter().map(|step| serde_json::json!({ "created_by": step })).collect();
            let config = serde_json::json!({
                "architecture": "amd64", "os": "linux", "history": history,
                "rootfs": { "type": "layers", "diff_ids": [] },
            });
            assert_eq!(is_of_glibc(&serde_json::from_value(config).unwrap()), expected, "{steps:?}");
        }
    }
}
