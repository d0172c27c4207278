//! Fuzzes [`pybundle_fuzz::deb`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    pybundle_fuzz::deb(bytes);
});
