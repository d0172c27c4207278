//! The published texts, and asking about each of them in parallel.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

/// A published lock.
#[derive(serde::Deserialize)]
pub struct Published {
    /// The file and the line where the text begins.
    pub origin: String,
    /// `uv.lock` or `pylock.toml`.
    pub form: String,
    /// The text.
    pub text: String,
}

/// Returns the published locks of a form.
pub fn published(form: &str) -> Vec<Published> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/valid/published/locks.jsonl.zst");
    let lines = String::from_utf8(zstd::decode_all(std::fs::File::open(path).unwrap()).unwrap()).unwrap();
    let locks = lines.lines().map(|line| serde_json::from_str::<Published>(line).unwrap());
    locks.filter(|lock| lock.form == form).collect()
}

/// Asks about each lock, on as many threads as there are processors, and returns the answers by origin.
pub fn ask<Answer: Send>(
    locks: &[Published],
    question: impl Fn(&Published) -> Answer + Sync,
) -> BTreeMap<&str, Answer> {
    let (next, answers) = (Mutex::new(locks.iter()), Mutex::new(BTreeMap::new()));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some(lock) = next.lock().unwrap().next() else { break };
                    let answer = question(lock);
                    answers.lock().unwrap().insert(lock.origin.as_str(), answer);
                }
            });
        }
    });
    answers.into_inner().unwrap()
}
