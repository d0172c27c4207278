//! Fuzzes [`pybundle_fuzz::pylock`].

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    pybundle_fuzz::pylock(text);
});
