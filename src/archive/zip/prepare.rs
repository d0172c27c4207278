//! The bytes of entries before they are written: what has to be deflated is deflated ahead, on other threads.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayon::Scope;

use crate::archive::ArchiveError;
use crate::archive::deflate::{self, Deflated};
use crate::tree::{Extent, FileContent, PresentContent, TreeEntry, TreePath, ZipCompression};

/// Files up to this size in bytes are deflated in memory, several at once. Larger ones are deflated twice, first to learn
/// the compressed size, which precedes the bytes. So memory does not grow with the files.
pub(super) const IN_MEMORY: u64 = 512 * 1024;

/// How many bytes are deflated before their entries are reached, so that the writer seldom waits.
const AHEAD: u64 = 8 << 20;

/// What an entry counts for besides its bytes, so that the number of small ones is bounded, too.
const EACH_AHEAD: u64 = 4 * 1024;

/// A path and its entry.
pub(super) type ZipItem<'a> = (&'a TreePath, &'a TreeEntry);

/// The bytes of an entry, as far as its header needs them.
pub(super) enum PreparedEntry<'a> {
    Copied {
        archive: &'a Path,
        extent: &'a Extent,
    },
    /// In memory: deflated, or stored where deflating does not make them smaller.
    Ready {
        bytes: Vec<u8>,
        compression: ZipCompression,
        crc32: u32,
        size: u64,
    },
    /// To be deflated a second time while they are written.
    Streamed {
        path: &'a Path,
        expected: Deflated,
    },
}

/// Prepares entries in their order, most of them ahead.
///
/// The writer never waits for a thread to begin: each of rayon's threads may be writing a zip. It prepares what no thread has
/// begun by itself, and waits only for what one is preparing.
pub(super) struct EntriesAhead<'a, 'b> {
    /// Those to be deflated that are not ahead yet.
    later: std::slice::Iter<'b, ZipItem<'a>>,
    ahead: VecDeque<(Arc<Mutex<Preparation<'a>>>, u64)>,
    /// What the entries ahead count for, in bytes.
    weight: u64,
}

/// How far an entry is.
enum Preparation<'a> {
    Waiting,
    Done(Result<PreparedEntry<'a>, ArchiveError>),
    /// By the writer.
    Taken,
}

impl<'a, 'b> EntriesAhead<'a, 'b> {
    /// Begins with all entries of which each is passed to [`prepare`](Self::prepare) afterwards.
    pub(super) fn new(entries: &'b [ZipItem<'a>]) -> Self {
        Self { later: entries.iter(), ahead: VecDeque::new(), weight: 0 }
    }

    /// Returns the next entry, prepared, after sending more of them to the threads of `scope`.
    ///
    /// # Errors
    /// Its file cannot be read, or its content obtained.
    pub(super) fn prepare<'scope>(
        &mut self,
        item: ZipItem<'a>,
        scope: &Scope<'scope>,
    ) -> Result<PreparedEntry<'a>, ArchiveError>
    where
        'a: 'scope,
    {
        if !is_deflated(&item) {
            return prepare(item);
        }
        self.send(scope);
        let Some((preparation, weight)) = self.ahead.pop_front() else { return prepare(item) };
        self.weight -= weight;
        let taken = std::mem::replace(&mut *locked(&preparation), Preparation::Taken);
        match taken {
            Preparation::Done(result) => result,
            Preparation::Waiting | Preparation::Taken => prepare(item),
        }
    }

    fn send<'scope>(&mut self, scope: &Scope<'scope>)
    where
        'a: 'scope,
    {
        while self.weight < AHEAD {
            let Some(&item) = self.later.find(|item| is_deflated(item)) else { break };
            let weight = item.1.content.size().min(IN_MEMORY) + EACH_AHEAD;
            let preparation = Arc::new(Mutex::new(Preparation::Waiting));
            self.ahead.push_back((Arc::clone(&preparation), weight));
            self.weight += weight;
            scope.spawn(move |_| {
                let mut preparation = locked(&preparation);
                if let Preparation::Waiting = *preparation {
                    *preparation = Preparation::Done(prepare(item));
                }
            });
        }
    }
}

fn locked<'a, 'b>(preparation: &'b Mutex<Preparation<'a>>) -> MutexGuard<'b, Preparation<'a>> {
    // A panic while preparing leaves it waiting.
    preparation.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_deflated((_, entry): &ZipItem<'_>) -> bool {
    !matches!(entry.content, FileContent::Archived { .. })
}

fn prepare<'a>((path, entry): ZipItem<'a>) -> Result<PreparedEntry<'a>, ArchiveError> {
    match entry.content.present().map_err(ArchiveError::obtain(path))? {
        PresentContent::Archived { archive, extent } => Ok(PreparedEntry::Copied { archive, extent }),
        PresentContent::Bytes(bytes) => Ok(deflated(bytes)),
        PresentContent::File { path: file, .. } => prepare_file(file).map_err(ArchiveError::read(file, path)),
    }
}

fn prepare_file(path: &Path) -> io::Result<PreparedEntry<'_>> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() <= IN_MEMORY {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        return Ok(deflated(&bytes));
    }
    let expected = deflate::deflate(&mut file, &mut io::sink())?;
    Ok(PreparedEntry::Streamed { path, expected })
}

fn deflated<'a>(bytes: &[u8]) -> PreparedEntry<'a> {
    let mut compressed = Vec::new();
    match deflate::deflate(&mut &bytes[..], &mut compressed) {
        Ok(deflated) if deflated.compressed_size < deflated.size => PreparedEntry::Ready {
            bytes: compressed,
            compression: ZipCompression::Deflated,
            crc32: deflated.crc32,
            size: deflated.size,
        },
        // It is not smaller. (Nothing fails between slices and vectors.)
        _ => PreparedEntry::Ready {
            bytes: bytes.to_vec(),
            compression: ZipCompression::Stored,
            crc32: crc32fast::hash(bytes),
            size: bytes.len() as u64,
        },
    }
}
