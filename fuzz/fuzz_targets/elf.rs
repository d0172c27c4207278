//! Fuzzes [`pybundle_fuzz::elf`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    pybundle_fuzz::elf(bytes);
});
