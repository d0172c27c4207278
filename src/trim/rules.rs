//! Which files each rule leaves out.
//!
//! The rules go by names, and are narrow: what may be read at run time stays, even if it is mostly not. What of the rest
//! is needed all the same, [`needed`](super::needed()) tells from the sources.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::str::FromStr;

use crate::wheel::{SchemePart, WheelFile, WheelInventory};

/// A kind of files of distributions that nothing needs at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SlimRule {
    /// Directories `tests` and `_tests`, and `conftest.py`. A directory `test` or `testing` is an interface as often as not.
    Tests,
    /// Type stubs (`.pyi`) and `py.typed`.
    Stubs,
    /// Headers of C, C++ and Cython, static libraries, and what build systems read beside them.
    Headers,
    /// What extension modules were compiled from.
    Sources,
    /// Manuals below `share`; documentation and examples that lie beside the packages by mistake.
    Docs,
    /// Bytecode that a wheel brings, and whose source it has.
    Bytecode,
}

impl SlimRule {
    /// Every rule.
    pub const ALL: [Self; 6] = [Self::Tests, Self::Stubs, Self::Headers, Self::Sources, Self::Docs, Self::Bytecode];

    /// Returns the name that flags and reports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tests => "tests",
            Self::Stubs => "stubs",
            Self::Headers => "headers",
            Self::Sources => "sources",
            Self::Docs => "docs",
            Self::Bytecode => "bytecode",
        }
    }
}

impl fmt::Display for SlimRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A text that names no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the rules are {}", SlimRule::ALL.map(SlimRule::name).join(", "))]
pub struct InvalidSlimRule;

impl FromStr for SlimRule {
    type Err = InvalidSlimRule;

    fn from_str(text: &str) -> Result<Self, InvalidSlimRule> {
        Self::ALL.into_iter().find(|rule| rule.name() == text).ok_or(InvalidSlimRule)
    }
}

/// The directories of tests.
pub(super) const TEST_DIRECTORIES: [&str; 2] = ["tests", "_tests"];

/// The directories of documentation, where they lie beside the packages.
pub(super) const DOC_DIRECTORIES: [&str; 4] = ["docs", "doc", "examples", "example"];

const HEADERS: [&str; 11] = ["h", "hh", "hpp", "hxx", "h++", "pxd", "pxi", "a", "cmake", "pc", "ipp"];

const SOURCES: [&str; 10] = ["c", "cc", "cpp", "cxx", "c++", "pyx", "f", "f90", "rs", "go"];

/// The distributions that compile while they run, against their own headers or from their own sources. A name that ends
/// with `*` stands for all that begin so.
const COMPILERS: [&str; 16] = [
    // Kernels for GPUs, by NVRTC or OpenCL, and the headers that they share.
    "cuda-*",
    "cupy*",
    "nvidia-*",
    "pycuda",
    "pyopencl",
    "pytorch-triton*",
    "triton*",
    "warp-lang",
    // Operators, by the system's compiler.
    "deepspeed",
    "taichi*",
    "torch",
    "tensorflow*",
    // Compilers of Python and C++.
    "cppyy*",
    "cython",
    "mypy",
    "numba*",
];

/// A rule that would leave out more of a distribution than this share, in percent, misses what the distribution is for:
/// pybind11 is headers, types-requests stubs.
const PURPOSE: u64 = 75;

/// Returns the files of a distribution that rules leave out, by their positions, each with the first rule that does.
pub fn left_out(inventory: &WheelInventory, rules: &BTreeSet<SlimRule>) -> BTreeMap<usize, SlimRule> {
    let distribution = DistributionFiles::new(inventory);
    let mut left_out = BTreeMap::new();
    for &rule in rules {
        for position in distribution.matching(rule) {
            left_out.entry(position).or_insert(rule);
        }
    }
    left_out
}

/// A distribution, and what rules ask about it as a whole.
struct DistributionFiles<'a> {
    inventory: &'a WheelInventory,
    modules: HashSet<&'a str>,
    /// Whether headers and sources are of no use once it is compiled.
    is_compiled: bool,
}

impl<'a> DistributionFiles<'a> {
    fn new(inventory: &'a WheelInventory) -> Self {
        let library = || inventory.files.iter().filter(|file| file.part == SchemePart::Library).map(|file| &*file.path);
        let name = inventory.name.as_str();
        let compiles = COMPILERS.iter().any(|compiler| match compiler.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == *compiler,
        });
        Self {
            inventory,
            modules: library().filter(|path| path.ends_with(".py")).collect(),
            is_compiled: !compiles && library().any(is_shared_object),
        }
    }

    /// Returns the positions of the files that a rule is for; none if they are most of the distribution.
    fn matching(&self, rule: SlimRule) -> Vec<usize> {
        let files = &self.inventory.files;
        let own = |file: &&WheelFile| !is_metadata(file);
        let size = |file: &WheelFile| file.extent.size;
        let found: Vec<usize> = (0..files.len()).filter(|&position| self.is_for(rule, &files[position])).collect();
        let total: u64 = files.iter().filter(own).map(size).sum();
        let share: u64 = found.iter().map(|&position| size(&files[position])).sum();
        if u128::from(share) * 100 > u128::from(total) * u128::from(PURPOSE) { Vec::new() } else { found }
    }

    fn is_for(&self, rule: SlimRule, file: &WheelFile) -> bool {
        let path = &*file.path;
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        if is_metadata(file) || is_licence(name) || file.part == SchemePart::Scripts {
            return false;
        }
        let is_library = file.part == SchemePart::Library;
        match rule {
            SlimRule::Tests => is_library && (has_directory(directory, &TEST_DIRECTORIES) || name == "conftest.py"),
            // Type checkers read the stubs of others: typeshed is their data.
            SlimRule::Stubs => {
                let is_stub = name == "py.typed" || has_extension(name, &["pyi"]);
                is_library && is_stub && !directory.split('/').any(|directory| directory.starts_with("typeshed"))
            }
            SlimRule::Headers => {
                file.part == SchemePart::Headers || self.is_compiled && has_extension(of_template(name), &HEADERS)
            }
            SlimRule::Sources => is_library && self.is_compiled && has_extension(of_template(name), &SOURCES),
            SlimRule::Docs => match file.part {
                SchemePart::Data => {
                    ["share/man/", "share/doc/", "share/info/"].iter().any(|place| path.starts_with(place))
                }
                _ => {
                    let root = directory.split('/').next().unwrap_or_default();
                    is_library && (DOC_DIRECTORIES.contains(&root) || directory.is_empty() && is_leaflet(name))
                }
            },
            SlimRule::Bytecode => is_library && has_extension(name, &["pyc"]) && self.is_redundant(directory, name),
        }
    }

    /// Returns whether bytecode has its source in the distribution (PEP 3147): else it is all that there is of a module.
    fn is_redundant(&self, directory: &str, name: &str) -> bool {
        let stem = name.split('.').next().unwrap_or_default();
        let directory = match directory.strip_suffix("__pycache__") {
            Some(above) => above.to_owned(),
            None => format!("{directory}/"),
        };
        self.modules.contains(format!("{directory}{stem}.py").trim_start_matches('/'))
    }
}

/// Returns whether a file belongs to the metadata of this distribution or of one that it has within it.
fn is_metadata(file: &WheelFile) -> bool {
    file.part == SchemePart::Library && file.path.split('/').any(|directory| directory.ends_with(".dist-info"))
}

/// Returns whether a file may be one that has to come with the distribution by its licence.
fn is_licence(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["license", "licence", "copying", "copyright", "notice", "authors"].iter().any(|word| name.starts_with(word))
}

/// Returns whether a name is one of those texts that come with a source distribution.
fn is_leaflet(name: &str) -> bool {
    let stem = match name.rsplit_once('.') {
        Some((stem, "md" | "rst" | "txt")) => stem.to_ascii_lowercase(),
        _ => return false,
    };
    ["readme", "changelog", "changes", "history", "news", "contributing"].contains(&&*stem)
}

pub(super) fn is_shared_object(path: &str) -> bool {
    path.ends_with(".so")
}

pub(super) fn has_directory(directory: &str, names: &[&str]) -> bool {
    directory.split('/').any(|directory| names.contains(&directory))
}

fn has_extension(name: &str, extensions: &[&str]) -> bool {
    name.rsplit_once('.').is_some_and(|(stem, extension)| !stem.is_empty() && extensions.contains(&extension))
}

/// Returns the name of what is made of a template: `a.pyx` for `a.pyx.tp` and `a.pyx.in`.
fn of_template(name: &str) -> &str {
    name.strip_suffix(".tp").or_else(|| name.strip_suffix(".in")).unwrap_or(name)
}
