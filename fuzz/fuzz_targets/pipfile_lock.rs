//! Fuzzes [`pybundle_fuzz::pipfile_lock`].

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    pybundle_fuzz::pipfile_lock(text);
});
