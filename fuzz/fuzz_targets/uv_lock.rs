//! Fuzzes [`pybundle_fuzz::uv_lock`].

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    pybundle_fuzz::uv_lock(text);
});
