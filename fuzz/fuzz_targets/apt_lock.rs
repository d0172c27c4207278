//! Fuzzes [`pybundle_fuzz::apt_lock`].

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    pybundle_fuzz::apt_lock(text);
});
