//! AWS's runtime client for Python, which Lambda's runtimes have. It is locked with its digests, and fetched like any wheel.

use std::fs;
use std::path::{Path, PathBuf};

use super::InvokeError;
use crate::archive::mirror::TreeMirror;
use crate::pipeline::{self, BuildError, FunctionDirectories, ProjectCache};
use crate::report::Reporter;
use crate::settings::{
    AuditSettings, ContentSettings, DeploySettings, DocumentSettings, LambdaSettings, LockCheck, ProfileChoice,
    RemoteCacheChoice, RequirementsSettings, RunSettings, Settings,
};

/// A requirements file with the client and what it requires.
const REQUIREMENTS: &str = include_str!("client-requirements.txt");

/// The modules beside the client, which run it in forked processes, and so that all imports are measured.
const MODULES: [(&str, &str); 2] = [
    ("pybundle_fork.py", include_str!("pybundle_fork.py")),
    ("pybundle_imports.py", include_str!("pybundle_imports.py")),
];

/// Unpacks the client for the runtime of a function, and returns its directory.
///
/// # Errors
/// It cannot be fetched or written.
pub(super) fn unpack(
    settings: &LambdaSettings,
    profile: ProfileChoice,
    directory: &Path,
    reporter: &dyn Reporter,
) -> Result<PathBuf, InvokeError> {
    let project = directory.join("client");
    let lock = project.join("requirements.txt");
    fs::create_dir(&project)
        .and_then(|()| MODULES.iter().try_for_each(|(name, source)| fs::write(project.join(name), source)))
        .and_then(|()| fs::write(&lock, REQUIREMENTS))
        .map_err(|source| BuildError::TemporaryFile { path: lock.clone(), source })?;
    let common = Settings {
        project: project.clone(),
        directory: project,
        target: None,
        extends: None,
        locks: vec![lock],
        lock_check: LockCheck::Frozen,
        request: Default::default(),
        requirements: RequirementsSettings { resolve: false, require_hashes: true, no_deps: false },
        profile,
        includes: Vec::new(),
        excludes: vec!["requirements.txt".to_owned()],
        prepare: Vec::new(),
        configured: Default::default(),
        started: Vec::new(),
        contents: ContentSettings::default(),
        audit: AuditSettings { skip: true, ..AuditSettings::default() },
        formats: Default::default(),
        wheel_dir: None,
        ..settings.common.clone()
    };
    let client = LambdaSettings {
        common,
        architecture: settings.architecture,
        output: None,
        layer: None,
        is_layer: false,
        layers: Vec::new(),
        named_layers: Vec::new(),
        handler: None,
        exclude_runtime: false,
        allow_oversize: true,
        remote_cache: RemoteCacheChoice::Off,
        documents: DocumentSettings::default(),
        deploy: DeploySettings::default(),
        run: RunSettings::default(),
    };
    let runtime = directory.join("runtime");
    let mut directories = FunctionDirectories {
        function: TreeMirror::new(runtime.clone())?,
        layer: TreeMirror::new(directory.join("no-layer"))?,
    };
    pipeline::unpack(&client, &ProjectCache::default(), true, &mut directories, reporter)?;
    Ok(runtime)
}
