//! What wheels say of the software that they contain: SBOMs in CycloneDX format in `*.dist-info/sboms`, as auditwheel, maturin and
//! projects write them.
//!
//! Specification: [PEP 770](https://peps.python.org/pep-0770/) and [CycloneDX, JSON](https://cyclonedx.org/docs/1.7/json/), of which
//! only the fields are read that versions 1.2 to 1.7 have in common.

use std::collections::{BTreeMap, BTreeSet};

use packageurl::PackageUrl;
use serde_json::Value;

use super::origin;
use crate::digest::Sha256;
use crate::name::DistributionName;

/// How many components the SBOMs of a wheel may name. A crate with all of its dependencies has hundreds.
const MOST_COMPONENTS: usize = 10_000;

/// The longest name, version and package URL, in bytes.
const LONGEST_TEXT: usize = 1024;

/// Where auditwheel finds the libraries that it copies into wheels.
const LIBRARY_DIRECTORIES: [&str; 10] = [
    "/lib64",
    "/usr/lib64",
    "/usr/local/lib64",
    "/lib",
    "/usr/lib",
    "/usr/local/lib",
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
];

/// Software that a wheel contains besides its distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BundledComponent {
    pub(super) name: String,
    pub(super) version: Option<String>,
    /// The package URL, in canonical form.
    pub(super) purl: Option<String>,
    /// The shared libraries of it, by their paths in the wheel.
    pub(super) libraries: BTreeSet<String>,
}

/// The software that the SBOMs of one wheel name.
pub(crate) struct BundledSoftware<'w> {
    /// The wheel's distribution, which is not listed.
    owner: &'w DistributionName,
    /// The paths of the libraries that auditwheel has copied, by the digests of the paths that it may have copied them from.
    libraries: BTreeMap<String, &'w str>,
    /// By their package URLs, or else by their names and versions: several SBOMs may name the same.
    components: BTreeMap<String, BundledComponent>,
}

/// Why an SBOM of a wheel is not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnreadableSbom {
    #[error("it has more than {0} bytes")]
    TooLarge(u64),
    #[error("it is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("it is not in CycloneDX format")]
    Format,
    #[error("it has more than {MOST_COMPONENTS} components")]
    TooMany,
}

impl<'w> BundledSoftware<'w> {
    /// Starts without components. `files` are the paths of the wheel's files.
    pub(crate) fn new(owner: &'w DistributionName, files: impl Iterator<Item = &'w str>) -> Self {
        let libraries = files.filter_map(|path| Some((path, name_before_copy(path)?))).flat_map(|(path, name)| {
            LIBRARY_DIRECTORIES.map(|directory| (Sha256::of(format!("{directory}/{name}").as_bytes()).hex(), path))
        });
        Self { owner, libraries: libraries.collect(), components: BTreeMap::new() }
    }

    /// Adds the components of an SBOM. Malformed ones are skipped.
    ///
    /// # Errors
    /// It is not an SBOM in CycloneDX format, or has too many components. Nothing of it is added.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> Result<(), UnreadableSbom> {
        let document: Value = serde_json::from_slice(bytes)?;
        if document["bomFormat"] != "CycloneDX" {
            return Err(UnreadableSbom::Format);
        }
        let mut found = Vec::new();
        // maturin's SBOM is about the crate, whose package URL is not that of the distribution. Parts of it are its targets.
        found.extend(document.pointer("/metadata/component"));
        collect(&document["components"], &mut found);
        if found.len() + self.components.len() > MOST_COMPONENTS {
            return Err(UnreadableSbom::TooMany);
        }
        for component in found {
            let Some((component, library)) = self.component(component) else { continue };
            let key = component.identity();
            let known = self.components.entry(key).or_insert(component);
            known.libraries.extend(library.map(str::to_owned));
        }
        Ok(())
    }

    /// Returns the components, ordered by package URL.
    pub(crate) fn into_components(self) -> Vec<BundledComponent> {
        self.components.into_values().collect()
    }

    /// Reads a component, and the library that it describes; `None` if it is malformed, is not in the wheel, or is the wheel's
    /// distribution or a part of it.
    fn component(&self, value: &Value) -> Option<(BundledComponent, Option<&'w str>)> {
        if value["scope"] == "excluded" {
            return None;
        }
        let name = text(&value["name"])?;
        let purl = text(&value["purl"]).and_then(PackageUrlParts::parse);
        let is_own = match &purl {
            Some(purl) => purl.is_distribution && self.is_owner(&purl.name),
            None => self.is_owner(&name),
        };
        if is_own {
            return None;
        }
        // auditwheel 6 writes the digest of the path that a library had, not of the library, into its reference.
        let digest =
            value["bom-ref"].as_str().and_then(|reference| reference.rsplit_once('#')).map(|(_, digest)| digest);
        let library = digest.and_then(|digest| self.libraries.get(digest)).copied();
        let version = text(&value["version"]);
        let purl = purl.map(|purl| purl.canonical);
        Some((BundledComponent { name, version, purl, libraries: BTreeSet::new() }, library))
    }

    fn is_owner(&self, name: &str) -> bool {
        name.parse::<DistributionName>().is_ok_and(|name| name == *self.owner)
    }
}

impl BundledComponent {
    /// Returns what identifies it in its wheel.
    pub(super) fn identity(&self) -> String {
        match (&self.purl, &self.version) {
            (Some(purl), _) => purl.clone(),
            (None, Some(version)) => format!("{}@{version}", self.name),
            (None, None) => self.name.clone(),
        }
    }
}

/// What of a package URL matters.
struct PackageUrlParts {
    canonical: String,
    name: String,
    /// Whether it is one of PyPI's.
    is_distribution: bool,
}

impl PackageUrlParts {
    /// Parses a package URL; `None` if it is malformed. Its canonical form has neither paths of the machine that built the wheel
    /// nor a path within the package.
    fn parse(text: String) -> Option<Self> {
        let parsed: PackageUrl = text.parse().ok()?;
        let qualifiers: BTreeMap<&str, &str> =
            parsed.qualifiers().iter().map(|(key, value)| (&**key, &**value)).collect();
        let qualifiers = qualifiers.into_iter().filter(|(_, value)| !value.starts_with("file:"));
        let canonical = origin::canonical(
            parsed.ty(),
            parsed.namespace(),
            parsed.name(),
            parsed.version(),
            qualifiers.map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        let (name, is_distribution) = (parsed.name().to_owned(), parsed.ty() == "pypi");
        Some(Self { canonical: canonical?, name, is_distribution })
    }
}

/// Adds components and those within them. JSON that is nested too deeply has been refused before.
fn collect<'v>(components: &'v Value, found: &mut Vec<&'v Value>) {
    for component in components.as_array().into_iter().flatten() {
        found.push(component);
        collect(&component["components"], found);
    }
}

/// Returns a string that is fit for a document.
fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    let is_fit = !text.is_empty() && text.len() <= LONGEST_TEXT && !text.contains(char::is_control);
    is_fit.then(|| text.to_owned())
}

/// Returns the name of a library before auditwheel added a part of its digest: `libz.so.1` of `demo.libs/libz-0123abcd.so.1`.
fn name_before_copy(path: &str) -> Option<String> {
    let (directory, name) = path.rsplit_once('/')?;
    if !directory.ends_with(".libs") {
        return None;
    }
    let (stem, extension) = name.split_once('.')?;
    let (stem, digest) = stem.rsplit_once('-')?;
    let is_digest = digest.len() == 8 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest.then(|| format!("{stem}.{extension}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(documents: &[Value], files: &[&str]) -> Vec<BundledComponent> {
        let owner = "demo-lib".parse().unwrap();
        let mut software = BundledSoftware::new(&owner, files.iter().copied());
        documents.iter().for_each(|document| software.add(document.to_string().as_bytes()).unwrap());
        software.into_components()
    }

    fn sbom(components: Value) -> Value {
        json!({ "bomFormat": "CycloneDX", "specVersion": "1.4", "components": components })
    }

    #[test]
    fn components_of_all_sboms_are_listed_once() {
        let krb5 = "pkg:rpm/centos/krb5-libs@1.15.1";
        let reference = |path: &str| format!("{krb5}#{}", Sha256::of(path.as_bytes()).hex());
        let library =
            |path: &str| json!({ "name": "krb5-libs", "purl": krb5, "version": "1", "bom-ref": reference(path) });
        let auditwheel = sbom(json!([
            { "name": "Demo_Lib", "purl": "pkg:pypi/demo_lib@1?file_name=x" },
            library("/lib64/libkrb5.so.3.3"),
            library("/usr/lib64/libk5crypto.so.3"),
            library("/elsewhere/libother.so.3"),
        ]));
        let mut crates = sbom(json!([
            { "name": "ahash", "purl": "pkg:cargo/ahash@0.8.12?download_url=file://x", "version": "0.8.12",
              "components": [{ "name": "inner", "version": "2" }] },
            { "name": "cc", "purl": "pkg:cargo/cc@1", "scope": "excluded" },
            { "name": 7 }, { "name": "a\nb" }, { "name": "odd", "purl": "no purl" }, "text",
            { "name": "demo_lib" }, { "name": "krb5-libs", "purl": krb5 },
        ]));
        crates["metadata"] =
            json!({ "component": { "name": "demo-lib", "purl": "pkg:cargo/demo-lib@1?download_url=file://." } });
        let files = ["demo.libs/libkrb5-0123abcd.so.3.3", "demo.libs/libk5crypto-0123abcd.so.3", "demo/libother.so.3"];
        let found = read(&[auditwheel, crates], &files);
        let names: Vec<(String, usize)> =
            found.iter().map(|component| (component.identity(), component.libraries.len())).collect();
        let expected =
            [("inner@2", 0), ("odd", 0), ("pkg:cargo/ahash@0.8.12", 0), ("pkg:cargo/demo-lib@1", 0), (krb5, 2)];
        assert_eq!(names, expected.map(|(name, libraries)| (name.to_owned(), libraries)));
    }

    #[test]
    fn what_is_not_an_sbom_is_refused() {
        let owner = "demo".parse().unwrap();
        let many = sbom(Value::from(vec![json!({ "name": "x" }); MOST_COMPONENTS + 1])).to_string();
        let deep = format!("{{\"bomFormat\": \"CycloneDX\", \"components\": {}", "[".repeat(100_000));
        for (text, expected) in [
            ("", "it is not JSON: EOF while parsing a value at line 1 column 0"),
            ("{\"bomFormat\": \"SPDX\"}", "it is not in CycloneDX format"),
            ("[]", "it is not in CycloneDX format"),
            (&*many, "it has more than 10000 components"),
            (&*deep, "it is not JSON: recursion limit exceeded"),
        ] {
            let mut software = BundledSoftware::new(&owner, std::iter::empty());
            let error = software.add(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
            assert!(software.into_components().is_empty());
        }
    }
}
