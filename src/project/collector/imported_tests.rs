//! Files with the names of tests that are part of the application, because its other modules import them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::module_imports::imports_of;
use super::{CandidatePath, Collector, TestFiles};

impl Collector<'_> {
    /// Returns whether a file or directory that is named like a test is imported by modules that are not, or started.
    pub(super) fn is_imported_test(&self, candidate: &CandidatePath) -> bool {
        let tests = self.imported_tests.get_or_init(|| self.find_imported_tests());
        !tests.is_empty() && fs::canonicalize(&candidate.path).is_ok_and(|path| tests.contains(&path))
    }

    /// Returns the canonical paths of such files and directories.
    fn find_imported_tests(&self) -> BTreeSet<PathBuf> {
        let roots = self.import_roots();
        let mut tests = BTreeSet::new();
        for name in self.source.started {
            let module = name.split(':').next().unwrap_or_default().trim_start_matches("./");
            tests.extend(tests_of(&roots, &module.trim_end_matches(".py").replace('/', ".")));
        }
        let mut unread: Vec<PathBuf> = roots.iter().chain(&tests).cloned().collect();
        while let Some(path) = unread.pop() {
            for module in self.modules_at(&path) {
                for import in imports_of(&module) {
                    let directories = match import.level {
                        0 => roots.clone(),
                        level => module.ancestors().nth(level).map(Path::to_owned).into_iter().collect(),
                    };
                    let found = tests_of(&directories, &import.name);
                    unread.extend(found.into_iter().filter(|test| tests.insert(test.clone())));
                }
            }
        }
        tests
    }

    /// Returns the directories that absolute imports may start from.
    fn import_roots(&self) -> Vec<PathBuf> {
        let included = self.source.includes.iter().map(|include| self.project.join(&include.source));
        let mut roots: Vec<PathBuf> = included.filter_map(|path| fs::canonicalize(path).ok()).collect();
        roots.push(self.project.clone());
        roots.extend(roots.clone().iter().map(|root| root.join("src")).filter(|source| source.is_dir()));
        roots
    }

    /// Returns a module, or the modules below a directory that neither are tests nor excluded by another rule.
    pub(super) fn modules_at(&self, path: &Path) -> Vec<PathBuf> {
        if !path.is_dir() {
            return vec![path.to_owned()];
        }
        let modules = RefCell::new(Vec::new());
        if let Ok(mut walk) = self.walk(path) {
            (walk.is_default, walk.tests) = (self.source.includes.is_empty(), TestFiles::Excluded);
            // A directory that cannot be read is an error when it is collected.
            let _ = self.has_module(&mut walk, path, &|module| {
                modules.borrow_mut().push(module.to_owned());
                false
            });
        }
        modules.into_inner()
    }
}

/// Returns the canonical paths of tests that lead to the module with a dotted name below these directories.
fn tests_of(directories: &[PathBuf], name: &str) -> Vec<PathBuf> {
    let mut tests = Vec::new();
    for directory in directories {
        let mut path = directory.clone();
        for component in name.split('.') {
            path.push(component);
            let file = path.with_added_extension("py");
            let candidates = [CandidatePath::new(&path, true), CandidatePath::new(&file, false)];
            let found = candidates.into_iter().flatten().filter(|candidate| {
                candidate.is_test() && candidate.path.is_dir() == candidate.is_directory && candidate.path.exists()
            });
            tests.extend(found.filter_map(|candidate| fs::canonicalize(candidate.path).ok()));
        }
    }
    tests
}
