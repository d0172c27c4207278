//! SBOMs in CycloneDX format.
//!
//! Specification: [CycloneDX 1.6, JSON](https://cyclonedx.org/docs/1.6/json/).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::license::License;
use super::metadata::{DistributionMetadata, Person};
use super::origin::ComponentOrigin;
use super::{
    BaseImage, BundledComponent, SbomComponent, SbomContents, SystemPackageComponent, TOOL, identifier, serialize, set,
};
use crate::digest::{Algorithm, Digest};
use crate::name::DistributionName;

/// The `bom-ref` of a base image without a name.
const BASE: &str = "base";

pub(super) fn render(contents: &SbomContents) -> Vec<u8> {
    let (name, version) = TOOL;
    let target = &contents.target;
    let properties = [
        ("profile", &target.profile),
        ("python", &target.python),
        ("platform", &target.platform),
        (target.libc.0, &target.libc.1),
    ];
    let mut metadata = json!({
        "component": project(contents),
        "lifecycles": [{ "phase": "build" }],
        "properties": properties.map(|(name, value)| json!({ "name": format!("pybundle:target:{name}"), "value": value })),
        "tools": { "components": [{ "type": "application", "name": name, "version": version }] },
    });
    set(&mut metadata, "timestamp", contents.created.map(|time| time.to_string()));
    let packages = contents.packages.iter().map(system_package);
    let components = contents.base.iter().map(base).chain(packages).chain(contents.components.iter().map(component));
    let mut document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": metadata,
        "components": components.collect::<Vec<_>>(),
        "dependencies": dependencies(contents),
    });
    let serial = identifier(&document).urn().to_string();
    set(&mut document, "serialNumber", Some(serial));
    serialize(&document)
}

fn project(contents: &SbomContents) -> Value {
    let project = &contents.project;
    let mut value = json!({ "type": "application", "bom-ref": project.purl(), "name": project.name });
    set(&mut value, "version", project.version.as_ref().map(ToString::to_string));
    set(&mut value, "purl", Some(project.purl()));
    set(&mut value, "hashes", Some(vec![hash(&contents.artifact.into())]));
    describe(&mut value, &project.metadata, &project.origin);
    set(&mut value, "components", bundled(&project.purl(), &project.bundled));
    value
}

fn component(component: &SbomComponent) -> Value {
    let mut value = json!({
        "type": "library",
        "bom-ref": component.purl(),
        "name": component.name.as_str(),
        "version": component.version.to_string(),
        "purl": component.purl(),
        "scope": "required",
    });
    let hashes: Vec<Value> = component.origin.digests().iter().map(hash).collect();
    set(&mut value, "hashes", (!hashes.is_empty()).then_some(hashes));
    describe(&mut value, &component.metadata, &component.origin);
    set(&mut value, "components", bundled(&component.purl(), &component.bundled));
    value
}

/// Returns the components within a distribution. They are not in the dependency graph, since nobody says what theirs are.
fn bundled(owner: &str, components: &[BundledComponent]) -> Option<Vec<Value>> {
    let values = components.iter().map(|component| {
        let mut value = json!({
            "type": "library",
            "bom-ref": format!("{owner}#{}", component.identity()),
            "name": component.name,
        });
        set(&mut value, "version", component.version.as_deref());
        set(&mut value, "purl", component.purl.as_deref());
        let libraries: Vec<Value> = component.libraries.iter().map(|path| json!({ "location": path })).collect();
        set(&mut value, "evidence", (!libraries.is_empty()).then(|| json!({ "occurrences": libraries })));
        value
    });
    (!components.is_empty()).then(|| values.collect())
}

fn base(base: &BaseImage) -> Value {
    let mut value = json!({
        "type": "container",
        "bom-ref": reference(base),
        "name": base.title(),
        "version": base.digest.to_string(),
        "hashes": [hash(&base.digest.into())],
    });
    set(&mut value, "purl", base.purl());
    value
}

fn system_package(package: &SystemPackageComponent) -> Value {
    let digest = hash(&package.sha256.into());
    let mut value = json!({
        "type": "library",
        "bom-ref": package.purl(),
        "name": package.name,
        "version": package.version,
        "purl": package.purl(),
        "scope": "required",
        "hashes": [digest],
        "externalReferences": [{ "type": "distribution", "url": package.url, "hashes": [digest] }],
    });
    set(&mut value, "licenses", License::of_debian(&package.licenses).as_ref().map(licenses));
    value
}

/// Returns the `bom-ref` of a base image.
fn reference(base: &BaseImage) -> String {
    base.purl().unwrap_or_else(|| BASE.to_owned())
}

/// Adds the metadata of a distribution and links to its origin.
fn describe(value: &mut Value, metadata: &DistributionMetadata, origin: &ComponentOrigin) {
    set(value, "description", metadata.summary.as_deref());
    set(value, "licenses", metadata.license.as_ref().map(licenses));
    let authors: Vec<Value> = metadata.authors.iter().map(contact).collect();
    set(value, "authors", (!authors.is_empty()).then_some(authors));
    if let Some(person) = metadata.supplier() {
        let name = person.name.as_ref().or(person.email.as_ref());
        set(value, "supplier", Some(json!({ "name": name, "contact": [contact(person)] })));
    }
    let links = metadata.links.iter().map(|link| json!({ "type": link.kind, "url": link.url }));
    let mut references: Vec<Value> = links.collect();
    references.extend(origin.location().map(|url| {
        let kind = match origin {
            ComponentOrigin::Repository { .. } | ComponentOrigin::Directory(_) => "vcs",
            ComponentOrigin::Index { file, .. } | ComponentOrigin::Direct(file) if file.is_source => {
                "source-distribution"
            }
            ComponentOrigin::Index { .. } | ComponentOrigin::Direct(_) => "distribution",
        };
        let mut reference = json!({ "type": kind, "url": url });
        let hashes: Vec<Value> = origin.digests().iter().map(hash).collect();
        set(&mut reference, "hashes", (!hashes.is_empty()).then_some(hashes));
        reference
    }));
    set(value, "externalReferences", (!references.is_empty()).then_some(references));
}

fn contact(person: &Person) -> Value {
    let mut value = json!({});
    set(&mut value, "name", person.name.as_deref());
    set(&mut value, "email", person.email.as_deref());
    value
}

/// Returns the licence as a list with one element: an identifier, an expression or a name.
fn licenses(license: &License) -> Value {
    let declared = "declared";
    match (license, license.identifier()) {
        (_, Some(id)) => json!([{ "license": { "id": id, "acknowledgement": declared } }]),
        (License::Expression(expression), None) => json!([{ "expression": expression, "acknowledgement": declared }]),
        (License::Named { name, text }, None) => {
            let mut license = json!({ "name": name, "acknowledgement": declared });
            set(&mut license, "text", text.as_ref().map(|text| json!({ "content": text })));
            json!([{ "license": license }])
        }
    }
}

fn hash(digest: &Digest) -> Value {
    let algorithm = match digest.algorithm() {
        Algorithm::Md5 => "MD5",
        Algorithm::Sha256 => "SHA-256",
        Algorithm::Sha384 => "SHA-384",
        Algorithm::Sha512 => "SHA-512",
        Algorithm::Blake2b => "BLAKE2b-512",
    };
    json!({ "alg": algorithm, "content": digest.hex() })
}

/// Returns the dependency graph. Components without dependencies are listed, too: omitted, theirs would be unknown.
fn dependencies(contents: &SbomContents) -> Vec<Value> {
    let base = contents.base.as_ref().map(reference);
    let mut depends_on: Vec<String> = base.iter().cloned().collect();
    let requested = contents.packages.iter().filter(|package| package.is_requested);
    depends_on.extend(requested.map(SystemPackageComponent::purl));
    depends_on.extend(purls(&contents.project.requires, &contents.components));
    let mut entries = vec![json!({ "ref": contents.project.purl(), "dependsOn": depends_on })];
    entries.extend(base.map(|base| json!({ "ref": base, "dependsOn": [] })));
    entries.extend(contents.packages.iter().map(|package| {
        let required = contents.packages.iter().filter(|other| package.requires.contains(&other.name));
        json!({ "ref": package.purl(), "dependsOn": required.map(SystemPackageComponent::purl).collect::<Vec<_>>() })
    }));
    entries.extend(contents.components.iter().map(
        |component| json!({ "ref": component.purl(), "dependsOn": purls(&component.requires, &contents.components) }),
    ));
    entries
}

/// Returns the package URLs of the components with the given names.
fn purls(names: &BTreeSet<DistributionName>, components: &[SbomComponent]) -> Vec<String> {
    let found = names.iter().filter_map(|name| components.iter().find(|component| component.name == *name));
    found.map(SbomComponent::purl).collect()
}
