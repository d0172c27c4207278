//! Whatever an index answers, reading it in either form of the simple API ends with a page or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pybundle::index::page::{html, json};

fuzz_target!(|bytes: &[u8]| {
    let Ok(base) = "https://example.org/simple/foo/".parse() else { return };
    if let Err(error) = html::parse(bytes, &base) {
        drop(error.to_string());
    }
    if let Err(error) = json::parse(bytes, &base) {
        drop(error.to_string());
    }
});
