//! That locks are read in linear time, for the tests of several formats.

use std::path::Path;
use std::time::Duration;

use super::{Lock, SelectionRequest};
use crate::platform::{Architecture, LambdaProfile};

/// Asserts that locks of eight times as many distributions take not much more than eight times as long: a quadratic step takes
/// 64 times as long.
pub(super) fn assert_linear_time(text: fn(usize) -> String, parse: fn(&str) -> Lock) {
    let (few, many) = (time_of(&text(2_000), parse), time_of(&text(16_000), parse));
    assert!(many < 24 * few, "{few:?} for 2,000, {many:?} for 16,000");
}

/// Returns the processor time of reading a lock and selecting from it, which other processes hardly change.
fn time_of(text: &str, parse: fn(&str) -> Lock) -> Duration {
    let started = processor_time();
    let lock = parse(text);
    let target = LambdaProfile::built_in("python3.13").unwrap().target(Architecture::X86_64);
    lock.select(&SelectionRequest::default(), Path::new(""), &target).unwrap();
    processor_time() - started
}

fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap()
}
