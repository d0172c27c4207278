//! The modules that AWS's runtime client imports before it calls the handler. The directory of the function precedes the
//! standard library in its search path, so a module there that has the name of one of these stops it.

use std::ops::RangeInclusive;

use crate::platform::PythonVersion;
use crate::tree::FileOrigin;

/// All minor versions of Python 3.
const ALL: RangeInclusive<u8> = 0..=u8::MAX;

/// Modules with the minor versions of Python 3 in which the client imports them. Each was found by starting a function with
/// an empty module of that name in awslambdaric 4.2.2 (Python 3.10 to 3.13) and 4.0.4 (3.9). Later versions have those of
/// 3.13, and the packages that became parts of the standard library: `gzip`, `bz2`, `lzma` and with them botocore import
/// `compression`, `dataclasses` and `inspect` import `annotationlib`, and cProfile imports `profiling`.
const MODULES: &[(&str, RangeInclusive<u8>)] = &[
    ("__future__", ALL),
    ("abc", 0..=10),
    ("annotationlib", 14..=u8::MAX),
    ("awslambdaric", ALL),
    ("codecs", 0..=10),
    ("collections", ALL),
    ("compression", 14..=u8::MAX),
    ("concurrent", 12..=u8::MAX),
    ("contextlib", ALL),
    ("copyreg", ALL),
    ("decimal", ALL),
    ("encodings", ALL),
    ("enum", ALL),
    ("functools", ALL),
    ("genericpath", 0..=10),
    ("heapq", 12..=u8::MAX),
    ("importlib", ALL),
    ("io", 0..=10),
    ("json", ALL),
    ("keyword", ALL),
    ("logging", ALL),
    ("numbers", ALL),
    ("operator", ALL),
    ("os", 0..=10),
    ("pkgutil", 0..=9),
    ("posixpath", 0..=10),
    ("profiling", 15..=u8::MAX),
    ("queue", 12..=u8::MAX),
    ("re", ALL),
    ("reprlib", ALL),
    ("runpy", 0..=10),
    ("runtime_client", ALL),
    ("simplejson", ALL),
    ("sre_compile", 0..=10),
    ("sre_constants", 0..=10),
    ("sre_parse", 0..=10),
    ("stat", 0..=10),
    ("string", ALL),
    ("threading", ALL),
    ("token", 0..=12),
    ("types", ALL),
    ("weakref", ALL),
];

/// Returns whether the client needs a top-level module in a version of Python.
pub(super) fn needs(module: &str, python: PythonVersion) -> bool {
    MODULES.iter().any(|(name, versions)| *name == module && versions.contains(&python.minor))
}

/// The modules of awslambdaric and of what it requires, with their distributions.
const DISTRIBUTIONS: [(&str, &str); 4] = [
    ("awslambdaric", "awslambdaric"),
    ("runtime_client", "awslambdaric"),
    ("simplejson", "simplejson"),
    ("snapshot_restore_py", "snapshot-restore-py"),
];

/// Returns whether a file that is a top-level module comes from the distribution that the client has the module from: a function
/// may contain its own version of it.
pub(super) fn is_from_its_distribution(module: &str, origin: &FileOrigin) -> bool {
    let FileOrigin::Distribution(distribution) = origin else { return false };
    DISTRIBUTIONS.contains(&(module, distribution.name.as_str()))
}
