//! Fuzzes [`pybundle_fuzz::image_manifest`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    pybundle_fuzz::image_manifest(bytes);
});
