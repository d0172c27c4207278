//! Pulls with skopeo, an independent client.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::artifact::sha256;
use crate::support::command::succeed;

/// Runs skopeo.
pub fn skopeo(arguments: &[&str]) -> String {
    succeed(Command::new("skopeo").arg("--insecure-policy").args(arguments))
}

/// Returns the digest of what a reference names: of the bytes that the registry gives, and not of what it says.
pub fn digest(reference: &str) -> String {
    let bytes = skopeo(&["inspect", "--raw", "--tls-verify=false", &format!("docker://{reference}")]);
    format!("sha256:{}", sha256(bytes.as_bytes()))
}

/// Pulls an artifact with all its parts, unchanged, into a layout where it is tagged `pulled`.
pub fn pull(reference: &str, directory: &Path) -> PathBuf {
    let layout = directory.join("pulled");
    let destination = format!("oci:{}:pulled", layout.display());
    let options = ["copy", "--quiet", "--all", "--preserve-digests", "--src-tls-verify=false"];
    skopeo(&[&options[..], &[&format!("docker://{reference}"), &destination]].concat());
    layout
}
