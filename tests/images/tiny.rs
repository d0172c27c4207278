//! Base images that are made byte by byte, so that their digests are the same everywhere.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::artifact::sha256;

/// A base image with one small layer for each of its architectures.
#[derive(Clone)]
pub struct Tiny {
    /// The paths of the layer's files, relative to the root. Each holds its own path.
    files: Vec<String>,
    /// What else the layer has.
    members: Vec<Member>,
    /// The property `config` of the configuration.
    execution: Value,
    /// The architectures by their OCI names.
    architectures: Vec<String>,
    is_compressed: bool,
    /// How often the layer is there.
    layers: usize,
}

impl Tiny {
    /// Makes a base for both architectures whose layer has these files.
    pub fn with_files(files: &[&str]) -> Self {
        Self {
            files: files.iter().map(ToString::to_string).collect(),
            members: Vec::new(),
            execution: json!({ "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"] }),
            architectures: ["amd64", "arm64"].map(str::to_owned).to_vec(),
            is_compressed: true,
            layers: 1,
        }
    }

    /// Makes the base that tests use where nothing else matters: Python 3.12, which only the layer tells.
    pub fn python() -> Self {
        Self::with_files(&["usr/local/bin/python3.12"])
    }

    /// Adds members to the layer.
    pub fn members(self, members: &[Member]) -> Self {
        Self { members: members.to_vec(), ..self }
    }

    /// Replaces the property `config` of the configuration.
    pub fn execution(self, execution: Value) -> Self {
        Self { execution, ..self }
    }

    /// Replaces the architectures.
    pub fn architectures(self, architectures: &[&str]) -> Self {
        Self { architectures: architectures.iter().map(ToString::to_string).collect(), ..self }
    }

    /// Leaves the layer uncompressed.
    pub fn uncompressed(self) -> Self {
        Self { is_compressed: false, ..self }
    }

    /// Has the layer so many times.
    pub fn layers(self, layers: usize) -> Self {
        Self { layers, ..self }
    }

    /// Writes the base as a layout, and returns it as `--base` takes it. One architecture is an image, several are an
    /// index.
    pub fn write(&self, layout: &Path) -> String {
        let blobs = layout.join("blobs/sha256");
        fs::create_dir_all(&blobs).unwrap();
        let manifests: Vec<Value> =
            self.architectures.iter().map(|architecture| self.image(&blobs, architecture)).collect();
        let top = match &manifests[..] {
            [only] => only.clone(),
            several => {
                let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": several });
                blob(&blobs, INDEX, index.to_string().as_bytes())
            }
        };
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [top] });
        fs::write(layout.join("index.json"), index.to_string()).unwrap();
        fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        format!("oci:{}", layout.display())
    }

    /// Writes the image for an architecture, and returns its descriptor.
    fn image(&self, blobs: &Path, architecture: &str) -> Value {
        let tar = self.tar(architecture);
        let layer = match self.is_compressed {
            true => blob(blobs, "application/vnd.oci.image.layer.v1.tar+gzip", &stored_gzip(&tar)),
            false => blob(blobs, "application/vnd.oci.image.layer.v1.tar", &tar),
        };
        let layers = vec![layer; self.layers];
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": self.execution,
            "rootfs": { "type": "layers", "diff_ids": vec![format!("sha256:{}", sha256(&tar)); self.layers] },
            "history": vec![json!({ "created_by": "by hand" }); self.layers],
        });
        let config = blob(blobs, "application/vnd.oci.image.config.v1+json", config.to_string().as_bytes());
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
        let mut descriptor = blob(blobs, MANIFEST, manifest.to_string().as_bytes());
        descriptor["platform"] = json!({ "architecture": architecture, "os": "linux" });
        descriptor
    }

    fn tar(&self, architecture: &str) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for path in &self.files {
            let content = format!("{path} for {architecture}\n");
            let mut header = tar::Header::new_ustar();
            header.set_mode(0o755);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, path, content.as_bytes()).unwrap();
        }
        for (path, mode, owner, content) in &self.members {
            let mut header = tar::Header::new_ustar();
            header.set_mode(*mode);
            header.set_uid(*owner);
            header.set_gid(*owner);
            header.set_mtime(0);
            header.set_size(0);
            match content {
                Content::Folder => {
                    header.set_entry_type(tar::EntryType::Directory);
                    archive.append_data(&mut header, path, std::io::empty()).unwrap();
                }
                Content::Link(target) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    archive.append_link(&mut header, path, target).unwrap();
                }
                Content::Text(text) => {
                    header.set_size(text.len() as u64);
                    archive.append_data(&mut header, path, text.as_bytes()).unwrap();
                }
            }
        }
        archive.into_inner().unwrap()
    }
}

/// A member of a layer: its path, its mode, its owner, which is its group's number, too, and what it is.
pub type Member = (&'static str, u32, u64, Content);

/// What a member is.
#[derive(Clone)]
pub enum Content {
    /// A folder.
    Folder,
    /// A symbolic link, and where it leads.
    Link(&'static str),
    /// A file with a text.
    Text(&'static str),
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Writes a blob, and returns its descriptor.
fn blob(blobs: &Path, media_type: &str, bytes: &[u8]) -> Value {
    let digest = sha256(bytes);
    fs::write(blobs.join(&digest), bytes).unwrap();
    json!({ "mediaType": media_type, "digest": format!("sha256:{digest}"), "size": bytes.len() })
}

/// Returns a gzip member whose one block is stored (RFC 1951, section 3.2.4), so that no compressor has a say in it.
fn stored_gzip(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    let mut member = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x01".to_vec();
    member.extend(length.to_le_bytes());
    member.extend((!length).to_le_bytes());
    member.extend(bytes);
    member.extend(crc32fast::hash(bytes).to_le_bytes());
    member.extend(u32::from(length).to_le_bytes());
    member
}

/// Converts a base to another form with skopeo, and returns it as `--base` takes it.
pub fn converted(base: &str, form: &str, path: PathBuf) -> String {
    let converted = format!("{form}:{}", path.display());
    let mut skopeo = std::process::Command::new("skopeo");
    // An archive of Docker's names its image.
    let name = if form == "docker-archive" { ":base:1" } else { "" };
    skopeo.args(["--insecure-policy", "copy", "--quiet", base, &format!("{converted}{name}")]);
    crate::support::command::succeed(&mut skopeo);
    converted
}
