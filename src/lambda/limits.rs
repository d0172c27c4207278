//! Lambda's limits on sizes.
//!
//! Source: [AWS, Lambda quotas](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).

use std::collections::BTreeMap;

use super::DeploymentPackage;
use crate::hints::Hints;
use crate::name::DistributionName;
use crate::platform::LambdaLimits;
use crate::tree::{FileOrigin, TreeEntry, TreePath};

/// A part of an artifact that could be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saving {
    /// What it is.
    pub(crate) what: String,
    /// Its size, uncompressed, in bytes.
    pub(crate) size: u64,
}

/// Function and layer together are larger than Lambda unpacks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the deployment package has {size} bytes unzipped, {} more than the {limit} that Lambda allows for a function and its layers",
    .size - .limit
)]
pub(crate) struct Oversize {
    /// The size, in bytes.
    pub(crate) size: u64,
    /// The limit, in bytes.
    pub(crate) limit: u64,
    /// The origins with the most bytes, the largest first.
    pub(crate) largest: Vec<(FileOrigin, u64)>,
    /// What could be saved, the most first.
    pub(crate) savings: Vec<Saving>,
}

impl Hints for Oversize {
    fn hints(&self) -> Vec<String> {
        let size = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
        let largest: Vec<String> =
            self.largest.iter().map(|(origin, bytes)| format!("{origin} ({})", size(*bytes))).collect();
        let mut hints = vec![format!("the largest: {}", largest.join(", "))];
        hints.extend(self.savings.iter().map(|saving| format!("{}: {}", saving.what, size(saving.size))));
        hints.push("a container image may have 10 GB; --allow-oversize writes the zip all the same".to_owned());
        hints
    }
}

/// How many distributions an error names.
const NAMED: usize = 8;

/// Returns the size of function and layer together, uncompressed, in bytes.
pub(crate) fn unzipped_size(package: &DeploymentPackage) -> u64 {
    package.trees().map(|(_, tree)| tree.size()).sum()
}

/// Refuses a package that is larger than Lambda unpacks.
///
/// `runtime` names the distributions that the runtime brings: they can be left out.
///
/// # Errors
/// It is larger.
pub(crate) fn check(
    package: &DeploymentPackage,
    limits: LambdaLimits,
    runtime: &[DistributionName],
) -> Result<(), Oversize> {
    let size = unzipped_size(package);
    if size <= limits.unzipped {
        return Ok(());
    }
    let mut largest: Vec<(FileOrigin, u64)> = size_by_origin(package).into_iter().collect();
    largest.sort_by(|(a, a_size), (b, b_size)| b_size.cmp(a_size).then_with(|| a.cmp(b)));
    largest.truncate(NAMED);
    Err(Oversize { size, limit: limits.unzipped, largest, savings: savings(package, runtime) })
}

/// Returns the size of each origin's files, uncompressed, in bytes.
pub(crate) fn size_by_origin(package: &DeploymentPackage) -> BTreeMap<FileOrigin, u64> {
    let mut sizes = BTreeMap::new();
    for (_, entry) in package.trees().flat_map(|(_, tree)| tree.iter()) {
        // Most entries have the origin of the one before, so nothing is cloned for them.
        match sizes.get_mut(&entry.origin) {
            Some(size) => *size += entry.content.size(),
            None => {
                sizes.insert(entry.origin.clone(), entry.content.size());
            }
        }
    }
    sizes
}

/// Tells whether a file belongs to what could be saved.
type SavingRule<'a> = dyn Fn(&TreePath, &TreeEntry) -> bool + 'a;

/// Returns what a function can do without, as far as the paths tell.
fn savings(package: &DeploymentPackage, runtime: &[DistributionName]) -> Vec<Saving> {
    let of_runtime = |_: &TreePath, entry: &TreeEntry| match &entry.origin {
        FileOrigin::Distribution(distribution) => runtime.contains(&distribution.name),
        FileOrigin::Application => false,
    };
    let is_test =
        |path: &TreePath, _: &TreeEntry| path.parents().any(|p| p.ends_with("/tests") || p.ends_with("/test"));
    let is_development = |path: &TreePath, _: &TreeEntry| {
        let kinds = [".pyi", ".pyx", ".pxd", ".h", ".hpp", ".c", ".cpp", ".a"];
        kinds.iter().any(|kind| path.as_str().ends_with(kind))
    };
    let rules: [(&str, &SavingRule); 3] = [
        ("the runtime brings the AWS SDK, which --exclude-runtime leaves out", &of_runtime),
        ("tests inside of distributions", &is_test),
        ("type stubs, headers and sources of extensions", &is_development),
    ];
    let mut savings: Vec<Saving> = rules
        .into_iter()
        .map(|(what, applies)| {
            let entries = package.trees().flat_map(|(_, tree)| tree.iter());
            let size = entries.filter(|(path, entry)| applies(path, entry)).map(|(_, e)| e.content.size()).sum();
            Saving { what: what.to_owned(), size }
        })
        .filter(|saving| saving.size > 0)
        .collect();
    savings.sort_by_key(|saving| std::cmp::Reverse(saving.size));
    savings
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::report::ArtifactKind;
    use crate::tree::{Distribution, FileAccess, FileContent};

    const LIMITS: LambdaLimits = LambdaLimits { direct_upload: 50, unzipped: 1000 };

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
        assert_eq!(check(&package, LIMITS, &[]), Ok(()));

        package.extend(ArtifactKind::Layer, [file("six", "python/x/tests/a.py", 1)]).unwrap();
        let error = check(&package, LIMITS, &["six".parse().unwrap()]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the deployment package has 1001 bytes unzipped, 1 more than the 1000 that Lambda allows for a function and its layers"
        );
        assert_eq!(error.largest[0].1, 601);
        assert_eq!(error.savings.iter().map(|saving| saving.size).collect::<Vec<_>>(), [601, 1]);
        assert!(error.hints()[0].starts_with("the largest: six 1.0 ("));
    }
}
