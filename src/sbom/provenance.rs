//! SLSA provenance statements: what an artifact was built from, and how.
//!
//! Specifications: [in-toto statement 1](https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md),
//! [SLSA provenance 1.0](https://slsa.dev/spec/v1.0/provenance).
//!
//! The statement is not signed (SLSA level 1), so it is only as trustworthy as the place where it is stored. `cosign
//! attest` and CI systems sign such statements. It has no build time unless `SOURCE_DATE_EPOCH` is set, so that two builds
//! of the same inputs give the same artifact and the same statement.
//!
//! # Build type 1
//!
//! `buildType` is this page's URL with the anchor `build-type-1`. pybundle selects the distributions in a lock for a target,
//! verifies them against the lock's digests, and packages them as a zip or on top of a base image. `externalParameters` are
//! the parameters of the command:
//!
//! | parameter | description |
//! | --- | --- |
//! | `command` | `lambda` or `image` |
//! | `project` | name of the project |
//! | `lock` | file name and SHA-256 of the lock, or a list of them if several requirements files are given |
//! | `target` | profile, Python version and platform |
//! | `package`, `extras`, `allExtras`, `groups`, `onlyGroups`, `noDefaultGroups`, `noInstallProject`, `noInstallWorkspace`, `noInstallPackages` | values of the flags of the same names, if given |
//! | `prepare` | commands that ran on the machine before the application's files were collected, each as a list |
//! | `application`, `exclude` | included application files, and excluded ones |
//! | `slim`, `keptData`, `strip`, `compileBytecode` | rules for omitted files; for each rule about data, the names that are kept besides those that the code names; whether debug sections were removed; whether sources were compiled, if specified |
//! | `excludeRuntime`, `layer` | for `lambda`: whether the SDK was excluded, and whether dependencies are in a layer |
//! | `base` | for `image`: the base as specified |
//!
//! `resolvedDependencies` are the project's commit if its files are unchanged from it, the lock, what it includes, every
//! installed file, commit or directory, and the base image. Directories without a commit are omitted, since they have no digest.
//!
//! `byproducts` are the files that the commands of `prepare` created or changed.
//!
//! `internalParameters` are empty: everything else is determined by pybundle's version, which is that of the builder.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use super::origin::ComponentOrigin;
use super::{SbomContents, TOOL, serialize, set};
use crate::digest::{Digest, Sha256};

/// The URL of this page, which documents the parameters. It must not change with releases, since verifiers compare it.
const BUILD_TYPE: &str = "https://docs.rs/pybundle/latest/pybundle/sbom/provenance/index.html#build-type-1";

/// pybundle on any machine: the statement does not say who ran it.
const BUILDER: &str = "https://docs.rs/pybundle";

/// The media type of an in-toto statement.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.in-toto+json";

/// The extension of statement files, without a leading dot.
pub(crate) const EXTENSION: &str = "provenance.json";

/// An artifact that the statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProvenanceSubject {
    /// The name of the file or of the image.
    pub(crate) name: String,
    /// The digest of the file or of the image manifest.
    pub(crate) sha256: Sha256,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LockFile {
    /// The file name without directories; that of an included file is relative to the directory of the lock.
    pub(crate) name: String,
    pub(crate) sha256: Sha256,
    /// Whether another lock includes it.
    pub(crate) is_included: bool,
}

/// The parameters of the command. [The module](self) documents them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProvenanceParameters {
    pub(crate) command: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) package: Option<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) extras: BTreeSet<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) all_extras: bool,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) groups: BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) only_groups: BTreeSet<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) no_default_groups: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) no_install_project: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) no_install_workspace: bool,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) no_install_packages: BTreeSet<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) prepare: Vec<Vec<String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) application: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) exclude: Vec<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) slim: BTreeSet<&'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) kept_data: BTreeMap<&'static str, BTreeSet<String>>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) strip: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) compile_bytecode: Option<bool>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) exclude_runtime: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) layer: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) base: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) apt: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Renders the statement about artifacts with the same contents.
pub(crate) fn statement(
    contents: &SbomContents,
    subjects: &[ProvenanceSubject],
    parameters: &ProvenanceParameters,
    locks: &[LockFile],
    byproducts: &[ProvenanceSubject],
) -> Vec<u8> {
    let [subjects, byproducts] = [subjects, byproducts].map(|all| {
        let described = all.iter().map(|one| json!({ "name": one.name, "digest": digest_set(&[one.sha256.into()]) }));
        described.collect::<Vec<_>>()
    });
    let mut external = json!(parameters);
    let target = &contents.target;
    set(&mut external, "project", Some(contents.project.name.as_str()));
    set(
        &mut external,
        "target",
        Some(json!({
            "profile": target.profile, "python": target.python, "platform": target.platform,
        })),
    );
    let named: Vec<Value> = locks.iter().filter(|lock| !lock.is_included).map(described).collect();
    let locks: Vec<Value> = locks.iter().map(described).collect();
    let lock = match &named[..] {
        [] => None,
        [only] => Some(only.clone()),
        _ => Some(json!(named)),
    };
    set(&mut external, "lock", lock);
    let mut details = json!({ "builder": { "id": BUILDER, "version": { (TOOL.0): TOOL.1 } } });
    set(&mut details, "byproducts", Some(byproducts).filter(|byproducts| !byproducts.is_empty()));
    set(&mut details, "metadata", contents.created.map(|time| json!({ "finishedOn": time.to_string() })));
    serialize(&json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": external,
                "internalParameters": {},
                "resolvedDependencies": dependencies(contents, locks),
            },
            "runDetails": details,
        },
    }))
}

fn described(lock: &LockFile) -> Value {
    json!({ "name": lock.name, "digest": digest_set(&[lock.sha256.into()]) })
}

/// Returns the inputs of the build: the project, its lock, the base, each package and each distribution.
fn dependencies(contents: &SbomContents, locks: Vec<Value>) -> Vec<Value> {
    let project = dependency(&contents.project.name, &contents.project.purl(), &contents.project.origin);
    let base = contents.base.as_ref().map(|base| {
        let mut value = json!({ "name": base.title(), "digest": digest_set(&[base.digest.into()]) });
        set(&mut value, "uri", base.purl());
        value
    });
    let components = contents
        .components
        .iter()
        .filter_map(|component| dependency(component.name.as_str(), &component.purl(), &component.origin));
    let packages = contents.packages.iter().map(|package| {
        let name = package.url.rsplit('/').next().unwrap_or_default();
        json!({ "name": name, "uri": package.url, "digest": digest_set(&[package.sha256.into()]) })
    });
    project.into_iter().chain(locks).chain(base).chain(packages).chain(components).collect()
}

/// Returns the source of a distribution, or `None` if it has no digest.
fn dependency(name: &str, purl: &str, origin: &ComponentOrigin) -> Option<Value> {
    let digest = match origin.commit() {
        Some(commit) => json!({ "gitCommit": commit }),
        None if origin.digests().is_empty() => return None,
        None => digest_set(origin.digests()),
    };
    let name = origin.file().map_or(name, |file| &file.name);
    let uri = origin.location().unwrap_or_else(|| purl.to_owned());
    Some(json!({ "name": name, "uri": uri, "digest": digest }))
}

/// Returns digests by algorithm
/// ([in-toto, digest set](https://github.com/in-toto/attestation/blob/main/spec/v1/digest_set.md)).
fn digest_set(digests: &[Digest]) -> Value {
    let named = digests.iter().map(|digest| (digest.algorithm().name().to_owned(), json!(digest.hex())));
    Value::Object(named.collect())
}
