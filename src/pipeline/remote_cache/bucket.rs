//! Records in Amazon S3 or a store with the same API: an object for each, and for each file that is stored with one, all
//! under one prefix. A directory that is copied there has the same names.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::runtime::{Builder, Runtime};

use super::store::{LocalFile, NewRecord, RecordError, RecordStore, SharedFile, StoredRecord};
use crate::aws::{
    AwsEnvironment, AwsSession, ObjectFile, PutCondition, S3Bucket, S3Error, S3Patience, configured_region,
};
use crate::closure::{ClosureRecord, InvalidRecord, LARGEST_RECORD};
use crate::digest::HashingWriter;
use crate::settings::BucketPrefix;

/// The region that is asked where the bucket is if none is configured. Stores of others have their buckets there.
const DEFAULT_REGION: &str = "us-east-1";

/// How many bytes of a file a request reads.
const PART: u64 = 8 << 20;

/// How many parts are read at a time, and are in memory.
const CONCURRENCY: usize = 4;

/// A bucket with records.
pub(super) struct RecordBucket<'a> {
    environment: &'a AwsEnvironment,
    place: &'a BucketPrefix,
    /// Opened by the first request: most builds send none.
    opened: RefCell<Option<OpenBucket<'a>>>,
    /// The entity tags of records that are damaged, by their names.
    damaged: RefCell<BTreeMap<String, String>>,
}

struct OpenBucket<'a> {
    bucket: S3Bucket<'a>,
    /// Which the connections belong to.
    runtime: Runtime,
}

impl<'a> OpenBucket<'a> {
    /// Loads the credentials.
    fn new(environment: &'a AwsEnvironment, bucket: &str) -> Result<Self, RecordError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(RecordError::Start)?;
        let bucket = runtime.block_on(async {
            let region = configured_region(environment).await?;
            let session = AwsSession::open_shared(environment, region.as_deref().unwrap_or(DEFAULT_REGION)).await?;
            Ok::<_, RecordError>(
                S3Bucket::new(session.ok_or(RecordError::NoCredentials)?, bucket, S3Patience::SHORT).await?,
            )
        });
        Ok(Self { bucket: bucket?, runtime })
    }
}

impl<'a> RecordBucket<'a> {
    pub(super) fn new(environment: &'a AwsEnvironment, place: &'a BucketPrefix) -> Self {
        Self { environment, place, opened: RefCell::new(None), damaged: RefCell::default() }
    }

    /// Sends requests, to the bucket's own region if they were for another one.
    fn request<T>(&self, send: impl AsyncFn(&S3Bucket<'a>) -> Result<T, S3Error>) -> Result<T, RecordError> {
        let mut opened = self.opened.borrow_mut();
        let opened = match &mut *opened {
            Some(opened) => opened,
            none => none.insert(OpenBucket::new(self.environment, &self.place.bucket)?),
        };
        match opened.runtime.block_on(send(&opened.bucket)) {
            Err(S3Error::OtherRegion { region, .. }) => {
                opened.bucket = opened.runtime.block_on(opened.bucket.in_region(&region))?;
                Ok(opened.runtime.block_on(send(&opened.bucket))?)
            }
            result => Ok(result?),
        }
    }
}

impl RecordStore for RecordBucket<'_> {
    fn location(&self) -> String {
        self.place.to_string()
    }

    fn has(&self, name: &str) -> Result<bool, RecordError> {
        let key = self.place.key(name);
        self.request(async |bucket| Ok(bucket.find(&key).await?.is_some()))
    }

    fn read(&self, name: &str) -> Result<Option<StoredRecord>, RecordError> {
        let key = self.place.key(name);
        let stored = self.request(async |bucket| bucket.get(&key, LARGEST_RECORD).await)?;
        let Some((bytes, etag)) = stored else { return Ok(None) };
        let record = ClosureRecord::decode(&bytes).inspect_err(|_| {
            self.damaged.borrow_mut().extend(etag.map(|etag| (name.to_owned(), etag)));
        })?;
        Ok(Some(StoredRecord { record, blobs: BTreeSet::new() }))
    }

    fn read_file(&self, _: &str, file: &SharedFile, output: &mut dyn Write) -> Result<(), RecordError> {
        let key = self.place.key(&file.name());
        let mut copy = HashingWriter::new(output);
        let starts: Vec<u64> = (0..file.size).step_by(PART as usize).collect();
        for starts in starts.chunks(CONCURRENCY) {
            let parts = self.request(async |bucket| {
                let parts = starts.iter().map(|start| bucket.get_range(&key, *start..file.size.min(start + PART)));
                stream::iter(parts).buffered(CONCURRENCY).try_collect::<Vec<_>>().await
            })?;
            for part in parts {
                let part = part.ok_or(InvalidRecord::Damaged)?;
                copy.write_all(&part).map_err(|error| RecordError::File((&*key).into(), error))?;
            }
        }
        if copy.finish().1 == file.sha256 { Ok(()) } else { Err(InvalidRecord::Damaged.into()) }
    }

    fn write(&self, new: &NewRecord) -> Result<bool, RecordError> {
        let mut is_repaired = false;
        for LocalFile { file, path } in &new.files {
            let key = self.place.key(&file.name());
            let object = ObjectFile::without_checkpoints(&key, path, file.size);
            let object = object.map_err(|error| RecordError::File(path.clone(), error))?;
            // What has its digest as its name is what it was.
            if self.request(async |bucket| bucket.find(&key).await)?.is_none() {
                self.request(async |bucket| bucket.upload(&object, None).await)?;
                is_repaired = new.is_replacing;
            }
        }
        let key = self.place.key(new.name);
        let damaged = self.damaged.borrow();
        let condition = match damaged.get(new.name) {
            // Nobody replaces what another machine has repaired meanwhile.
            Some(etag) => PutCondition::Matches(etag),
            None => PutCondition::IsAbsent,
        };
        let is_written = self.request(async |bucket| bucket.put(&key, new.encoded.clone(), condition, None).await)?;
        Ok(is_written || is_repaired)
    }
}
