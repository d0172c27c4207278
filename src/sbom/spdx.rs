//! SBOMs in SPDX format.
//!
//! Specification: [SPDX 2.3](https://spdx.github.io/spdx-spec/v2.3/).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::license::License;
use super::metadata::{DistributionMetadata, Person};
use super::origin::ComponentOrigin;
use super::{
    BaseImage, BundledComponent, SbomComponent, SbomContents, SystemPackageComponent, TOOL, identifier, serialize, set,
};
use crate::digest::{Algorithm, Digest};
use crate::name::DistributionName;

/// The value of required but unknown fields (SPDX 2.3, package information).
const UNKNOWN: &str = "NOASSERTION";

const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const PROJECT: &str = "SPDXRef-Project";
const BASE: &str = "SPDXRef-Base";

/// Renders an SBOM. SPDX requires a creation time; without `SOURCE_DATE_EPOCH` it is 1980-01-01, as in images.
pub(super) fn render(contents: &SbomContents) -> Vec<u8> {
    let mut licenses = BTreeMap::new();
    let mut packages = vec![project(contents, &mut licenses)];
    packages.extend(contents.base.as_ref().map(base));
    packages.extend(contents.packages.iter().map(|package| system_package(package, &mut licenses)));
    packages.extend(contents.components.iter().map(|component| package(component, &mut licenses)));
    packages.extend(bundled(contents).map(|(_, id, component)| bundled_package(&id, component)));
    let title = match &contents.project.version {
        Some(version) => format!("{}-{version}", contents.project.name),
        None => contents.project.name.clone(),
    };
    let mut document = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": DOCUMENT,
        "name": title,
        "creationInfo": {
            "created": contents.created.unwrap_or_default().to_string(),
            "creators": [format!("Tool: {}-{}", TOOL.0, TOOL.1)],
        },
        "packages": packages,
        "relationships": relationships(contents),
    });
    set(&mut document, "hasExtractedLicensingInfos", (!licenses.is_empty()).then(|| extracted(licenses)));
    let namespace = format!("https://spdx.org/spdxdocs/{}-{}", token(&title), identifier(&document));
    set(&mut document, "documentNamespace", Some(namespace));
    serialize(&document)
}

/// The name and the text of licences that SPDX does not list, by reference.
type ExtractedLicenses = BTreeMap<String, (Option<String>, String)>;

fn extracted(licenses: ExtractedLicenses) -> Vec<Value> {
    let infos = licenses.into_iter().map(|(id, (name, text))| {
        let mut info = json!({ "licenseId": id, "extractedText": text });
        set(&mut info, "name", name);
        info
    });
    infos.collect()
}

fn project(contents: &SbomContents, licenses: &mut ExtractedLicenses) -> Value {
    let (project, target) = (&contents.project, &contents.target);
    let mut value = json!({
        "SPDXID": PROJECT,
        "name": project.name,
        "primaryPackagePurpose": "APPLICATION",
        "checksums": [checksum(&contents.artifact.into())],
        "comment": format!(
            "for {} on {}, Python {}, {} {}",
            target.profile, target.platform, target.python, target.libc.0, target.libc.1
        ),
    });
    set(&mut value, "versionInfo", project.version.as_ref().map(ToString::to_string));
    describe(&mut value, &project.name, &project.metadata, &project.origin, licenses);
    set(&mut value, "externalRefs", Some(json!([package_url(&project.purl())])));
    value
}

fn package(component: &SbomComponent, licenses: &mut ExtractedLicenses) -> Value {
    let mut value = json!({
        "SPDXID": reference(&component.name),
        "name": component.name.as_str(),
        "versionInfo": component.version.to_string(),
        "primaryPackagePurpose": "LIBRARY",
        "externalRefs": [package_url(&component.purl())],
    });
    set(&mut value, "packageFileName", component.origin.file().map(|file| file.name.as_str()));
    let checksums: Vec<Value> = component.origin.digests().iter().map(checksum).collect();
    set(&mut value, "checksums", (!checksums.is_empty()).then_some(checksums));
    describe(&mut value, component.name.as_str(), &component.metadata, &component.origin, licenses);
    value
}

fn base(base: &BaseImage) -> Value {
    let mut value = unstated(BASE, base.title(), "CONTAINER");
    set(&mut value, "versionInfo", Some(base.digest.to_string()));
    set(&mut value, "checksums", Some(json!([checksum(&base.digest.into())])));
    set(&mut value, "externalRefs", base.purl().map(|purl| json!([package_url(&purl)])));
    value
}

fn system_package(package: &SystemPackageComponent, licenses: &mut ExtractedLicenses) -> Value {
    let license = License::of_debian(&package.licenses);
    let declared = license.map(|license| declared(&license, &format!("package {}", package.name), licenses));
    let mut value = unstated(&system_reference(&package.name), &package.name, "LIBRARY");
    set(&mut value, "versionInfo", Some(package.version.as_str()));
    set(&mut value, "externalRefs", Some(json!([package_url(&package.purl())])));
    set(&mut value, "packageFileName", package.url.rsplit('/').next());
    set(&mut value, "checksums", Some(json!([checksum(&package.sha256.into())])));
    set(&mut value, "downloadLocation", Some(package.url.as_str()));
    set(&mut value, "licenseDeclared", declared);
    value
}

/// Returns a package of which no more is known than its name.
fn unstated(id: &str, name: &str, purpose: &str) -> Value {
    json!({
        "SPDXID": id,
        "name": name,
        "primaryPackagePurpose": purpose,
        "supplier": UNKNOWN,
        "downloadLocation": UNKNOWN,
        "filesAnalyzed": false,
        "licenseConcluded": UNKNOWN,
        "licenseDeclared": UNKNOWN,
        "copyrightText": UNKNOWN,
    })
}

/// Returns the software within distributions: the SPDXID of the distribution, its own, and the component.
fn bundled(contents: &SbomContents) -> impl Iterator<Item = (String, String, &BundledComponent)> {
    let of_project = (PROJECT.to_owned(), "Project", &contents.project.bundled);
    let of_components = contents.components.iter();
    let of_components =
        of_components.map(|component| (reference(&component.name), component.name.as_str(), &component.bundled));
    std::iter::once(of_project).chain(of_components).flat_map(|(owner, name, components)| {
        components.iter().enumerate().map(move |(position, component)| {
            let id = format!("SPDXRef-Bundled-{name}-{}-{}", position + 1, token(&component.name));
            (owner.clone(), id, component)
        })
    })
}

fn bundled_package(id: &str, component: &BundledComponent) -> Value {
    let mut value = unstated(id, &component.name, "LIBRARY");
    set(&mut value, "versionInfo", component.version.as_deref());
    set(&mut value, "externalRefs", component.purl.as_ref().map(|purl| json!([package_url(purl)])));
    let libraries: Vec<&str> = component.libraries.iter().map(String::as_str).collect();
    set(&mut value, "comment", (!libraries.is_empty()).then(|| libraries.join(", ")));
    value
}

/// Returns the SPDXID of an operating-system package, whose name may contain `+` and `_`.
fn system_reference(name: &str) -> String {
    format!("SPDXRef-Deb-{}", token(&name.replace('+', "-plus").replace('_', "-underscore")))
}

/// Adds the metadata of a distribution and its origin.
fn describe(
    value: &mut Value,
    name: &str,
    metadata: &DistributionMetadata,
    origin: &ComponentOrigin,
    licenses: &mut ExtractedLicenses,
) {
    let declared = metadata.license.as_ref().map(|license| declared(license, name, licenses));
    set(value, "licenseDeclared", Some(declared.unwrap_or_else(|| UNKNOWN.to_owned())));
    set(value, "licenseConcluded", Some(UNKNOWN));
    set(value, "copyrightText", Some(UNKNOWN));
    set(value, "filesAnalyzed", Some(false));
    set(value, "downloadLocation", Some(origin.location().unwrap_or_else(|| UNKNOWN.to_owned())));
    set(value, "summary", metadata.summary.as_deref());
    set(value, "homepage", metadata.homepage());
    set(value, "supplier", Some(metadata.supplier().map_or_else(|| UNKNOWN.to_owned(), creator)));
    set(value, "originator", metadata.authors.first().map(creator));
}

/// Returns the licence as an expression, and adds licences that SPDX does not list to `licenses`.
fn declared(license: &License, name: &str, licenses: &mut ExtractedLicenses) -> String {
    match license {
        License::Expression(expression) => {
            for reference in license.references() {
                let text = format!("The licence that the metadata of {name} calls {reference}.");
                licenses.entry(reference).or_insert((None, text));
            }
            expression.clone()
        }
        License::Named { name: title, text } => {
            let id = format!("LicenseRef-{}", token(name));
            let text =
                text.clone().unwrap_or_else(|| format!("The licence that the metadata of {name} calls {title}."));
            licenses.insert(id.clone(), (Some(title.clone()), text));
            id
        }
    }
}

/// Replaces characters that identifiers and URLs must not contain: all but letters, digits, dots and hyphens.
fn token(name: &str) -> String {
    name.chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || ".-".contains(letter) { letter } else { '-' })
        .collect()
}

/// Returns a person in SPDX's syntax. Metadata does not distinguish persons and organizations.
fn creator(person: &Person) -> String {
    match (&person.name, &person.email) {
        (Some(name), Some(email)) => format!("Person: {} ({email})", without_parentheses(name)),
        (Some(name), None) | (None, Some(name)) => format!("Person: {}", without_parentheses(name)),
        (None, None) => UNKNOWN.to_owned(),
    }
}

/// Removes parentheses, which enclose the email address in SPDX's syntax.
fn without_parentheses(name: &str) -> String {
    name.replace(['(', ')'], "")
}

fn package_url(purl: &str) -> Value {
    json!({ "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl })
}

fn checksum(digest: &Digest) -> Value {
    let algorithm = match digest.algorithm() {
        Algorithm::Md5 => "MD5",
        Algorithm::Sha256 => "SHA256",
        Algorithm::Sha384 => "SHA384",
        Algorithm::Sha512 => "SHA512",
        Algorithm::Blake2b => "BLAKE2b-512",
    };
    json!({ "algorithm": algorithm, "checksumValue": digest.hex() })
}

/// Returns the SPDXID of a distribution. Normalized names contain only valid characters.
fn reference(name: &DistributionName) -> String {
    format!("SPDXRef-Package-{name}")
}

fn relationships(contents: &SbomContents) -> Vec<Value> {
    let mut all = vec![relationship(DOCUMENT, "DESCRIBES", PROJECT)];
    all.extend(contents.base.iter().map(|_| relationship(PROJECT, "DESCENDANT_OF", BASE)));
    for package in &contents.packages {
        let own = system_reference(&package.name);
        if package.is_requested {
            all.push(relationship(PROJECT, "DEPENDS_ON", &own));
        }
        let required = package.requires.iter().map(|name| relationship(&own, "DEPENDS_ON", &system_reference(name)));
        all.extend(required);
    }
    let project = contents.project.requires.iter();
    all.extend(project.map(|name| relationship(PROJECT, "DEPENDS_ON", &reference(name))));
    let bundled = bundled(contents);
    all.extend(bundled.map(|(owner, id, _)| relationship(&owner, "CONTAINS", &id)));
    for component in &contents.components {
        let from = reference(&component.name);
        all.extend(component.requires.iter().map(|name| relationship(&from, "DEPENDS_ON", &reference(name))));
    }
    all
}

fn relationship(from: &str, kind: &str, to: &str) -> Value {
    json!({ "spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to })
}
