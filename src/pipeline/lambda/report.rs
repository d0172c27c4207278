//! The report of a function that was built.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::earlier_zips;
use super::write::FinishedPackage;
use crate::archive::ArchiveError;
use crate::audit::handler::Handler;
use crate::cache::Cache;
use crate::lambda::{DeploymentPackage, limits};
use crate::name::DistributionName;
use crate::pipeline::install::{InstalledDistribution, trim_report};
use crate::pipeline::plan::Plan;
use crate::pipeline::report::{self, distributions, excluded, target};
use crate::platform::LambdaProfile;
use crate::report::{
    ArtifactKind, ArtifactReport, AuditReport, BuildReport, BytecodeReport, DocumentReport, FORMAT_VERSION,
    LimitsReport, NamedLayerReport, PackageFormat, RemoteCacheReport,
};
use crate::tree::{FileOrigin, FileTree};

/// A function that was built and written.
pub(super) struct BuiltFunction<'a> {
    pub plan: &'a Plan<'a>,
    pub profile: &'a LambdaProfile,
    pub handler: Option<Handler>,
    /// Why the runtime was chosen.
    pub reason: &'a str,
    pub distributions: &'a [InstalledDistribution<'a>],
    pub package: &'a DeploymentPackage,
    /// The layers that are built by themselves, with their sizes in bytes.
    pub layers: Vec<(String, u64)>,
    /// The bytecode; `None` if it was not requested.
    pub bytecode: Option<BytecodeReport>,
    pub audit: AuditReport,
    pub artifacts: Vec<ArtifactReport>,
    pub remote_cache: Option<RemoteCacheReport>,
    pub documents: Vec<DocumentReport>,
    pub elapsed: Duration,
}

impl BuiltFunction<'_> {
    pub(super) fn report(self) -> BuildReport {
        let Self { plan, package, profile, .. } = self;
        let sizes = limits::size_by_origin(package);
        let mut size_by_name: BTreeMap<&DistributionName, u64> = BTreeMap::new();
        for (origin, size) in &sizes {
            if let FileOrigin::Distribution(distribution) = origin {
                *size_by_name.entry(&distribution.name).or_default() += size;
            }
        }
        BuildReport {
            format: FORMAT_VERSION,
            project: plan.name(),
            target: target(&plan.target, self.reason),
            artifacts: self.artifacts,
            documents: self.documents,
            limits: LimitsReport {
                unzipped_size: limits::unzipped_size(package) + self.layers.iter().map(|(_, size)| size).sum::<u64>(),
                unzipped_limit: profile.limits.unzipped,
                direct_upload_limit: profile.limits.direct_upload,
            },
            distributions: distributions(self.distributions, Some(package.dependencies()), |installed| {
                size_by_name.get(&installed.selected.name).copied().unwrap_or(0)
            }),
            excluded: excluded(plan),
            layers: self
                .layers
                .into_iter()
                .map(|(name, unzipped_size)| NamedLayerReport { name, unzipped_size })
                .collect(),
            application: report::application(
                &plan.application,
                sizes.get(&FileOrigin::Application).copied().unwrap_or(0),
            ),
            handler: self.handler.as_ref().map(ToString::to_string),
            trim: trim_report(self.distributions),
            bytecode: self.bytecode,
            audit: self.audit,
            remote_cache: self.remote_cache,
            warnings: Vec::new(),
            elapsed_seconds: self.elapsed.as_secs_f64(),
        }
    }
}

/// Moves a complete function or layer to its path and reports it.
///
/// # Errors
/// It cannot be moved.
pub(super) fn artifact(
    kind: ArtifactKind,
    finished: FinishedPackage,
    tree: &FileTree,
    cache: &Cache,
) -> Result<ArtifactReport, ArchiveError> {
    let (sha256, size) = (finished.zip().sha256, finished.zip().size);
    let (format, persisted) = match finished {
        FinishedPackage::Zip(zip) => (PackageFormat::Zip, earlier_zips::persist(zip, cache)?),
        FinishedPackage::Directory { files, .. } => (PackageFormat::Directory, files.persist()?),
    };
    Ok(ArtifactReport {
        kind,
        format,
        path: persisted.path,
        unchanged: persisted.is_unchanged,
        sha256: sha256.hex(),
        code_sha256: STANDARD.encode(sha256.0),
        size,
        unzipped_size: tree.size(),
        files: tree.len(),
    })
}
