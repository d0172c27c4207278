//! Whatever a uv.lock holds, reading it and selecting from it ends with a selection or an error.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use pybundle::lock::Lock;
use pybundle_fuzz::select;

fuzz_target!(|text: &str| {
    if let Ok(lock) = Lock::parse_uv(text, Path::new("uv.lock")) {
        select(&lock);
    }
});
