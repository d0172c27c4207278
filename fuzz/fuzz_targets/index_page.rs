//! Fuzzes [`pybundle_fuzz::index_page`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    pybundle_fuzz::index_page(bytes);
});
