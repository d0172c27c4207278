//! The readers of wheels, base images, ELF files and projects, for the fuzz targets in `fuzz`.
//!
//! Most of these readers are private to the crate, and each needs surroundings: a manifest for an image config, a file name
//! for METADATA. Every function here reads one document that somebody else wrote, uses the result as a build would,
//! formats the errors, and returns whether the document could be read. None of them opens a file or a connection.
//! `tests/corpus.rs` replays what fuzzing has found, so this is compiled without fuzzing, too.

mod system_packages;

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use oci_spec::image::MediaType;
use serde_json::{Value, json};

use crate::audit::{elf, musl};
use crate::contents;
use crate::debian::maintainer_script::read_script;
use crate::debian::{Deb, DebError, InstalledState, installed_paragraph};
use crate::digest::Sha256;
use crate::hints::Hints;
use crate::image::config::{ConfigOverrides, Entrypoint, expand};
use crate::image::{Base, Blob, BlobContent, Layer, OciArtifact, base, manifest, python};
use crate::index::requires_python;
use crate::marker::{ActiveExtras, Requirement};
use crate::options::{
    ImageOptions, Invocation, LambdaOptions, LayerOptions, ProjectConfiguration, TargetKind, TargetOptions,
};
use crate::platform::{Architecture, MarkerEnvironment, PythonVersion};
use crate::project::pyproject::{FILENAME, PyprojectToml};
use crate::project::uv_options::UvOptions;
use crate::sbom::DistributionMetadata;
use crate::settings::{CacheChoice, ConfiguredFiles, Environment, Variables};
use crate::trim::strip;
use crate::wheel::filename::WheelFilename;
use crate::wheel::{entry_points, metadata, record};

pub use system_packages::{LaidPackages, lay_packages};

/// The version of Python that requirements are evaluated for.
const PYTHON: PythonVersion = PythonVersion::new(12);

/// Reads an image config, as that of a base and of an artifact whose manifest fits it.
pub fn image_config(config: &[u8]) -> bool {
    let document: Value = serde_json::from_slice(config).unwrap_or_default();
    let layers = document["rootfs"]["diff_ids"].as_array().map_or(0, Vec::len);
    let layers: Vec<Value> = (0..layers).map(|position| layer_descriptor(position.to_string().as_bytes())).collect();
    let manifest = json!({ "schemaVersion": 2, "config": config_descriptor(config), "layers": layers });
    read_base(manifest.to_string().as_bytes(), config)
}

/// Reads a manifest or an index, as it is, and as that of a base whose image config fits it.
pub fn image_manifest(document: &[u8]) -> bool {
    let kind = base::kind(document);
    show(&kind);
    show(&base::configuration(document));
    for architecture in Architecture::ALL {
        show(&base::choose(document, architecture));
    }
    let Ok(mut value) = serde_json::from_slice::<Value>(document) else { return kind.is_ok() };
    let children = blobs_of(&value["manifests"]).into_iter().map(|manifest| OciArtifact {
        blobs: vec![manifest.clone()],
        manifest,
        children: Vec::new(),
        referrers: Vec::new(),
    });
    let manifest = Blob::of_bytes(MediaType::ImageIndex, document.to_vec());
    let index = OciArtifact { manifest, blobs: Vec::new(), children: children.collect(), referrers: Vec::new() };
    drop(contents::image::choose(&index, Some("linux/arm64")).map_err(|error| error.to_string()));
    if let Some(manifest) = value.as_object_mut() {
        let diff_id = Sha256::of(b"layer").to_string();
        let diff_ids = vec![diff_id; manifest.get("layers").and_then(Value::as_array).map_or(0, Vec::len)];
        let rootfs = json!({ "type": "layers", "diff_ids": diff_ids });
        let config = json!({ "os": "linux", "architecture": "arm64", "rootfs": rootfs }).to_string();
        manifest.insert("config".to_owned(), config_descriptor(config.as_bytes()));
        read_base(value.to_string().as_bytes(), config.as_bytes());
    }
    kind.is_ok()
}

/// Reads the documents of a base, builds an image on it, and verifies the base as an artifact.
fn read_base(manifest: &[u8], config: &[u8]) -> bool {
    let mut could_be_read = false;
    for architecture in Architecture::ALL {
        let base = Base::from_manifest(manifest, config, architecture, |_| BlobContent::Bytes(Arc::default()));
        show(&base);
        if let Ok(base) = base {
            build_on(&base);
            could_be_read = true;
        }
    }
    let value: Value = serde_json::from_slice(manifest).unwrap_or_default();
    let mut blobs = blobs_of(&value["layers"]);
    blobs.push(Blob::of_bytes(MediaType::ImageConfig, config.to_vec()));
    let manifest = Blob::of_bytes(MediaType::ImageManifest, manifest.to_vec());
    let artifact = OciArtifact { manifest, blobs, children: Vec::new(), referrers: Vec::new() };
    drop(contents::verify::image(&artifact, Some("linux/arm64"), &|_| Err("it has no bytes".to_owned())));
    could_be_read
}

/// Builds an image on a base. The image can itself be a base.
fn build_on(base: &Base) {
    drop(python::from_config(base));
    let variables = base.config.execution.env.iter().filter_map(|variable| variable.split_once('='));
    // Each is looked up in the base: many would only measure the square of their number.
    let env = variables.take(16).filter_map(|(name, value)| {
        let value = expand(value, &base.config.execution).ok()?;
        Some((name.to_owned(), value))
    });
    let settings = ConfigOverrides {
        user: Some("10001".to_owned()),
        workdir: Some("/app".to_owned()),
        env: env.collect(),
        entrypoint: Entrypoint::Set(vec!["python".to_owned()]),
        exposed_ports: "8000".parse().into_iter().collect(),
        labels: BTreeMap::from([("label".to_owned(), "value".to_owned())]),
        ..ConfigOverrides::default()
    };
    let blob = Blob::of_bytes(MediaType::ImageLayerGzip, b"layer".to_vec());
    let added = vec![(Layer { diff_id: blob.digest, blob }, "added".to_owned())];
    let Ok(image) = manifest::image(base, added, &settings, &BTreeMap::new()) else { return };
    let documents = [&image.manifest, &image.config].map(|blob| {
        let mut bytes = Vec::new();
        blob.copy_to(&mut bytes).expect("it is in memory");
        bytes
    });
    let [manifest, config] = &documents;
    Base::from_manifest(manifest, config, base.architecture, |_| BlobContent::Bytes(Arc::default()))
        .expect("an image on a valid base is valid");
}

fn config_descriptor(config: &[u8]) -> Value {
    descriptor("application/vnd.oci.image.config.v1+json", config)
}

fn layer_descriptor(layer: &[u8]) -> Value {
    descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer)
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": Sha256::of(bytes).to_string(), "size": bytes.len() })
}

/// Returns a blob without its bytes for each descriptor whose digest is valid.
fn blobs_of(descriptors: &Value) -> Vec<Blob> {
    let digests = descriptors.as_array().into_iter().flatten().filter_map(|descriptor| descriptor["digest"].as_str());
    let digests = digests.filter_map(|digest| digest.parse().ok());
    let content = BlobContent::Bytes(Arc::default());
    digests
        .map(|digest| Blob { media_type: MediaType::ImageLayer, digest, size: 0, content: content.clone() })
        .collect()
}

/// Reads an ELF file, and strips it.
pub fn elf(file: &[u8]) -> bool {
    drop(elf::defined_glibc(file).map_err(|error| error.to_string()));
    drop(elf::interpreter(file));
    let _ = musl::version(file);
    strip::strip(&mut file.to_vec());
    let read = elf::read(Cursor::new(file));
    drop(read.as_ref().map_err(ToString::to_string));
    read.is_ok()
}

/// Reads a .deb with all its entries, and its maintainer scripts.
pub fn deb(bytes: &[u8]) -> bool {
    let Ok(mut file) = tempfile::tempfile() else { return false };
    if std::io::Write::write_all(&mut file, bytes).is_err() {
        return false;
    }
    let read = || {
        let deb = Deb::open(Path::new("fuzzed.deb"), &file)?;
        let scripts = deb.control_files.values();
        scripts.for_each(|script| drop(read_script(&String::from_utf8_lossy(&script.bytes))));
        installed_paragraph(&deb.control, InstalledState::Installed, &[]);
        deb.entries::<DebError>(|_, content| {
            // What cannot be read is an error of the entry, which the next one reports.
            drop(std::io::copy(&mut content.take(1 << 24), &mut std::io::sink()));
            Ok(())
        })
    };
    let read = read();
    show(&read);
    read.is_ok()
}

/// Reads METADATA and, each after a NUL, WHEEL, RECORD and entry_points.txt.
pub fn metadata(files: &[u8]) -> bool {
    let files: Vec<&[u8]> = files.split(|byte| *byte == 0).collect();
    let [metadata, wheel, record, entry_points] =
        std::array::from_fn(|position| files.get(position).copied().unwrap_or_default());
    drop(DistributionMetadata::parse(metadata));
    drop(record::paths(record));
    let required = metadata::check_metadata(metadata, &wheel_of(metadata));
    let requires_python = required.as_ref().ok().and_then(|required| required.requires_python.as_deref());
    if let Some(allowed) = requires_python.and_then(requires_python::parse) {
        PYTHON.is_allowed_by(&allowed);
    }
    for text in required.iter().flat_map(|required| &required.requires) {
        requirement(text);
    }
    let errors = [
        required.err(),
        metadata::check_wheel(wheel).err(),
        record::parse(record).err(),
        entry_points::parse(entry_points).err(),
    ];
    let could_be_read = errors.iter().any(Option::is_none);
    drop(errors.into_iter().flatten().map(|error| error.to_string()).collect::<Vec<_>>());
    could_be_read
}

/// Returns the file name of a wheel with the name and the version in METADATA, as far as they are valid.
fn wheel_of(metadata: &[u8]) -> WheelFilename {
    let text = String::from_utf8_lossy(metadata);
    let [name, version] = ["Name:", "Version:"].map(|field| {
        let value = text.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
        value.trim().replace('-', "_")
    });
    let named = format!("{name}-{version}-py3-none-any.whl").parse().ok();
    named.unwrap_or_else(|| "a-1-py3-none-any.whl".parse().expect("it is valid"))
}

/// Reads a pyproject.toml, its requirements, and the settings of its targets.
pub fn pyproject(text: &str) -> bool {
    let pyproject = PyprojectToml::parse(text, Path::new("/project").join(FILENAME));
    show(&pyproject);
    let Ok(pyproject) = pyproject else { return false };
    show(&UvOptions::of(&pyproject));
    if let Some(allowed) = &pyproject.requires_python {
        PYTHON.is_allowed_by(allowed);
    }
    let project = pyproject.table().get("project");
    let extras = project.and_then(|project| project.get("optional-dependencies")).and_then(toml::Value::as_table);
    let groups = pyproject.table().get("dependency-groups").and_then(toml::Value::as_table);
    let tables = [extras, groups].into_iter().flatten().flat_map(toml::Table::values);
    let lists = project.and_then(|project| project.get("dependencies")).into_iter().chain(tables);
    for text in lists.filter_map(toml::Value::as_array).flatten().filter_map(toml::Value::as_str) {
        requirement(text);
    }
    let files = vec![(pyproject.path.clone(), PathBuf::from("/project"))];
    let configuration = ProjectConfiguration::of_files("project".to_owned(), files, vec![pyproject.document.clone()]);
    show(&configuration);
    if let Ok(configuration) = &configuration {
        settings::<LambdaOptions>(configuration, None);
        settings::<ImageOptions>(configuration, None);
        for (name, kind) in configuration.targets() {
            match kind {
                TargetKind::Lambda => settings::<LambdaOptions>(configuration, Some(name)),
                TargetKind::Layer => settings::<LayerOptions>(configuration, Some(name)),
                TargetKind::Image => settings::<ImageOptions>(configuration, Some(name)),
            }
        }
    }
    true
}

/// Resolves the settings of a target, or of a build without one.
fn settings<O: TargetOptions>(configuration: &ProjectConfiguration, target: Option<&str>) {
    let environment = Environment::new(Variables::default(), None, None, SystemTime::UNIX_EPOCH);
    let resolved = configuration.resolve(target, &O::default(), &environment);
    show(&resolved);
    let (project, target) = (PathBuf::from("/project"), target.map(str::to_owned));
    let invocation = Invocation {
        project,
        target,
        configured: ConfiguredFiles::default(),
        apt_flags: Vec::new(),
        cache: CacheChoice::Temporary,
        environment,
    };
    drop(resolved.map(|resolved| resolved.settings::<O>(&invocation).map_err(|error| error.to_string())));
}

/// Reads a requirement, and evaluates its marker.
fn requirement(text: &str) {
    let requirement: Result<Requirement, _> = text.parse();
    show(&requirement);
    if let Some(marker) = requirement.ok().and_then(|requirement| requirement.marker) {
        let environment = MarkerEnvironment::new(&PYTHON.patch_release(0), Architecture::X86_64);
        marker.evaluate(&environment, &ActiveExtras::default());
        let shown = marker.to_string();
        assert_eq!(shown.parse().as_ref(), Ok(&marker), "{shown}");
    }
}

/// Formats an error and its hints.
fn show<T, E: Hints + ToString>(result: &Result<T, E>) {
    if let Err(error) = result {
        drop((error.to_string(), error.hints()));
    }
}
