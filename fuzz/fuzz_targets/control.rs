//! Fuzzes [`pybundle_fuzz::control`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    pybundle_fuzz::control(bytes);
});
