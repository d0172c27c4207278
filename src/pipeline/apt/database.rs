//! dpkg's database with the packages of a closure, as dpkg writes it: scanners count packages by it, and a later
//! `apt-get install` or `dpkg --configure -a` continues from it.
//!
//! Specification: dpkg 1.21, `lib/dpkg/dbmodify.c`; for bases without dpkg, the directory `status.d` of distroless images.

use std::collections::{BTreeMap, BTreeSet};

use crate::debian::deb::field_of;
use crate::debian::{Conffile, InstalledState, installed_paragraph};
use crate::image::system::BaseSystem;
use crate::pipeline::apt::layers::FetchedPackage;
use crate::pipeline::apt::packed::{PackedKind, PackedPackage};
use crate::tree::FileAccess;

const DPKG: &str = "var/lib/dpkg";

/// A file of the database, by its path.
pub(super) type DatabaseFile = (String, FileAccess, Vec<u8>);

/// The database of a base with packages added to it.
pub(super) struct PackageDatabase<'a> {
    base: &'a BaseSystem,
    is_distroless: bool,
    /// The paragraphs by name and architecture, of the base and of the packages.
    paragraphs: BTreeMap<(String, String), String>,
    files: Vec<DatabaseFile>,
    /// The files of the base's database that an upgrade removes.
    pub removed: BTreeSet<String>,
    file_triggers: Vec<String>,
    named_triggers: BTreeMap<String, Vec<String>>,
}

impl<'a> PackageDatabase<'a> {
    pub(super) fn new(base: &'a BaseSystem) -> Self {
        let status = base.text(&format!("{DPKG}/status")).map(|text| String::from_utf8_lossy(&text.bytes));
        let status = status.unwrap_or_default();
        let is_distroless = status.trim().is_empty() && base.texts_below(&format!("{DPKG}/status.d")).next().is_some();
        let paragraphs = status.split("\n\n").map(|text| text.trim_matches('\n')).filter(|text| !text.is_empty());
        let paragraphs = paragraphs.map(|text| (identity(text), format!("{text}\n"))).collect();
        Self {
            base,
            is_distroless,
            paragraphs,
            files: Vec::new(),
            removed: BTreeSet::new(),
            file_triggers: Vec::new(),
            named_triggers: BTreeMap::new(),
        }
    }

    /// Returns the version of a package in the base.
    pub(super) fn version(&self, name: &str, architecture: &str) -> Option<String> {
        let paragraph = self
            .paragraphs
            .get(&(name.to_owned(), architecture.to_owned()))
            .or_else(|| self.paragraphs.iter().find(|((other, _), _)| other == name).map(|(_, paragraph)| paragraph))?;
        let is_installed = field_of(paragraph, "Status")
            .is_some_and(|status| !status.ends_with(" not-installed") && !status.ends_with(" config-files"));
        field_of(paragraph, "Version").filter(|_| is_installed).map(str::to_owned)
    }

    /// Returns the paragraph of a package, of the base or added.
    pub(super) fn paragraph(&self, name: &str) -> Option<&str> {
        self.paragraphs.iter().find(|((other, _), _)| other == name).map(|(_, paragraph)| paragraph.as_str())
    }

    /// Returns the paths of a package in the base, without a slash at their beginning.
    pub(super) fn list(&self, name: &str, architecture: &str) -> Vec<String> {
        let names = [name.to_owned(), format!("{name}:{architecture}")];
        let text = names.iter().find_map(|name| self.base.text(&format!("{DPKG}/info/{name}.list")));
        let text = text.map(|text| String::from_utf8_lossy(&text.bytes).into_owned()).unwrap_or_default();
        text.lines()
            .map(|line| line.trim_start_matches('/').to_owned())
            .filter(|path| !path.is_empty() && path != ".")
            .collect()
    }

    /// Returns the paths of all packages of the base but one.
    pub(super) fn owned_by_others(&self, name: &str, architecture: &str) -> BTreeSet<String> {
        let own = [format!("{name}.list"), format!("{name}:{architecture}.list")];
        let info = format!("{DPKG}/info");
        let lists = self.base.texts_below(&info).filter(|(path, _)| path.ends_with(".list"));
        let lists = lists.filter(|(path, _)| !own.iter().any(|own| path.ends_with(&format!("/{own}"))));
        let lines = lists.flat_map(|(_, text)| {
            String::from_utf8_lossy(&text.bytes)
                .lines()
                .map(|line| line.trim_start_matches('/').to_owned())
                .collect::<Vec<_>>()
        });
        lines.collect()
    }

    /// Adds a package, in place of one with its name.
    pub(super) fn add(&mut self, package: &FetchedPackage, packed: &PackedPackage, state: InstalledState) {
        let conffiles = conffiles(packed);
        let paragraph = installed_paragraph(&packed.control, state, &conffiles);
        if self.is_distroless {
            // Without a state: scanners take each file for an installed package.
            let status = format!("{DPKG}/status.d/{}", package.name);
            let control = format!("{}\n", packed.control.trim_end());
            self.files.push((status.clone(), FileAccess::FILE, control.into_bytes()));
            self.files.push((format!("{status}.md5sums"), FileAccess::FILE, md5sums(packed, &conffiles)));
            return;
        }
        let old: Vec<(String, String)> = self
            .paragraphs
            .keys()
            .filter(|(name, architecture)| {
                *name == package.name
                    && (*architecture == package.architecture
                        || *architecture == "all"
                        || package.architecture == "all")
            })
            .cloned()
            .collect();
        for identity in old {
            self.remove_info(&identity);
            self.paragraphs.remove(&identity);
        }
        self.paragraphs.insert(identity(&paragraph), paragraph);
        let is_same = field_of(&packed.control, "Multi-Arch") == Some("same");
        let label = if is_same { format!("{}:{}", package.name, package.architecture) } else { package.name.clone() };
        let info = format!("{DPKG}/info/{label}");
        let paths = packed.entries.iter().map(|entry| match entry.path.as_str() {
            "" => "/.\n".to_owned(),
            path => format!("/{path}\n"),
        });
        self.push(format!("{info}.list"), FileAccess::FILE, paths.collect::<String>().into_bytes());
        for (name, file) in &packed.control_files {
            self.push(format!("{info}.{name}"), FileAccess::root(file.mode), file.bytes.clone());
        }
        if !packed.control_files.contains_key("md5sums") {
            let sums = md5sums(packed, &conffiles);
            if !sums.is_empty() {
                self.push(format!("{info}.md5sums"), FileAccess::FILE, sums);
            }
        }
        self.add_triggers(&label, packed);
    }

    fn push(&mut self, path: String, access: FileAccess, bytes: Vec<u8>) {
        self.removed.remove(&path);
        self.files.push((path, access, bytes));
    }

    /// Removes what the base has of a package in `info`.
    fn remove_info(&mut self, (name, architecture): &(String, String)) {
        let prefixes = [format!("{DPKG}/info/{name}."), format!("{DPKG}/info/{name}:{architecture}.")];
        let info = format!("{DPKG}/info");
        let files = self.base.texts_below(&info).map(|(path, _)| path.to_owned());
        // A name may contain points, as libpython3.11-minimal: what follows is the name of a control file.
        let own = files.filter(|path| {
            prefixes
                .iter()
                .any(|prefix| path.strip_prefix(prefix).is_some_and(|rest| !rest.contains('.') && !rest.contains(':')))
        });
        let own: Vec<String> = own.collect();
        self.removed.extend(own);
    }

    /// Notes the triggers that a package is interested in (deb-triggers(5)).
    fn add_triggers(&mut self, label: &str, packed: &PackedPackage) {
        let Some(file) = packed.control_files.get("triggers") else { return };
        for line in String::from_utf8_lossy(&file.bytes).lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            let Some((directive, name)) = line.split_once(char::is_whitespace) else { continue };
            let suffix = match directive {
                "interest" | "interest-await" => "",
                "interest-noawait" => "/noawait",
                _ => continue,
            };
            let name = name.trim();
            if name.starts_with('/') {
                self.file_triggers.push(format!("{name} {label}{suffix}"));
            } else {
                self.named_triggers.entry(name.to_owned()).or_default().push(format!("{label}{suffix}"));
            }
        }
    }

    /// Returns all files of the database that change.
    pub(super) fn finish(self) -> Vec<DatabaseFile> {
        let Self { base, is_distroless, paragraphs, mut files, file_triggers, named_triggers, .. } = self;
        if is_distroless || files.is_empty() {
            return files;
        }
        let status: String = paragraphs.values().map(|paragraph| format!("{paragraph}\n")).collect();
        files.push((format!("{DPKG}/status"), FileAccess::FILE, status.into_bytes()));
        if base.text(&format!("{DPKG}/info/format")).is_none() {
            files.push((format!("{DPKG}/info/format"), FileAccess::FILE, b"1\n".to_vec()));
        }
        let named = named_triggers.into_iter().chain([("File".to_owned(), file_triggers)]);
        for (name, added) in named.filter(|(_, added)| !added.is_empty()) {
            let path = format!("{DPKG}/triggers/{name}");
            let old = base.text(&path).map(|text| String::from_utf8_lossy(&text.bytes).into_owned());
            let mut lines: Vec<String> = old.unwrap_or_default().lines().map(str::to_owned).collect();
            for line in added {
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
            files.push((path, FileAccess::FILE, format!("{}\n", lines.join("\n")).into_bytes()));
        }
        files
    }
}

/// Returns the name and the architecture of a paragraph.
fn identity(paragraph: &str) -> (String, String) {
    let field = |name| field_of(paragraph, name).unwrap_or_default().to_owned();
    (field("Package"), field("Architecture"))
}

/// Returns the configuration files of a package with the digests of what it contains, or with what dpkg has for one that a new
/// version no longer contains.
pub(super) fn conffiles(packed: &PackedPackage) -> Vec<Conffile> {
    const REMOVED: &str = "remove-on-upgrade";
    let Some(file) = packed.control_files.get("conffiles") else { return Vec::new() };
    let text = String::from_utf8_lossy(&file.bytes);
    // A flag comes before the path (deb-conffiles(5)).
    let lines = text.lines().map(|line| {
        let line = line.trim();
        line.strip_prefix(REMOVED).map_or((line, false), |path| (path.trim_start(), true))
    });
    lines
        .filter(|(path, _)| path.starts_with('/'))
        .filter_map(|(path, is_removed)| {
            if is_removed {
                return Some((path.to_owned(), format!("newconffile {REMOVED}")));
            }
            let entry = packed.entries.iter().find(|entry| entry.path == path.trim_start_matches('/'))?;
            let PackedKind::File(file) = &entry.kind else { return None };
            Some((path.to_owned(), hex::encode(file.md5?)))
        })
        .collect()
}

/// Returns the checksums of a package: its own, or those that dpkg computes.
fn md5sums(packed: &PackedPackage, conffiles: &[Conffile]) -> Vec<u8> {
    if let Some(file) = packed.control_files.get("md5sums") {
        return file.bytes.clone();
    }
    let files = packed.entries.iter().filter_map(|entry| match &entry.kind {
        PackedKind::File(file) => Some((&entry.path, file.md5?)),
        _ => None,
    });
    let files = files
        .filter(|(path, _)| !conffiles.iter().any(|(conffile, _)| conffile.trim_start_matches('/') == path.as_str()));
    files.map(|(path, md5)| format!("{}  {path}\n", hex::encode(md5))).collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::debian::ControlFile;
    use crate::tree::FileMode;

    /// dpkg 1.21 and later writes this of procps in Debian 13, which no longer has the file.
    #[test]
    fn removed_configuration_files_are_listed() {
        let bytes = b"remove-on-upgrade /etc/sysctl.conf\n/etc/missing\n".to_vec();
        let conffiles_file = ControlFile { mode: FileMode::from(0o644), bytes };
        let packed = PackedPackage {
            pack: PathBuf::new().into(),
            size: 0,
            control: String::new(),
            control_files: [("conffiles".to_owned(), conffiles_file)].into(),
            entries: Vec::new(),
        };
        let expected = ("/etc/sysctl.conf".to_owned(), "newconffile remove-on-upgrade".to_owned());
        assert_eq!(conffiles(&packed), [expected]);
    }
}
