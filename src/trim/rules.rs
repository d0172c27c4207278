//! The rules for omitting files.
//!
//! The rules match names and are narrow: a file that might be read at run time is kept, even if most are not.
//! [`needed_files`](super::needed_files()) finds the exceptions in the sources.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::wheel::{SchemePart, WheelFile, WheelInventory};

/// A rule for files that are not needed at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SlimRule {
    /// Directories `tests` and `_tests`, and `conftest.py`. Directories `test` and `testing` are often public modules.
    Tests,
    /// Type stubs (`.pyi`) and `py.typed`, and all files of a distribution of stubs alone.
    Stubs,
    /// C, C++ and Cython headers, static libraries, and the CMake and pkg-config files for them.
    Headers,
    /// Sources of extension modules.
    Sources,
    /// Manuals in `share`, and documentation and examples that were installed beside the packages by mistake.
    Docs,
    /// Bytecode in the wheel, if the wheel also contains the source.
    Bytecode,
    /// Models of AWS services that the code does not name.
    Services,
    /// Discovery documents of Google APIs that the code does not name.
    Discovery,
    /// Locales of Babel that the code does not name.
    Locales,
}

impl SlimRule {
    /// The rules that need nothing but the distribution itself.
    pub const DEFAULT: [Self; 6] = [Self::Tests, Self::Stubs, Self::Headers, Self::Sources, Self::Docs, Self::Bytecode];

    /// All rules: those about data depend on what the application's code names, too.
    pub const ALL: [Self; 9] = [
        Self::Tests,
        Self::Stubs,
        Self::Headers,
        Self::Sources,
        Self::Docs,
        Self::Bytecode,
        Self::Services,
        Self::Discovery,
        Self::Locales,
    ];

    /// Returns the name in flags and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tests => "tests",
            Self::Stubs => "stubs",
            Self::Headers => "headers",
            Self::Sources => "sources",
            Self::Docs => "docs",
            Self::Bytecode => "bytecode",
            Self::Services => "services",
            Self::Discovery => "discovery",
            Self::Locales => "locales",
        }
    }
}

impl fmt::Display for SlimRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// An unknown rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a rule: expected one of {}", .0.escape_debug(), SlimRule::ALL.map(SlimRule::name).join(", "))]
pub struct InvalidSlimRule(String);

impl FromStr for SlimRule {
    type Err = InvalidSlimRule;

    fn from_str(text: &str) -> Result<Self, InvalidSlimRule> {
        Self::ALL.into_iter().find(|rule| rule.name() == text).ok_or_else(|| InvalidSlimRule(text.to_owned()))
    }
}

pub(super) const TEST_DIRECTORIES: [&str; 2] = ["tests", "_tests"];

/// Top-level directories with documentation.
pub(super) const DOC_DIRECTORIES: [&str; 4] = ["docs", "doc", "examples", "example"];

const HEADERS: [&str; 11] = ["h", "hh", "hpp", "hxx", "h++", "pxd", "pxi", "a", "cmake", "pc", "ipp"];

const SOURCES: [&str; 10] = ["c", "cc", "cpp", "cxx", "c++", "pyx", "f", "f90", "rs", "go"];

/// Distributions that compile at run time, with their own headers or sources. A trailing `*` matches any suffix.
const COMPILERS: [&str; 16] = [
    // GPU kernels, with NVRTC or OpenCL, and the headers that they share.
    "cuda-*",
    "cupy*",
    "nvidia-*",
    "pycuda",
    "pyopencl",
    "pytorch-triton*",
    "triton*",
    "warp-lang",
    // Operators, with the system's compiler.
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

/// A rule is ignored if it matches more than this percentage of a distribution's bytes, since the matches are then its
/// purpose: pybind11 consists of headers. Only stubs are nobody's purpose at run time.
const PURPOSE: u64 = 75;

/// Returns the positions of the files that rules omit, each with the first rule that matches. Rules about data match none.
pub fn omitted_files(inventory: &WheelInventory, rules: &BTreeSet<SlimRule>) -> BTreeMap<usize, SlimRule> {
    let distribution = DistributionFiles::new(inventory);
    let mut omitted = BTreeMap::new();
    for &rule in rules {
        for position in distribution.matching(rule) {
            omitted.entry(position).or_insert(rule);
        }
    }
    omitted
}

/// The files of a distribution, and the properties of the whole that rules depend on.
struct DistributionFiles<'a> {
    inventory: &'a WheelInventory,
    /// The paths of its Python sources.
    modules: HashSet<&'a str>,
    /// Whether the distribution has extension modules and does not compile at run time.
    is_compiled: bool,
    /// Whether all its packages are stubs of others (PEP 561, `NAME-stubs`).
    is_stub_only: bool,
}

impl<'a> DistributionFiles<'a> {
    fn new(inventory: &'a WheelInventory) -> Self {
        let files = inventory.files.iter().filter(|file| file.part == SchemePart::Library);
        let library: Vec<&str> = files.map(|file| &*file.path).collect();
        let name = inventory.name.as_str();
        let compiles = COMPILERS.iter().any(|compiler| match compiler.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == *compiler,
        });
        Self {
            inventory,
            modules: library.iter().copied().filter(|path| path.ends_with(".py")).collect(),
            is_compiled: !compiles && library.iter().any(|path| is_shared_object(path)),
            is_stub_only: is_stub_only(inventory),
        }
    }

    /// Returns the positions of the files that a rule matches, or none if they are most of the distribution.
    fn matching(&self, rule: SlimRule) -> Vec<usize> {
        let files = &self.inventory.files;
        let found: Vec<usize> = (0..files.len()).filter(|&position| self.matches(rule, &files[position])).collect();
        let total: u64 = files.iter().filter(|file| !is_metadata(file)).map(|file| file.size).sum();
        let share: u64 = found.iter().map(|&position| files[position].size).sum();
        if rule == SlimRule::Stubs && self.is_stub_only {
            return found;
        }
        if u128::from(share) * 100 > u128::from(total) * u128::from(PURPOSE) { Vec::new() } else { found }
    }

    fn matches(&self, rule: SlimRule, file: &WheelFile) -> bool {
        let path = &*file.path;
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        if is_metadata(file) || is_licence(name) || file.part == SchemePart::Scripts {
            return false;
        }
        let is_library = file.part == SchemePart::Library;
        match rule {
            SlimRule::Tests => is_library && (has_directory(directory, &TEST_DIRECTORIES) || name == "conftest.py"),
            // mypy, pyright and jedi read the stubs of typeshed, which they bundle, at run time.
            SlimRule::Stubs => {
                let is_typeshed = directory.split('/').any(|directory| directory.starts_with("typeshed"));
                is_library && (self.is_stub_only || is_stub(path) && !is_typeshed)
            }
            SlimRule::Headers => {
                file.part == SchemePart::Headers
                    || self.is_compiled && has_extension(without_template_extension(name), &HEADERS)
            }
            SlimRule::Sources => {
                is_library && self.is_compiled && has_extension(without_template_extension(name), &SOURCES)
            }
            SlimRule::Docs => match file.part {
                SchemePart::Data => {
                    ["share/man/", "share/doc/", "share/info/"].iter().any(|place| path.starts_with(place))
                }
                _ => {
                    let root = directory.split('/').next().unwrap_or_default();
                    is_library && (DOC_DIRECTORIES.contains(&root) || directory.is_empty() && is_readme(name))
                }
            },
            SlimRule::Bytecode => is_library && has_extension(name, &["pyc"]) && self.is_redundant(directory, name),
            SlimRule::Services | SlimRule::Discovery | SlimRule::Locales => false,
        }
    }

    /// Returns whether the source of a bytecode file is in the distribution. Without it, the bytecode is the module
    /// (PEP 3147, "PEP 3147 and sourceless imports").
    fn is_redundant(&self, directory: &str, name: &str) -> bool {
        let stem = name.split('.').next().unwrap_or_default();
        let directory = match directory.strip_suffix("__pycache__") {
            Some(above) => above.to_owned(),
            None => format!("{directory}/"),
        };
        self.modules.contains(format!("{directory}{stem}.py").trim_start_matches('/'))
    }
}

/// Returns whether a file belongs to the metadata of this or of a vendored distribution.
fn is_metadata(file: &WheelFile) -> bool {
    file.part == SchemePart::Library && file.path.split('/').any(|directory| directory.ends_with(".dist-info"))
}

/// Returns whether a distribution contains stub packages and nothing else. mypy, for instance, is not one: it has modules.
fn is_stub_only(inventory: &WheelInventory) -> bool {
    let mut files = inventory.files.iter().filter(|file| !is_metadata(file)).peekable();
    files.peek().is_some()
        && files.all(|file| {
            let root = file.path.split('/').next().unwrap_or_default();
            let is_text = has_extension(&file.path, &["pyi", "typed", "toml", "md", "rst", "txt"]);
            file.part == SchemePart::Library && root.ends_with("-stubs") && is_text
        })
}

/// Returns whether a file is a stub or marks a package as typed.
pub(crate) fn is_stub(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name == "py.typed" || has_extension(name, &["pyi"])
}

/// Returns whether a path below site-packages belongs to tests, documents or examples, or is a text for people. Unlike a
/// rule of `--slim`, this includes a top-level directory `test`: no program imports one of several distributions.
pub(crate) fn is_test_or_document(path: &str) -> bool {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let root = directory.split('/').next().unwrap_or_default();
    let is_code = has_extension(name, &["py", "so", "pth"]);
    ["test", "benchmarks"].contains(&root)
        || DOC_DIRECTORIES.contains(&root)
        || has_directory(directory, &TEST_DIRECTORIES)
        || ["share/man", "share/doc", "share/info"].iter().any(|documents| directory.starts_with(documents))
        || !is_code && (is_licence(name) || is_readme(name))
}

/// Returns whether a file may be one that the licence requires to be distributed.
fn is_licence(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["license", "licence", "copying", "copyright", "notice", "authors"].iter().any(|word| name.starts_with(word))
}

/// Returns whether a file is a text for readers of the source distribution, such as `README.md`.
fn is_readme(name: &str) -> bool {
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

/// Returns the name without the extension of a template: `a.pyx` for `a.pyx.tp` and `a.pyx.in`.
fn without_template_extension(name: &str) -> &str {
    name.strip_suffix(".tp").or_else(|| name.strip_suffix(".in")).unwrap_or(name)
}
