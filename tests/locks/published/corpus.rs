//! The published locks.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

/// A published lock.
#[derive(serde::Deserialize)]
pub struct Published {
    /// The file and the line where the text begins.
    pub origin: String,
    /// `uv.lock` or `pylock.toml`.
    #[serde(rename = "form")]
    pub format: String,
    /// The text.
    pub text: String,
}

/// Returns the published locks of a format.
pub fn published(format: &str) -> Vec<Published> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/valid/published/locks.jsonl.zst");
    let lines = String::from_utf8(zstd::decode_all(std::fs::File::open(path).unwrap()).unwrap()).unwrap();
    let locks = lines.lines().map(|line| serde_json::from_str::<Published>(line).unwrap());
    locks.filter(|lock| lock.format == format).collect()
}

/// Calls a function with each lock, on as many threads as there are processors, and returns the results by origin.
pub fn for_each<Output: Send>(
    locks: &[Published],
    function: impl Fn(&Published) -> Output + Sync,
) -> BTreeMap<&str, Output> {
    let (next, results) = (Mutex::new(locks.iter()), Mutex::new(BTreeMap::new()));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some(lock) = next.lock().unwrap().next() else { break };
                    let result = function(lock);
                    results.lock().unwrap().insert(lock.origin.as_str(), result);
                }
            });
        }
    });
    results.into_inner().unwrap()
}
