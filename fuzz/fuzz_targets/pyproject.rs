//! Fuzzes [`pybundle_fuzz::pyproject`].

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    pybundle_fuzz::pyproject(text);
});
