//! Files whose bytes are not on this machine: they are obtained when they are first needed.

use std::fmt;
use std::io;
use std::sync::OnceLock;

use super::FileContent;

/// Obtains a content.
type Obtain = Box<dyn Fn() -> io::Result<FileContent> + Send + Sync>;

/// A content that is obtained when its bytes are first needed.
pub struct DeferredContent {
    size: u64,
    known: KnownContent,
    obtain: Obtain,
    obtained: OnceLock<FileContent>,
}

/// What is known of a content without having it.
#[derive(Debug, Clone)]
pub(crate) enum KnownContent {
    /// The size alone.
    Size,
    /// What audits ask of a Python source.
    Source(SourceFacts),
    /// All bytes.
    Bytes(Box<[u8]>),
}

impl DeferredContent {
    /// Creates the content of `size` bytes that `obtain` returns.
    pub(crate) fn new(
        size: u64,
        known: KnownContent,
        obtain: impl Fn() -> io::Result<FileContent> + Send + Sync + 'static,
    ) -> Self {
        Self { size, known, obtain: Box::new(obtain), obtained: OnceLock::new() }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn known(&self) -> &KnownContent {
        &self.known
    }

    /// Returns the content, which is obtained if it was not before.
    ///
    /// # Errors
    /// It cannot be obtained, or has another size than was promised.
    pub(super) fn content(&self) -> io::Result<&FileContent> {
        if let Some(content) = self.obtained.get() {
            return Ok(content);
        }
        let content = (self.obtain)()?;
        if content.size() != self.size {
            return Err(io::Error::new(io::ErrorKind::InvalidData, MisstatedFile));
        }
        Ok(self.obtained.get_or_init(|| content))
    }
}

impl fmt::Debug for DeferredContent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DeferredContent").field("size", &self.size).finish_non_exhaustive()
    }
}

/// A file is not what was said of it before it was obtained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not what the remote cache says of it")]
pub(crate) struct MisstatedFile;

/// What audits ask of a Python source, so that they need not read it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct SourceFacts {
    pub(crate) markers: SourceMarkers,
    /// In the order of the source.
    pub(crate) needs: Vec<NeededModule>,
}

/// A top-level module that a Python source certainly imports.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct NeededModule {
    pub(crate) name: Box<str>,
    /// The line of the first such import, from 1.
    pub(crate) line: usize,
}

/// Which of the [texts](Self::TEXTS) that audits search for a Python source contains.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct SourceMarkers(u8);

impl SourceMarkers {
    /// The texts, of which each has a bit. Another list is another form of what is kept.
    pub(crate) const TEXTS: [&'static str; 7] =
        ["extend_path(", "declare_namespace(", "__path__", "sys.modules", "__getattr__", "meta_path", "lazy"];

    /// Searches a source.
    pub(crate) fn of(source: &[u8]) -> Self {
        let found = |text: &str| memchr::memmem::find(source, text.as_bytes()).is_some();
        Self(Self::TEXTS.iter().enumerate().fold(0, |bits, (at, text)| bits | (u8::from(found(text)) << at)))
    }

    /// Tells whether the source contains one of `texts`; `None` if one of them is not among those that were searched for.
    pub(super) fn contain_any(self, texts: &[&str]) -> Option<bool> {
        let bits = texts.iter().map(|text| Self::TEXTS.iter().position(|known| known == text));
        let bits: Vec<usize> = bits.collect::<Option<_>>()?;
        Some(bits.into_iter().any(|at| self.0 & (1 << at) != 0))
    }
}
