//! The records that machines share: those that were read elsewhere, and those that others can use.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::{Cache, RecordKey, RecordKind};
use crate::digest::Sha256;

/// Records by their kinds and keys, each in the [postcard](https://postcard.jamesmunns.com/wire-format) format.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SharedRecords(BTreeMap<(RecordKind, Sha256), ByteBuf>);

impl SharedRecords {
    /// Adds the records of another machine.
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Returns the values of the records of a kind.
    pub(crate) fn of_kind<T: DeserializeOwned>(&self, kind: RecordKind) -> Vec<T> {
        let records = self.0.iter().filter(|((other, _), _)| *other == kind);
        records.filter_map(|(_, value)| postcard::from_bytes(value).ok()).collect()
    }

    /// Removes the records of a kind.
    pub(crate) fn without(mut self, kind: RecordKind) -> Self {
        self.0.retain(|(other, _), _| *other != kind);
        self
    }

    /// Removes the records of all other kinds.
    pub(crate) fn only(mut self, kind: RecordKind) -> Self {
        self.0.retain(|(other, _), _| *other == kind);
        self
    }

    /// Tells whether no record differs from the one with the same key in `other`.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        self.0.iter().all(|(key, value)| other.0.get(key).is_none_or(|known| known == value))
    }
}

/// What a cache shares.
#[derive(Debug, Clone, Default)]
pub(super) struct Sharing {
    /// The records of other machines. They are not written to this machine's cache.
    borrowed: Arc<SharedRecords>,
    /// The records that were used, if they are to be shared.
    noted: Option<Arc<Mutex<SharedRecords>>>,
}

impl Cache {
    /// Returns the same cache with records of other machines, which notes the records that are used.
    pub(crate) fn sharing(&self, borrowed: &Arc<SharedRecords>) -> Self {
        let sharing = Sharing { borrowed: Arc::clone(borrowed), noted: Some(Arc::default()) };
        Self { sharing, ..self.clone() }
    }

    /// Returns the same cache, but notes nothing: for what is derived from the application, which no other machine needs.
    pub(crate) fn unshared(&self) -> Self {
        let sharing = Sharing { noted: None, ..self.sharing.clone() };
        Self { sharing, ..self.clone() }
    }

    /// Returns the records that were used.
    pub(crate) fn noted(&self) -> SharedRecords {
        let noted = self.sharing.noted.as_ref();
        noted.map(|noted| noted.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap_or_default()
    }

    /// Returns a record of another machine, and notes it.
    pub(crate) fn borrowed<T: DeserializeOwned>(&self, kind: RecordKind, key: RecordKey) -> Option<T> {
        let bytes = self.sharing.borrowed.0.get(&(kind, key.0))?;
        let value = postcard::from_bytes(bytes).ok()?;
        self.note_bytes(kind, key, bytes);
        Some(value)
    }

    /// Notes a record for other machines.
    pub(crate) fn note<T: Serialize>(&self, kind: RecordKind, key: RecordKey, value: impl FnOnce() -> T) {
        if self.sharing.noted.is_some()
            && let Ok(bytes) = postcard::to_stdvec(&value())
        {
            self.note_bytes(kind, key, &bytes);
        }
    }

    pub(super) fn note_bytes(&self, kind: RecordKind, key: RecordKey, bytes: &[u8]) {
        if kind.is_shared()
            && let Some(noted) = &self.sharing.noted
        {
            noted.lock().unwrap_or_else(PoisonError::into_inner).0.insert((kind, key.0), ByteBuf::from(bytes));
        }
    }
}
