//! Where the files of packages are in an image: through the links of the base, without what the base's dpkg omits.

use std::collections::BTreeMap;

use crate::debian::PathFilter;
use crate::image::FileSystem;
use crate::pipeline::apt::SystemLayerError;
use crate::pipeline::apt::layers::FetchedPackage;
use crate::pipeline::apt::packed::{PackedEntry, PackedFile, PackedKind, PackedPackage};
use crate::pipeline::apt::system_paths::{PathKind, SystemPaths};
use crate::tree::FileAccess;

/// A file or a link at its path in the image.
#[derive(Debug, Clone)]
pub(super) struct PlacedEntry<'a> {
    /// The position of its package.
    pub package: usize,
    pub access: FileAccess,
    pub content: PlacedContent<'a>,
}

#[derive(Debug, Clone)]
pub(super) enum PlacedContent<'a> {
    File(&'a PackedFile),
    Link(&'a str),
    /// Another name of the file at this path.
    HardLink(String),
}

/// The files of all packages of a closure.
pub(super) struct ClosureFiles<'a> {
    pub paths: SystemPaths<'a>,
    pub entries: BTreeMap<String, PlacedEntry<'a>>,
    /// The directories that the base does not have, with the position of the first package that has each.
    pub directories: BTreeMap<String, usize>,
    /// The number of entries that the base's dpkg omits.
    pub omitted: usize,
}

impl<'a> ClosureFiles<'a> {
    /// Places the packages in their order.
    ///
    /// # Errors
    /// Two packages have different files at one path, or a file is where a directory is.
    pub(super) fn place(
        packages: &[FetchedPackage],
        packed: &'a [PackedPackage],
        base: &'a FileSystem,
        filter: &PathFilter,
    ) -> Result<Self, SystemLayerError> {
        let mut files =
            Self { paths: SystemPaths::new(base), entries: BTreeMap::new(), directories: BTreeMap::new(), omitted: 0 };
        for (at, (package, packed_package)) in packages.iter().zip(packed).enumerate() {
            for entry in packed_package.entries.iter().filter(|entry| !entry.path.is_empty()) {
                let may_be_above = matches!(entry.kind, PackedKind::Directory | PackedKind::Link(_));
                if filter.omits(&format!("/{}", entry.path), may_be_above) {
                    files.omitted += 1;
                } else {
                    files.add(at, package, packages, packed, entry)?;
                }
            }
        }
        Ok(files)
    }

    fn add(
        &mut self,
        at: usize,
        package: &FetchedPackage,
        packages: &[FetchedPackage],
        packed: &[PackedPackage],
        entry: &'a PackedEntry,
    ) -> Result<(), SystemLayerError> {
        let is_loop = || SystemLayerError::Loop { package: package.to_string(), path: entry.path.clone() };
        let PackedEntry { access, kind, .. } = entry;
        if *kind == PackedKind::Directory {
            let path = self.paths.resolve(&entry.path, true).ok_or_else(is_loop)?;
            return match self.paths.kind(&path) {
                None => {
                    self.paths.add_directory(&path, *access);
                    self.directories.insert(path, at);
                    Ok(())
                }
                Some(PathKind::Directory) => Ok(()),
                Some(PathKind::File | PathKind::Link) => Err(wrong_kind(package, &path, "file", "directory")),
            };
        }
        let path = self.paths.resolve(&entry.path, false).ok_or_else(is_loop)?;
        let leads_to_directory =
            self.paths.resolve(&path, true).is_some_and(|target| self.paths.kind(&target) == Some(PathKind::Directory));
        let content = match kind {
            PackedKind::File(file) => PlacedContent::File(file),
            // dpkg keeps a directory where a package has a link.
            PackedKind::Link(_) if self.paths.kind(&path) == Some(PathKind::Directory) => return Ok(()),
            PackedKind::Link(target) => PlacedContent::Link(target),
            PackedKind::HardLink(target) => {
                let resolved = self.paths.resolve(target, false).filter(|target| self.is_file_of(at, target));
                let target = resolved.ok_or_else(|| SystemLayerError::HardLink {
                    package: package.to_string(),
                    path: path.clone(),
                    target: target.clone(),
                })?;
                PlacedContent::HardLink(target)
            }
            PackedKind::Directory => return Ok(()),
        };
        if leads_to_directory && !matches!(content, PlacedContent::Link(_)) {
            return Err(wrong_kind(package, &path, "directory", "file"));
        }
        if let Some(existing) = self.entries.get(&path).filter(|existing| existing.package != at)
            && !same(&existing.content, &content)
            && !replaces(&packed[at].control, &packages[existing.package].name)
        {
            // The package that is replaced may come later.
            if replaces(&packed[existing.package].control, &package.name) {
                return Ok(());
            }
            let first = packages[existing.package].to_string();
            return Err(SystemLayerError::Twice { path, first, second: package.to_string() });
        }
        match &content {
            PlacedContent::Link(target) => self.paths.add_link(&path, target),
            PlacedContent::File(_) | PlacedContent::HardLink(_) => self.paths.add_file(&path),
        }
        self.entries.insert(path, PlacedEntry { package: at, access: *access, content });
        Ok(())
    }

    fn is_file_of(&self, package: usize, path: &str) -> bool {
        let entry = self.entries.get(path).filter(|entry| entry.package == package);
        entry.is_some_and(|entry| matches!(entry.content, PlacedContent::File(_)))
    }
}

fn wrong_kind(package: &FetchedPackage, path: &str, found: &'static str, wanted: &'static str) -> SystemLayerError {
    SystemLayerError::Kind { package: package.to_string(), path: path.to_owned(), found, wanted }
}

fn same(one: &PlacedContent, other: &PlacedContent) -> bool {
    match (one, other) {
        (PlacedContent::File(one), PlacedContent::File(other)) => one.extent.sha256 == other.extent.sha256,
        (PlacedContent::Link(one), PlacedContent::Link(other)) => one == other,
        _ => false,
    }
}

/// Tells whether a package may replace files of another one (Debian Policy 7.6.1).
fn replaces(control: &str, name: &str) -> bool {
    let value = crate::debian::deb::field_of(control, "Replaces").unwrap_or_default();
    value.split(',').any(|relation| relation.split(['(', ':']).next().is_some_and(|one| one.trim() == name))
}
