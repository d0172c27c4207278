//! Fuzzes [`pybundle_fuzz::signed_text`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    pybundle_fuzz::signed_text(bytes);
});
