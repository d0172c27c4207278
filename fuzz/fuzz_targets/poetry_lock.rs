//! Fuzzes [`pybundle_fuzz::poetry_lock`].

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    pybundle_fuzz::poetry_lock(text);
});
