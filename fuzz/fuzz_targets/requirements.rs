//! Fuzzes [`pybundle_fuzz::requirements`].

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    pybundle_fuzz::requirements(text);
});
