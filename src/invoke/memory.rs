//! The memory that processes use.

use std::fs;

/// The largest memory that a process of a function was seen to use. Limits of the system do not serve: `RLIMIT_AS` counts
/// addresses, of which Python's threads and allocators reserve many times what they use, and control groups need rights that
/// users do not have.
#[derive(Debug, Default)]
pub(super) struct PeakMemory(Option<u64>);

impl PeakMemory {
    /// Measures a process and those that it started.
    pub(super) fn measure(&mut self, process: u32) {
        let mut remaining = vec![process];
        while let Some(process) = remaining.pop() {
            self.0 = self.0.max(resident(process));
            remaining.extend(children(process));
        }
    }

    /// Returns the memory in bytes; `None` if the system does not tell.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.0
    }
}

/// Returns the resident memory of a process (proc(5), `VmRSS`), in bytes.
fn resident(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}

/// Returns the processes that the main thread of a process started.
fn children(process: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}
