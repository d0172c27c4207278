//! Lambda's size limits.
//!
//! Source: [AWS, Lambda quotas](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).

use std::collections::BTreeMap;

use super::DeploymentPackage;
use crate::hints::Hints;
use crate::name::DistributionName;
use crate::platform::LambdaLimits;
use crate::tree::{FileOrigin, TreeEntry, TreePath};

/// What would make a package smaller, with the uncompressed size of these files in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saving {
    /// What to do, and the flag that does it.
    pub(crate) what: &'static str,
    pub(crate) size: u64,
}

/// Which flags would still make a package smaller.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct UnusedFlags<'a> {
    /// The distributions that `--exclude-runtime` would exclude.
    pub(crate) runtime: &'a [DistributionName],
    /// Whether no rule of `--slim` applies.
    pub(crate) slim: bool,
    pub(crate) strip: bool,
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
    /// Whether compiled files could be stripped. How much smaller they would be is not known before they are read.
    pub(crate) may_strip: bool,
}

impl Hints for Oversize {
    fn hints(&self) -> Vec<String> {
        let largest: Vec<String> =
            self.largest.iter().map(|(origin, bytes)| format!("{origin} ({})", mebibytes(*bytes))).collect();
        let mut hints = vec![format!("reduce the largest parts: {}", largest.join(", "))];
        hints.extend(self.savings.iter().map(|saving| format!("{}: up to {}", saving.what, mebibytes(saving.size))));
        if self.may_strip {
            hints.push("remove debug sections from compiled files with --strip".to_owned());
        }
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

/// Checks the size of a package and of the layers that are built by themselves.
///
/// # Errors
/// The package exceeds the limit.
pub(crate) fn check(
    package: &DeploymentPackage,
    layers: &[(String, u64)],
    (service, limits): (&str, LambdaLimits),
    unused: UnusedFlags,
) -> Result<(), Oversize> {
    let size = unzipped_size(package) + layers.iter().map(|(_, size)| size).sum::<u64>();
    let Some(limit) = limits.unzipped.filter(|limit| size > *limit) else { return Ok(()) };
    let mut largest: Vec<(FileOrigin, u64)> = size_by_origin(package).into_iter().collect();
    largest.sort_by(|(a, a_size), (b, b_size)| b_size.cmp(a_size).then_with(|| a.cmp(b)));
    largest.truncate(NAMED);
    let (service, layers) = (service.to_owned(), layers.to_vec());
    let savings = savings(package, unused, size - limit);
    let may_strip = unused.strip && package.trees().any(|(_, tree)| tree.iter().any(|(path, _)| is_compiled(path)));
    Err(Oversize { size, limit, service, layers, largest, savings, may_strip })
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

/// Returns what a function does not need, according to paths and origins, if it matters for a package that is larger than its
/// limit by `excess` bytes.
fn savings(package: &DeploymentPackage, unused: UnusedFlags, excess: u64) -> Vec<Saving> {
    let mut provided =
        Saving { what: "exclude the AWS SDK, which the runtime provides, with --exclude-runtime", size: 0 };
    let mut slimmed =
        Saving { what: "exclude tests, type stubs, headers and sources of distributions with --slim", size: 0 };
    for (path, entry) in package.trees().flat_map(|(_, tree)| tree.iter()) {
        if is_provided(entry, unused.runtime) {
            provided.size += entry.content.size();
        }
        let is_of_distribution = matches!(entry.origin, FileOrigin::Distribution(_));
        if unused.slim && is_of_distribution && (is_test(path) || is_development_file(path)) {
            slimmed.size += entry.content.size();
        }
    }
    // A hint about the hundredth part of what is too much only distracts from the others.
    let mut savings: Vec<Saving> =
        [provided, slimmed].into_iter().filter(|saving| saving.size > excess / 100).collect();
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
    path.parents().any(|parent| parent.ends_with("/tests") || parent.ends_with("/_tests"))
}

fn is_compiled(path: &TreePath) -> bool {
    path.as_str().ends_with(".so") || path.as_str().contains(".so.")
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
        assert_eq!(check(&package, &[], LIMITS, UnusedFlags::default()), Ok(()));

        package.extend(ArtifactKind::Layer, [file("six", "python/x/tests/a.py", 1)]).unwrap();
        let layer = ("common".to_owned(), 300);
        assert!(check(&package, std::slice::from_ref(&layer), LIMITS, UnusedFlags::default()).unwrap_err().to_string().ends_with(
            "1301 bytes unzipped, 301 more than Lambda's limit of 1000 for a function and its layers, of which layer `common` has 300"
        ));
        let six = ["six".parse().unwrap()];
        let unused = UnusedFlags { runtime: &six, slim: true, strip: true };
        let error = check(&package, &[], LIMITS, unused).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the deployment package has 1001 bytes unzipped, 1 more than Lambda's limit of 1000 for a function and its layers"
        );
        assert_eq!(error.largest[0].1, 601);
        assert_eq!(error.savings.iter().map(|saving| saving.size).collect::<Vec<_>>(), [601, 1]);
        assert!(error.hints()[0].starts_with("reduce the largest parts: six 1.0 ("));
    }

    /// Hints name only flags that are not in use, and only what is worth it.
    #[test]
    fn hints_name_flags_that_make_the_package_smaller() {
        const MIB: u64 = 1 << 20;
        let limits = ("Lambda", LambdaLimits { direct_upload: None, unzipped: Some(10 * MIB), zip: None });
        let mut package = DeploymentPackage::new(false);
        let files = [
            file("six", "six.py", 2 * MIB),
            file("numpy", "numpy/tests/a.py", 3 * MIB),
            file("numpy", "numpy/core.so", 10 * MIB),
        ];
        package.extend(ArtifactKind::Function, files).unwrap();
        let six = ["six".parse().unwrap()];
        let all = check(&package, &[], limits, UnusedFlags { runtime: &six, slim: true, strip: true });
        assert_eq!(
            all.unwrap_err().hints()[1..4],
            [
                "exclude tests, type stubs, headers and sources of distributions with --slim: up to 3.0 MiB",
                "exclude the AWS SDK, which the runtime provides, with --exclude-runtime: up to 2.0 MiB",
                "remove debug sections from compiled files with --strip",
            ]
        );
        let none = check(&package, &[], limits, UnusedFlags::default()).unwrap_err();
        assert_eq!(none.hints().len(), 2, "{none:?}");

        let file = file("app", "model.bin", 1 << 30);
        package.extend(ArtifactKind::Function, [file]).unwrap();
        let error = check(&package, &[], limits, UnusedFlags { runtime: &six, slim: true, strip: false }).unwrap_err();
        assert_eq!(error.savings, [], "{error:?}");
    }
}
