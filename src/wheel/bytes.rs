//! A verified wheel, whose bytes are on this machine or are obtained when they are first needed.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::inventory::{LARGEST_TEXT, SchemePart, WheelInventory, WheelReading};
use crate::digest::Sha256;
use crate::tree::{DeferredContent, Extent, FileContent, KnownContent, MisstatedFile};
use crate::wheel::filename::WheelFilename;

/// A wheel that was verified, here or where its record comes from.
#[derive(Debug, Clone)]
pub struct Wheel {
    /// The parsed file name. The file itself may have another name: the cache names files by digest.
    pub filename: WheelFilename,
    /// The digest of the file.
    pub sha256: Sha256,
    /// The size of the file in bytes.
    pub size: u64,
    /// What the wheel contains.
    pub inventory: WheelInventory,
    /// Where its bytes are.
    pub bytes: WheelBytes,
}

/// Where the bytes of a wheel are.
#[derive(Debug, Clone)]
pub enum WheelBytes {
    /// On this machine.
    Here {
        /// The wheel's file.
        archive: Arc<PathBuf>,
        /// The verified contents of the files, in the order of [`WheelInventory::files`].
        extents: Arc<[Extent]>,
    },
    /// Elsewhere.
    Deferred(Arc<DeferredWheel>),
}

impl Wheel {
    /// Creates a wheel whose file is here, from its digest and size, and what the strict reader found in it.
    pub(crate) fn here(
        archive: PathBuf,
        filename: &WheelFilename,
        (sha256, size): (Sha256, u64),
        WheelReading { inventory, extents }: WheelReading,
    ) -> Self {
        let bytes = WheelBytes::Here { archive: Arc::new(archive), extents: extents.into() };
        Self { filename: filename.clone(), sha256, size, inventory, bytes }
    }

    /// Returns the content of a file, by its position in [`WheelInventory::files`].
    ///
    /// # Panics
    /// There is no such file.
    pub fn content(&self, position: usize) -> FileContent {
        match &self.bytes {
            WheelBytes::Here { archive, extents } => {
                FileContent::Archived { archive: Arc::clone(archive), extent: extents[position].clone() }
            }
            WheelBytes::Deferred(deferred) => {
                let (size, known) = (self.inventory.files[position].size, deferred.known.content(position));
                let deferred = Arc::clone(deferred);
                let content = DeferredContent::new(size, known, move || Ok(deferred.wheel()?.content(position)));
                FileContent::Deferred(Arc::new(content))
            }
        }
    }

    /// Tells whether the wheel was known without its bytes, and if so, whether they have been obtained meanwhile.
    pub(crate) fn deferral(&self) -> Option<bool> {
        match &self.bytes {
            WheelBytes::Here { .. } => None,
            WheelBytes::Deferred(deferred) => Some(deferred.obtained().is_some()),
        }
    }

    /// Fails if an attempt to obtain the wheel has failed: audits take what they cannot read for what they cannot judge.
    ///
    /// # Errors
    /// Why it cannot be obtained.
    pub(crate) fn check_obtained(&self) -> io::Result<()> {
        match &self.bytes {
            WheelBytes::Deferred(deferred) => match deferred.obtained() {
                Some(Err(error)) => Err(io::Error::new(error.kind(), error)),
                Some(Ok(_)) | None => Ok(()),
            },
            WheelBytes::Here { .. } => Ok(()),
        }
    }

    /// Returns the path of the wheel's file, which is obtained if it is not on this machine.
    ///
    /// # Errors
    /// It cannot be obtained.
    pub fn archive(&self) -> io::Result<Arc<PathBuf>> {
        match &self.bytes {
            WheelBytes::Here { archive, .. } => Ok(Arc::clone(archive)),
            WheelBytes::Deferred(deferred) => deferred.wheel()?.archive(),
        }
    }

    /// Returns the wheel with its bytes, which are obtained if they are not on this machine.
    ///
    /// # Errors
    /// They cannot be obtained, or are not those of what is known of the wheel.
    pub(crate) fn present(&self) -> io::Result<Self> {
        match &self.bytes {
            WheelBytes::Here { .. } => Ok(self.clone()),
            WheelBytes::Deferred(deferred) => Ok(Self::clone(&*deferred.wheel()?)),
        }
    }

    /// Returns a path that names the wheel in messages.
    pub(crate) fn location(&self) -> &Path {
        match &self.bytes {
            WheelBytes::Here { archive, .. } => archive,
            WheelBytes::Deferred(_) => Path::new(self.filename.as_str()),
        }
    }

    /// Returns the position of a file of the library part, by its path.
    pub(crate) fn position(&self, path: &str) -> Option<usize> {
        let mut files = self.inventory.files.iter();
        files.position(|file| file.part == SchemePart::Library && file.path == path)
    }

    /// Returns the headers of METADATA, without the description that follows them.
    ///
    /// # Errors
    /// The wheel's file cannot be read.
    pub fn metadata(&self) -> io::Result<Vec<u8>> {
        if let WheelBytes::Deferred(deferred) = &self.bytes {
            return Ok(deferred.known.metadata.to_vec());
        }
        let path = format!("{}/METADATA", self.inventory.dist_info);
        let position = self.position(&path).ok_or(io::ErrorKind::NotFound)?;
        let mut text = self.content(position).read(LARGEST_TEXT)?;
        let ends = [&b"\n\n"[..], b"\r\n\r\n"].map(|end| Some(memchr::memmem::find(&text, end)? + end.len()));
        text.truncate(ends.into_iter().flatten().min().unwrap_or(text.len()));
        Ok(text)
    }
}

/// What is known of the files of a wheel that is elsewhere, besides its inventory.
#[derive(Debug, Default)]
pub(crate) struct KnownFiles {
    /// The headers of METADATA.
    pub(crate) metadata: Box<[u8]>,
    /// By their positions, the files of which more is known than the size.
    pub(crate) contents: BTreeMap<usize, KnownContent>,
}

impl KnownFiles {
    fn content(&self, position: usize) -> KnownContent {
        self.contents.get(&position).cloned().unwrap_or(KnownContent::Size)
    }
}

/// Obtains a wheel.
type ObtainWheel = Box<dyn Fn() -> io::Result<Wheel> + Send + Sync>;

/// The wheel, or why it cannot be obtained: it is not tried again, so that whoever asks gets the same answer.
type Obtained = Result<Arc<Wheel>, Arc<io::Error>>;

/// A wheel of which only the inventory is here. Its bytes are obtained once.
pub struct DeferredWheel {
    inventory: WheelInventory,
    known: KnownFiles,
    obtain: ObtainWheel,
    obtained: Mutex<Option<Obtained>>,
}

impl DeferredWheel {
    /// Creates a wheel that `obtain` returns, with what a record says of it.
    pub(crate) fn new(
        inventory: WheelInventory,
        known: KnownFiles,
        obtain: impl Fn() -> io::Result<Wheel> + Send + Sync + 'static,
    ) -> Self {
        Self { inventory, known, obtain: Box::new(obtain), obtained: Mutex::new(None) }
    }

    fn obtained(&self) -> Option<Obtained> {
        self.obtained.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the wheel, which is obtained if it was not before.
    ///
    /// # Errors
    /// It cannot be obtained, or is not what the record says.
    fn wheel(&self) -> io::Result<Arc<Wheel>> {
        let mut obtained = self.obtained.lock().unwrap_or_else(PoisonError::into_inner);
        let wheel = obtained.get_or_insert_with(|| match (self.obtain)() {
            Ok(wheel) if wheel.inventory == self.inventory => Ok(Arc::new(wheel)),
            Ok(_) => Err(Arc::new(io::Error::new(io::ErrorKind::InvalidData, MisstatedFile))),
            Err(error) => Err(Arc::new(error)),
        });
        wheel.clone().map_err(|error| io::Error::new(error.kind(), error))
    }
}

impl fmt::Debug for DeferredWheel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DeferredWheel").field("name", &self.inventory.name).finish_non_exhaustive()
    }
}
