//! Which cases of a long list are tried.

/// Tells whether a case is tried: one in `one_in` of them is, by its number, or each if `PYBUNDLE_EVERY_CASE` is set, as by
/// `scripts/test-every-case`. To try other numbers in each of several series, add the number of the series.
pub fn is_tried(number: usize, one_in: usize) -> bool {
    is_every_case() || number.is_multiple_of(one_in)
}

/// Tells whether every case of every list is tried.
pub fn is_every_case() -> bool {
    std::env::var_os("PYBUNDLE_EVERY_CASE").is_some()
}
