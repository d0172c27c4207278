use oci_spec::image::MediaType;
use serde_json::json;

use super::*;
use crate::image::Blob;
use crate::image::BlobContent;
use crate::platform::Architecture::X86_64;

fn base(env: &[&str]) -> Base {
    let config = json!({
        "os": "linux",
        "architecture": "amd64",
        "config": { "Env": env },
        "rootfs": { "type": "layers", "diff_ids": [] },
    });
    let config = Blob::of_bytes(MediaType::ImageConfig, config.to_string().into_bytes());
    let BlobContent::Bytes(bytes) = &config.content else { unreachable!("it was made of bytes") };
    let descriptor = crate::image::manifest::descriptor(&config);
    let manifest = json!({ "schemaVersion": 2, "config": descriptor, "layers": [] }).to_string();
    Base::from_manifest(manifest.as_bytes(), bytes, X86_64, |_| unreachable!("there is no layer")).unwrap()
}

#[test]
fn official_images_state_their_python() {
    let path = "PATH=/usr/local/bin:/usr/local/sbin:/usr/bin";
    for (version, minor) in [("3.12.7", 12), ("3.15.0a2", 15)] {
        let expected = BasePython {
            version: PythonVersion::new(minor),
            full_version: Some(version.to_owned()),
            path: format!("/usr/local/bin/python3.{minor}"),
            executable: format!("/usr/local/bin/python3.{minor}"),
        };
        assert_eq!(from_config(&base(&[path, &format!("PYTHON_VERSION={version}")])), Some(expected));
    }
    for env in [
        &[path][..],
        &["PYTHON_VERSION=3.12.7"],
        &[path, "PYTHON_VERSION=3"],
        &[path, "PYTHON_VERSION=3.12"],
        &[path, "PYTHON_VERSION=2.7.18"],
        &[path, "PYTHON_VERSION=latest"],
        &["PATH=/opt/bitnami/python/bin:/usr/bin", "PYTHON_VERSION=3.12.7"],
    ] {
        assert_eq!(from_config(&base(env)), None, "{env:?}");
    }
}

#[test]
fn path_decides_among_several() {
    let [system, local, other] =
        ["/usr/bin/python3.12", "/usr/local/bin/python3.12", "/opt/bin/python3.13"].map(|path| {
            let version = path.rsplit_once("python").unwrap().1.parse().unwrap();
            BasePython { version, full_version: None, path: path.to_owned(), executable: path.to_owned() }
        });
    let found = [other.clone(), system.clone(), local.clone()];
    let [eleven, twelve, thirteen] = [11, 12, 13].map(PythonVersion::new);
    assert_eq!(choose(&found, None, twelve), Ok(local.clone()));
    assert_eq!(choose(&found, Some("/usr/bin:/usr/local/bin"), twelve), Ok(system.clone()));
    assert_eq!(choose(&found, Some("/opt/bin::/usr/local/bin/:/usr/bin"), twelve), Ok(local.clone()));
    assert_eq!(choose(&found, None, thirteen), Ok(other.clone()));

    let ambiguous = choose(&found, Some("/opt/bin"), twelve).unwrap_err();
    let message = "the base has several interpreters of Python 3.12, none of them on its PATH: /usr/bin/python3.12, /usr/local/bin/python3.12";
    assert_eq!(ambiguous.to_string(), message);
    let mismatch = choose(&found, None, eleven).unwrap_err();
    assert_eq!(mismatch.to_string(), "the base has Python 3.12 and 3.13, but the target is Python 3.11");
    let absent = choose(&[], None, eleven).unwrap_err();
    assert!(absent.to_string().starts_with("the base has no Python"), "{absent}");
    for error in [ambiguous, mismatch, absent] {
        assert_eq!(error.hints().len(), 1);
    }
}

/// As in images of uv: the interpreter of a version directory, a link to that directory, and links to the executable.
#[test]
fn links_to_one_interpreter_are_one() {
    let version = PythonVersion::new(13);
    let executable = "/root/.local/share/uv/python/cpython-3.13.1-linux-x86_64-gnu/bin/python3.13";
    let paths = [executable, "/root/.local/bin/python3.13", "/opt/bin/python3.13"];
    let found = paths.map(|path| BasePython {
        version,
        full_version: None,
        path: path.to_owned(),
        executable: executable.to_owned(),
    });
    assert_eq!(choose(&found, None, version), Ok(found[0].clone()));
    assert_eq!(choose(&found, Some("/opt/bin:/usr/bin"), version), Ok(found[2].clone()));
    assert!(choose(&found[1..], None, version).is_err());
}
