//! Lambda's size limits.
//!
//! Source: [AWS, Lambda quotas](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).

use std::collections::BTreeMap;

use super::DeploymentPackage;
use crate::hints::Hints;
use crate::name::DistributionName;
use crate::platform::LambdaLimits;
use crate::tree::{FileOrigin, TreeEntry, TreePath};

/// Files that a package could omit, with their uncompressed size in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saving {
    pub(crate) what: String,
    pub(crate) size: u64,
}

/// The function and its layer exceed the limit of Lambda.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the deployment package has {size} bytes unzipped, {} more than {service}'s limit of {limit} for a function and its layers{}",
    .size - .limit,
    sizes_of(.layers)
)]
pub(crate) struct Oversize {
    /// In bytes.
    pub(crate) size: u64,
    /// In bytes.
    pub(crate) limit: u64,
    /// Whose limit it is.
    pub(crate) service: String,
    /// The layers that are built by themselves, with their sizes in bytes.
    pub(crate) layers: Vec<(String, u64)>,
    /// The largest origins with their sizes in bytes, largest first.
    pub(crate) largest: Vec<(FileOrigin, u64)>,
    /// Possible savings, largest first.
    pub(crate) savings: Vec<Saving>,
}

impl Hints for Oversize {
    fn hints(&self) -> Vec<String> {
        let largest: Vec<String> =
            self.largest.iter().map(|(origin, bytes)| format!("{origin} ({})", mebibytes(*bytes))).collect();
        let mut hints = vec![format!("reduce the largest parts: {}", largest.join(", "))];
        hints.extend(self.savings.iter().map(|saving| format!("exclude {}: {}", saving.what, mebibytes(saving.size))));
        hints.push(
            "build a container image, which may have 10 GB, or write the zip anyway with --allow-oversize".to_owned(),
        );
        hints
    }
}

fn sizes_of(layers: &[(String, u64)]) -> String {
    layers.iter().map(|(name, size)| format!(", of which layer `{name}` has {size}")).collect()
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// The most origins in an error.
const NAMED: usize = 8;

/// Returns the uncompressed size of the function and the layer together, in bytes.
pub(crate) fn unzipped_size(package: &DeploymentPackage) -> u64 {
    package.trees().map(|(_, tree)| tree.size()).sum()
}

/// Checks the size of a package and of the layers that are built by themselves. `runtime` has the distributions that the runtime provides, which could be excluded.
///
/// # Errors
/// The package exceeds the limit.
pub(crate) fn check(
    package: &DeploymentPackage,
    layers: &[(String, u64)],
    (service, limits): (&str, LambdaLimits),
    runtime: &[DistributionName],
) -> Result<(), Oversize> {
    let size = unzipped_size(package) + layers.iter().map(|(_, size)| size).sum::<u64>();
    let Some(limit) = limits.unzipped.filter(|limit| size > *limit) else { return Ok(()) };
    let mut largest: Vec<(FileOrigin, u64)> = size_by_origin(package).into_iter().collect();
    largest.sort_by(|(a, a_size), (b, b_size)| b_size.cmp(a_size).then_with(|| a.cmp(b)));
    largest.truncate(NAMED);
    let (service, layers) = (service.to_owned(), layers.to_vec());
    Err(Oversize { size, limit, service, layers, largest, savings: savings(package, runtime) })
}

/// Returns the uncompressed size of each origin's files, in bytes.
pub(crate) fn size_by_origin(package: &DeploymentPackage) -> BTreeMap<FileOrigin, u64> {
    let mut sizes = BTreeMap::new();
    for (_, entry) in package.trees().flat_map(|(_, tree)| tree.iter()) {
        // `entry` would clone the origin for every file.
        match sizes.get_mut(&entry.origin) {
            Some(size) => *size += entry.content.size(),
            None => {
                sizes.insert(entry.origin.clone(), entry.content.size());
            }
        }
    }
    sizes
}

/// Returns what a function does not need, according to paths and origins.
fn savings(package: &DeploymentPackage, runtime: &[DistributionName]) -> Vec<Saving> {
    let mut sizes = [
        ("the AWS SDK, which the runtime provides, with --exclude-runtime", 0),
        ("tests in distributions", 0),
        ("type stubs, headers and sources of extensions", 0),
    ];
    for (path, entry) in package.trees().flat_map(|(_, tree)| tree.iter()) {
        let applies = [is_provided(entry, runtime), is_test(path), is_development_file(path)];
        for ((_, size), _) in sizes.iter_mut().zip(applies).filter(|(_, applies)| *applies) {
            *size += entry.content.size();
        }
    }
    let mut savings: Vec<Saving> = sizes
        .into_iter()
        .filter(|(_, size)| *size > 0)
        .map(|(what, size)| Saving { what: what.to_owned(), size })
        .collect();
    savings.sort_by_key(|saving| std::cmp::Reverse(saving.size));
    savings
}

fn is_provided(entry: &TreeEntry, runtime: &[DistributionName]) -> bool {
    match &entry.origin {
        FileOrigin::Distribution(distribution) => runtime.contains(&distribution.name),
        FileOrigin::System(_) | FileOrigin::Application => false,
    }
}

fn is_test(path: &TreePath) -> bool {
    path.parents().any(|parent| parent.ends_with("/tests") || parent.ends_with("/test"))
}

fn is_development_file(path: &TreePath) -> bool {
    let suffixes = [".pyi", ".pyx", ".pxd", ".h", ".hpp", ".c", ".cpp", ".a"];
    suffixes.iter().any(|suffix| path.as_str().ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::report::ArtifactKind;
    use crate::tree::{Distribution, FileAccess, FileContent};

    const LIMITS: (&str, LambdaLimits) =
        ("Lambda", LambdaLimits { direct_upload: Some(50), unzipped: Some(1000), zip: None });

    fn file(name: &str, path: &str, size: u64) -> (TreePath, TreeEntry) {
        let distribution = Distribution { name: name.parse().unwrap(), version: "1.0".parse().unwrap() };
        let content = FileContent::File { path: PathBuf::new(), size };
        let origin = FileOrigin::Distribution(distribution.into());
        (TreePath::new(path).unwrap(), TreeEntry { access: FileAccess::FILE, content, origin })
    }

    #[test]
    fn function_and_layer_count_together() {
        let mut package = DeploymentPackage::new(true);
        package.extend(ArtifactKind::Function, [file("app", "app.py", 400)]).unwrap();
        package.extend(ArtifactKind::Layer, [file("six", "python/six.py", 600)]).unwrap();
        assert_eq!(check(&package, &[], LIMITS, &[]), Ok(()));

        package.extend(ArtifactKind::Layer, [file("six", "python/x/tests/a.py", 1)]).unwrap();
        let layer = ("common".to_owned(), 300);
        assert!(check(&package, std::slice::from_ref(&layer), LIMITS, &[]).unwrap_err().to_string().ends_with(
            "1301 bytes unzipped, 301 more than Lambda's limit of 1000 for a function and its layers, of which layer `common` has 300"
        ));
        let error = check(&package, &[], LIMITS, &["six".parse().unwrap()]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the deployment package has 1001 bytes unzipped, 1 more than Lambda's limit of 1000 for a function and its layers"
        );
        assert_eq!(error.largest[0].1, 601);
        assert_eq!(error.savings.iter().map(|saving| saving.size).collect::<Vec<_>>(), [601, 1]);
        assert!(error.hints()[0].starts_with("reduce the largest parts: six 1.0 ("));
    }
}
