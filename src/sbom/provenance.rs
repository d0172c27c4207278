//! What an artifact was built from, and by what: SLSA provenance.
//!
//! Specifications: [in-toto statement 1](https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md),
//! [SLSA provenance 1.0](https://slsa.dev/spec/v1.0/provenance).
//!
//! The statement is not signed, which is level 1 of SLSA: whoever trusts it trusts where it lies. `cosign attest` and CI
//! systems sign such statements. It says nothing of when it was built: two builds of the same inputs give one artifact,
//! and one statement about it. Where `SOURCE_DATE_EPOCH` is set, that is the time it states.
//!
//! # Build type 1
//!
//! `buildType` is [`BUILD_TYPE`]. pybundle selects what a lock pins for a target, verifies it by the lock's digests, and
//! writes it as a zip or lays it over a base image. `externalParameters` are what the command was told:
//!
//! | parameter | what it is |
//! | --- | --- |
//! | `command` | `lambda` or `image` |
//! | `project` | the name of the project |
//! | `lock` | the lock: the name of its file, and its SHA-256 |
//! | `target` | the profile, the version of Python, and the platform |
//! | `package`, `extras`, `allExtras`, `groups`, `onlyGroups`, `noDefaultGroups`, `noInstallProject`, `noInstallWorkspace`, `noInstallPackages` | what was asked of the lock, as the flags of these names say; those that were not given are not there |
//! | `application`, `exclude` | what was taken as the application's files, and what was left out of them |
//! | `slim`, `strip`, `compileBytecode` | what was left out of distributions, by the names of its rules; whether debug sections were dropped; whether sources were compiled, if that was said |
//! | `excludeRuntime`, `layer` | for `lambda`: whether the SDK was left out, and whether the dependencies are apart |
//! | `base` | for `image`: the base as it was named |
//!
//! `resolvedDependencies` are the commit of the project if its files are one, the lock, every file, commit or directory that
//! was installed from, and the base image. A directory that is no commit has no digest, and is not there.
//!
//! `internalParameters` are empty: the version of pybundle, which is the builder's, determines all the rest.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

use super::origin::ComponentOrigin;
use super::{SbomContents, TOOL, serialize, set};
use crate::digest::{Digest, Sha256};

/// What the parameters mean; see above.
pub const BUILD_TYPE: &str = "https://docs.rs/pybundle/latest/pybundle/sbom/provenance/index.html#build-type-1";

/// Who built it: pybundle, on whatever machine. It vouches for no more than the version says.
const BUILDER: &str = "https://docs.rs/pybundle";

/// The media type of an in-toto statement.
pub const MEDIA_TYPE: &str = "application/vnd.in-toto+json";

/// What the names of its files end with, after a dot.
pub const EXTENSION: &str = "provenance.json";

/// An artifact that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenanceSubject {
    /// The name of its file, or of the image.
    pub name: String,
    /// Its digest: of the file, or of the image manifest.
    pub sha256: Sha256,
}

/// A file of the project that drives the build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockFile {
    /// Its name, without directories.
    pub name: String,
    /// Its digest.
    pub sha256: Sha256,
}

/// What the command was told, by the names that are documented above.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "each is the flag of its name")]
pub struct ProvenanceParameters {
    pub command: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub extras: BTreeSet<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub all_extras: bool,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub only_groups: BTreeSet<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub no_default_groups: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub no_install_project: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub no_install_workspace: bool,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub no_install_packages: BTreeSet<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub application: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub slim: BTreeSet<&'static str>,
    #[serde(skip_serializing_if = "is_false")]
    pub strip: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compile_bytecode: Option<bool>,
    #[serde(skip_serializing_if = "is_false")]
    pub exclude_runtime: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub layer: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Writes the statement about artifacts that were built of a bill.
pub fn document(
    bill: &SbomContents,
    subjects: &[ProvenanceSubject],
    parameters: &ProvenanceParameters,
    lock: Option<&LockFile>,
) -> Vec<u8> {
    let subject =
        |subject: &ProvenanceSubject| json!({ "name": subject.name, "digest": digest_set(&[subject.sha256.into()]) });
    let mut external = json!(parameters);
    let target = &bill.target;
    set(&mut external, "project", Some(bill.project.name.as_str()));
    set(
        &mut external,
        "target",
        Some(json!({
            "profile": target.profile, "python": target.python, "platform": target.platform,
        })),
    );
    let name_lock = |lock: &LockFile| json!({ "name": lock.name, "digest": digest_set(&[lock.sha256.into()]) });
    set(&mut external, "lock", lock.map(name_lock));
    let mut details = json!({ "builder": { "id": BUILDER, "version": { (TOOL.0): TOOL.1 } } });
    set(&mut details, "metadata", bill.created.map(|time| json!({ "finishedOn": time.to_string() })));
    serialize(&json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects.iter().map(subject).collect::<Vec<_>>(),
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": external,
                "internalParameters": {},
                "resolvedDependencies": dependencies(bill, lock.map(name_lock)),
            },
            "runDetails": details,
        },
    }))
}

/// Returns what was built from: the project, its lock, the base, and each distribution in the order of the bill.
fn dependencies(bill: &SbomContents, lock: Option<Value>) -> Vec<Value> {
    let project = dependency(&bill.project.name, &bill.project.purl(), &bill.project.origin);
    let base = bill.base.as_ref().map(|base| {
        let mut value = json!({ "name": base.title(), "digest": digest_set(&[base.digest.into()]) });
        set(&mut value, "uri", base.purl());
        value
    });
    let components = bill
        .components
        .iter()
        .filter_map(|component| dependency(component.name.as_str(), &component.purl(), &component.origin));
    project.into_iter().chain(lock).chain(base).chain(components).collect()
}

/// Returns what a distribution was installed from; nothing if no digest tells which it was.
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

/// Returns digests by the names of their algorithms
/// ([in-toto, digest set](https://github.com/in-toto/attestation/blob/main/spec/v1/digest_set.md)).
fn digest_set(digests: &[Digest]) -> Value {
    let named = digests.iter().map(|digest| (digest.algorithm().name().to_owned(), json!(digest.hex())));
    Value::Object(named.collect())
}
