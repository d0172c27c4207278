//! Fuzzes [`pybundle_fuzz::metadata`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    pybundle_fuzz::metadata(bytes);
});
