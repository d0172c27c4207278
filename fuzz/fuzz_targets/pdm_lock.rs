//! Fuzzes [`pybundle_fuzz::pdm_lock`].

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    pybundle_fuzz::pdm_lock(text);
});
