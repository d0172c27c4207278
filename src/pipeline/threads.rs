//! Threads that may wait.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Does something for each number below `count`, on `threads` threads at most, and returns the results in order.
///
/// The threads are not rayon's: one of those that waits for a command or for another build would keep others from what they
/// need it for, or take up a build that waits for the one that it is in the middle of.
pub(super) fn in_threads<T: Send>(threads: usize, count: usize, each: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.min(count) {
            scope.spawn(|| {
                loop {
                    let position = next.fetch_add(1, Ordering::Relaxed);
                    if position >= count {
                        break;
                    }
                    let result = each(position);
                    done.lock().unwrap_or_else(PoisonError::into_inner).insert(position, result);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}
