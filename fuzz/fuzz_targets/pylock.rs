//! Whatever a pylock.toml holds, reading it and selecting from it ends with a selection or an error.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use pybundle::lock::Lock;
use pybundle_fuzz::select;

fuzz_target!(|text: &str| {
    if let Ok(lock) = Lock::parse_pylock(text, Path::new("pylock.toml")) {
        select(&lock);
    }
});
