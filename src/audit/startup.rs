//! Code that Python runs although nothing imports it by name, and modules that take the place of the standard library's.
//!
//! Specification: [site](https://docs.python.org/3/library/site.html) and [PEP 829](https://peps.python.org/pep-0829/).

mod client;
pub(super) mod site_file;

use std::io;

use super::BUILT_IN_MODULES;
use super::handler::ImportRoot;
use super::imports;
use super::search::SearchDirectory;
use crate::hints::Hints;
use crate::platform::{ExtensionSuffixes, PythonVersion};
use crate::tree::{FileOrigin, TreeEntry};

/// Finds implicit code in one artifact.
pub(crate) struct StartupAudit<'a> {
    /// The trees, in the order of Python's search path.
    pub(crate) roots: &'a [ImportRoot<'a>],
    pub(crate) python: PythonVersion,
    /// Whether the roots precede the standard library in the search path, as on Lambda.
    pub(crate) precedes_standard_library: bool,
}

/// A file whose code runs although nothing imports it by its name.
#[derive(Debug)]
pub(crate) struct ImplicitCode {
    /// The path in its tree.
    pub(crate) path: String,
    pub(crate) origin: FileOrigin,
    pub(crate) kind: ImplicitCodeKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ImplicitCodeKind {
    /// A `.pth` file with lines that are executed when Python starts.
    PathFile,
    /// A `.start` file, whose entry points are called when Python starts.
    StartFile {
        /// Those that cannot be resolved, each with the reason.
        unresolved: Vec<(String, String)>,
    },
    /// `sitecustomize` or `usercustomize`, which are imported when Python starts.
    Customization,
    /// A module with the name of one of the standard library or of the runtime client, which it precedes.
    Shadow { module: String, stops_runtime: bool },
}

impl ImplicitCodeKind {
    /// Returns the name that reports use.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::PathFile => "pth",
            Self::StartFile { .. } => "start",
            Self::Customization => "customization",
            Self::Shadow { .. } => "shadow",
        }
    }
}

/// A module that is imported in place of one of the standard library or of AWS's runtime client.
#[derive(Debug, thiserror::Error)]
#[error("{} replaces the module `{module}`{}", shown(path, origin), if *stops_runtime { ", which AWS's runtime client or the standard library needs" } else { " of the standard library" })]
pub(crate) struct ShadowedModule {
    pub(crate) path: String,
    pub(crate) origin: FileOrigin,
    pub(crate) module: String,
    /// Whether the runtime client fails before it calls the handler.
    pub(crate) stops_runtime: bool,
}

impl Hints for ShadowedModule {
    fn hints(&self) -> Vec<String> {
        let is_own = matches!(self.origin, FileOrigin::Application);
        let hint = format!("rename the module, for instance to `app_{}`", self.module);
        (is_own && self.stops_runtime).then_some(hint).into_iter().collect()
    }
}

/// An entry point of a `.start` file at which Python prints a traceback whenever it starts.
#[derive(Debug, thiserror::Error)]
#[error("{} names `{}`, {reason}: Python prints a traceback whenever it starts", shown(path, origin), entry_point.escape_debug())]
pub(crate) struct UnresolvedEntryPoint {
    pub(crate) path: String,
    pub(crate) origin: FileOrigin,
    pub(crate) entry_point: String,
    /// A clause.
    pub(crate) reason: String,
}

/// Returns a file with the distribution that it belongs to.
fn shown(path: &str, origin: &FileOrigin) -> String {
    match origin {
        FileOrigin::Application => path.to_owned(),
        FileOrigin::Distribution(_) | FileOrigin::System(_) => format!("{path} of {origin}"),
    }
}

impl StartupAudit<'_> {
    /// Returns the implicit code, in the order of the search path and of the files.
    ///
    /// # Errors
    /// A `.pth` file cannot be read.
    pub(crate) fn run(&self) -> io::Result<Vec<ImplicitCode>> {
        let mut found = Vec::new();
        for root in self.roots {
            let directory =
                if root.site_packages.is_empty() { String::new() } else { format!("{}/", root.site_packages) };
            for (path, entry) in root.tree.starting_with(&directory) {
                let path = path.as_str();
                if let Some(kind) = self.kind(&path[directory.len()..], entry, root)? {
                    found.push(ImplicitCode { path: path.to_owned(), origin: entry.origin.clone(), kind });
                }
            }
        }
        Ok(found)
    }

    /// Returns the kind of a file, whose path is relative to a directory of the search path.
    fn kind(&self, path: &str, entry: &TreeEntry, root: &ImportRoot) -> io::Result<Option<ImplicitCodeKind>> {
        let is_top_level = !path.contains('/');
        // Python ignores hidden ones (since 3.13).
        if let Some(stem) = path.strip_suffix(".pth").filter(|_| is_top_level && !path.starts_with('.')) {
            let is_executed = site_file::has_import_line(entry, self.python)? && !self.has_start_file(stem, root)?;
            return Ok(is_executed.then_some(ImplicitCodeKind::PathFile));
        }
        if is_top_level && path.ends_with(".start") && !path.starts_with('.') && site_file::has_start_files(self.python)
        {
            let lines = site_file::start_lines(entry)?.unwrap_or_default();
            if lines.entry_points.is_empty() {
                return Ok(None);
            }
            let reasons = lines.entry_points.into_iter().filter_map(|entry_point| {
                let reason = site_file::unresolved(&entry_point, self.roots, self.python)?;
                Some((entry_point, reason))
            });
            return Ok(Some(ImplicitCodeKind::StartFile { unresolved: reasons.collect() }));
        }
        let Some(module) = top_level_module(path, root.suffixes) else { return Ok(None) };
        if matches!(module, "sitecustomize" | "usercustomize") {
            return Ok(Some(ImplicitCodeKind::Customization));
        }
        if client::is_from_its_distribution(module, &entry.origin) {
            return Ok(None);
        }
        let stops_runtime = client::needs(module, self.python);
        let shadows = self.precedes_standard_library
            && !BUILT_IN_MODULES.contains(&module)
            && (stops_runtime || imports::is_standard(module, self.python));
        Ok(shadows.then(|| ImplicitCodeKind::Shadow { module: module.to_owned(), stops_runtime }))
    }

    /// Tells whether a `.start` file takes the place of the import lines of the `.pth` file with the same name.
    fn has_start_file(&self, stem: &str, root: &ImportRoot) -> io::Result<bool> {
        let path = SearchDirectory::of(root).join(&format!("{stem}.start"));
        match root.tree.get(&path).filter(|_| site_file::has_start_files(self.python)) {
            Some(entry) => Ok(site_file::start_lines(entry)?.is_some()),
            None => Ok(false),
        }
    }
}

/// Returns the top-level module that a file is; `None` for other files, also for those of packages without `__init__`, which
/// do not precede anything.
fn top_level_module<'p>(path: &'p str, suffixes: &ExtensionSuffixes) -> Option<&'p str> {
    let (module, file) = match path.split_once('/') {
        None => (path.split('.').next()?, path),
        Some((package, file)) => (package, file.starts_with("__init__.").then_some(file)?),
    };
    let suffix = &file[file.find('.')?..];
    (matches!(suffix, ".py" | ".pyc") || suffixes.position(suffix).is_some()).then_some(module)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Distribution, FileContent, FileTree, TreePath};

    fn tree(files: &[(&str, &str)]) -> FileTree {
        let version = "1.0".parse().unwrap();
        let origin = FileOrigin::Distribution(Distribution { name: "demo".parse().unwrap(), version }.into());
        let mut tree = FileTree::default();
        for (path, text) in files {
            let content = FileContent::Bytes(text.as_bytes().into());
            let entry = TreeEntry { access: crate::tree::FileAccess::FILE, content, origin: origin.clone() };
            tree.insert(TreePath::new(path).unwrap(), entry).unwrap();
        }
        tree
    }

    fn found(files: &[(&str, &str)], site_packages: &str, minor: u8, precedes_standard_library: bool) -> Vec<String> {
        let tree = tree(files);
        let python = PythonVersion::new(minor);
        let roots = [ImportRoot { tree: &tree, site_packages, suffixes: ExtensionSuffixes::of_gnu(python) }];
        let audit = StartupAudit { roots: &roots, python, precedes_standard_library };
        audit.run().unwrap().into_iter().map(|code| format!("{} {}", code.kind.name(), code.path)).collect()
    }

    #[test]
    fn only_path_files_with_code_are_found() {
        let files = [
            ("distutils-precedence.pth", "import os; var = 'SETUPTOOLS_USE_DISTUTILS'"),
            ("zope-nspkg.pth", "zope\nimport sys, types, os\n"),
            ("tab.pth", "import\tos"),
            ("paths.pth", "lib\nimportant\n# import os\n"),
            (".hidden.pth", "import os"),
            ("demo/inner.pth", "import os"),
            ("large.pth", &" ".repeat(2 << 20)),
        ];
        let expected = ["pth distutils-precedence.pth", "pth large.pth", "pth tab.pth", "pth zope-nspkg.pth"];
        assert_eq!(found(&files, "", 13, true), expected);
    }

    #[test]
    fn start_files_run_since_python_3_15() {
        let files = [("site/demo.start", "demo:run\n"), ("demo.start", ""), ("site/demo/x.start", "")];
        assert_eq!(found(&files, "site", 14, false), <[&str; 0]>::default());
        assert_eq!(found(&files, "site", 15, false), ["start site/demo.start"]);
    }

    #[test]
    fn start_files_take_the_place_of_import_lines() {
        let files = [
            ("a.pth", "import os\n"),
            ("a.start", "# nothing\n"),
            ("b.pth", "  import os\n"),
            ("c.pth", "import os\n"),
            ("c.start", "json:loads\n"),
            (".d.start", "json:loads\n"),
        ];
        assert_eq!(found(&files, "", 14, false), ["pth a.pth", "pth c.pth"]);
        assert_eq!(found(&files, "", 15, false), ["pth b.pth", "start c.start"]);
    }

    #[test]
    fn modules_that_python_imports_itself_are_found() {
        let files = [("sitecustomize.py", ""), ("usercustomize/__init__.py", ""), ("demo/sitecustomize.py", "")];
        for precedes_standard_library in [false, true] {
            let expected = ["customization sitecustomize.py", "customization usercustomize/__init__.py"];
            assert_eq!(found(&files, "", 12, precedes_standard_library), expected);
        }
    }

    #[test]
    fn modules_of_the_standard_library_are_only_replaced_by_what_precedes_them() {
        let files = [
            ("random.py", ""),
            ("json/__init__.py", ""),
            ("_json.cpython-312-x86_64-linux-gnu.so", ""),
            // A backport under another name, a package without `__init__`, what this Python does not have, what no file can
            // replace, and no module.
            ("importlib_metadata/__init__.py", ""),
            ("email/extra.py", ""),
            ("distutils/__init__.py", ""),
            ("time.py", ""),
            ("random.txt", ""),
        ];
        let expected = ["shadow _json.cpython-312-x86_64-linux-gnu.so", "shadow json/__init__.py", "shadow random.py"];
        assert_eq!(found(&files, "", 12, true), expected);
        assert_eq!(found(&files, "", 12, false), <[&str; 0]>::default());
        assert!(found(&files, "", 11, true).contains(&"shadow distutils/__init__.py".to_owned()));
    }
}
