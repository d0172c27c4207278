//! Selection requests, each with the arguments by which `uv export` selects the same.

use std::collections::BTreeMap;
use std::path::Path;

use pybundle::lock::{
    DistributionSource, FileChooser, FormatControl, LockError, SelectedDistribution, SelectedSource, Selection,
    SelectionRequest,
};
use pybundle::platform::TargetPlatform;

use super::uv::{Oracle, Project, targets};

/// A selection request and the equivalent arguments of `uv export`.
#[derive(Default)]
pub struct Case {
    pub request: SelectionRequest,
    export: Vec<String>,
    folder: &'static str,
}

impl Case {
    pub fn extra(mut self, name: &str) -> Self {
        self.request.extras.insert(name.parse().unwrap());
        self.export.push(format!("--extra={name}"));
        self
    }

    pub fn all_extras(mut self) -> Self {
        self.request.all_extras = true;
        self.export.push("--all-extras".to_owned());
        self
    }

    pub fn group(mut self, name: &str) -> Self {
        self.request.groups.insert(name.parse().unwrap());
        self.export.push(format!("--group={name}"));
        self
    }

    pub fn only_group(mut self, name: &str) -> Self {
        self.request.only_groups.insert(name.parse().unwrap());
        self.export.push(format!("--only-group={name}"));
        self
    }

    pub fn package(mut self, name: &str) -> Self {
        self.request.package = Some(name.parse().unwrap());
        self.export.push(format!("--package={name}"));
        self
    }

    /// Selects from the directory of a member, which is the same as `--package NAME`.
    pub fn folder(mut self, folder: &'static str, name: &str) -> Self {
        self.folder = folder;
        self.export.push(format!("--package={name}"));
        self
    }

    /// Asserts that the selection equals that of uv for each version of Python and each architecture.
    pub fn agrees(&self, project: &Project, pythons: &[&str]) {
        self.agrees_on(project, targets(pythons));
    }

    /// Asserts that the selection equals that of uv for each target.
    pub fn agrees_on(&self, project: &Project, targets: Vec<TargetPlatform>) {
        let lock = project.lock();
        let export: Vec<&str> = self.export.iter().map(String::as_str).collect();
        for target in targets {
            let selection = lock.select(&self.request, Path::new(self.folder), &target).unwrap();
            let place = format!("{} on {:?}, {export:?}", target.name, target.architecture);
            assert_eq!(wheels(&selection, &target), project.oracle(&target, &export), "{place}");
        }
    }

    /// Returns the error for Python 3.12 on x86_64.
    pub fn error(&self, project: &Project) -> LockError {
        let target = targets(&["3.12"]).remove(0);
        project.lock().select(&self.request, Path::new(self.folder), &target).unwrap_err()
    }

    /// Returns what is selected for Python 3.12 on x86_64.
    pub fn selection(&self, project: &Project) -> Selection {
        let target = targets(&["3.12"]).remove(0);
        project.lock().select(&self.request, Path::new(self.folder), &target).unwrap()
    }
}

/// Returns the version and the wheel of each distribution that has one.
pub fn wheels(selection: &Selection, target: &TargetPlatform) -> Oracle {
    let chosen = chosen(selection, target).unwrap();
    let wheels = chosen.iter().filter_map(|selected| match &selected.source {
        SelectedSource::Wheel(wheel, _) => {
            let version = selected.version.as_ref().unwrap().to_string();
            Some((selected.name.to_string(), (version, wheel.filename.to_string())))
        }
        _ => None,
    });
    wheels.collect()
}

/// Returns the version of each distribution that is not a local project.
pub fn versions(selection: &Selection) -> BTreeMap<String, String> {
    let is_local = |source: &DistributionSource| {
        matches!(source, DistributionSource::Directory(_) | DistributionSource::Virtual(_))
    };
    let remote = selection.distributions.iter().filter(|pinned| !is_local(&pinned.source));
    remote.map(|pinned| (pinned.name.to_string(), pinned.version.as_ref().unwrap().to_string())).collect()
}

/// Asserts that a selection has six 1.17.0 by the URL of its wheel, and docopt 0.6.2 by the digest of its source distribution.
pub fn assert_direct(selection: &Selection) {
    let source = |name: &str| {
        let pinned = selection.distributions.iter().find(|pinned| pinned.name.as_str() == name);
        format!("{:?}", pinned.unwrap_or_else(|| panic!("{name} is not selected")).source)
    };
    assert!(
        source("six").contains("149a00dd41f10bc29e5921b496af8b574d8413afcd5e30dfa0ed46c2cc5e"),
        "{}",
        source("six")
    );
    let digest = "49b3a825280bd66b3aa83585ef59c4a8c82f2c8a522dbe754a8bc8d08c85c491";
    assert!(source("docopt").contains(digest), "{}", source("docopt"));
}

/// Returns the distributions of a selection with the chosen files.
pub fn chosen(selection: &Selection, target: &TargetPlatform) -> Result<Vec<SelectedDistribution>, LockError> {
    FileChooser::new(target, &FormatControl::default()).choose(selection.clone())
}

/// Returns the names of the distributions whose sources are directories.
pub fn local(selection: &Selection) -> Vec<String> {
    let is_folder = |source: &DistributionSource| {
        matches!(source, DistributionSource::Directory(_) | DistributionSource::Virtual(_))
    };
    let local = selection.distributions.iter().filter(|pinned| is_folder(&pinned.source));
    local.map(|selected| selected.name.to_string()).collect()
}
