//! Images with exactly one problem, and some with two: each problem is found with its location.

use std::fs;

use serde_json::{Value, json};

use crate::artifacts::{artifacts, findings, verified};
use crate::layout::{Layout, edit_header, flip, header_of};
use crate::support::command::{pybundle, succeed};

/// Where the distributions of the small image are.
const SITE: &str = "app/.venv/lib/python3.12/site-packages";

/// Damages a copy of the small image, and asserts that verifying it finds this, each finding in its order by texts that it
/// contains.
fn found(damage: impl FnOnce(&Layout), expected: &[&[&str]]) {
    let layout = Layout::of(&artifacts().small_image());
    damage(&layout);
    found_in(&layout.name(), expected);
}

fn found_in(artifact: &str, expected: &[&[&str]]) {
    let (passed, report, said) = verified(artifact, &[]);
    let found = findings(&report);
    assert!(!passed && said.contains(&format!("failed: {} problem", expected.len())), "{said}{found:#?}");
    for (finding, texts) in found.iter().zip(expected) {
        for text in *texts {
            assert!(finding.contains(text), "{finding} does not say {text}");
        }
    }
}

/// The layers of the small image: the base's, the environment, the distributions, the application.
fn distributions(layout: &Layout) -> usize {
    layout.layers().len() - 2
}

#[test]
fn documents_that_are_not_what_is_said_of_them_are_found() {
    let name = |digest: &str| format!("blobs/sha256/{}", &digest[7..]);
    let layout = Layout::of(&artifacts().small_image());
    let (config, layer) = (layout.config(), layout.layers()[2].clone());
    found(|layout| flip(&layout.blob(&layout.config())), &[&["documents: ", &name(&config), "digest"]]);
    found(
        |layout| fs::remove_file(layout.blob(&layout.config())).unwrap(),
        &[&["documents: ", &name(&config), "missing"]],
    );
    found(
        |layout| fs::remove_file(layout.blob(&layout.layers()[2])).unwrap(),
        &[&["documents: ", &name(&layer), "missing"]],
    );
    found(
        |layout| {
            let path = layout.blob(&layout.layers()[2]);
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
        },
        &[&["documents: ", &name(&layer), "bytes"]],
    );
    // Both, not only the first.
    found(
        |layout| {
            flip(&layout.blob(&layout.config()));
            fs::remove_file(layout.blob(&layout.layers()[2])).unwrap();
        },
        &[&[&name(&config)], &[&name(&layer)]],
    );
    // Without the document that it begins with, there is nothing to list.
    let top = layout.top();
    flip(&layout.blob(&top));
    let run = pybundle(&["verify", &layout.name()]).output().unwrap();
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.code() == Some(1) && said.contains(&name(&top)), "{said}");
}

/// Readers skip the bytes between the members of an archive, so no digest covers them.
#[test]
fn changed_padding_of_an_archive_is_found() {
    for archive in [artifacts().oci_archive(), artifacts().docker_archive()] {
        let (format, path) = archive.split_once(':').unwrap();
        let intact = fs::read(path).unwrap();
        let mut gaps = Vec::new();
        for entry in tar::Archive::new(intact.as_slice()).entries().unwrap() {
            let entry = entry.unwrap();
            let end = (entry.raw_file_position() + entry.size()) as usize;
            gaps.extend(end..end.next_multiple_of(512));
        }
        let directory = tempfile::tempdir().unwrap();
        let copy = directory.path().join("copy.tar");
        let name = format!("{format}:{}", copy.display());
        for at in [gaps[0], gaps[gaps.len() / 2], gaps[gaps.len() - 1], intact.len() - 512, intact.len() - 1] {
            let mut damaged = intact.clone();
            damaged[at] = 1;
            fs::write(&copy, damaged).unwrap();
            found_in(&name, &[&["documents: ", &format!("`byte {at}` is padding, but not zero")]]);
        }
        fs::write(&copy, [&intact[..], &[0; 4096], b"hidden"].concat()).unwrap();
        let at = intact.len() + 4096;
        found_in(&name, &[&["documents: ", &format!("`byte {at}` is padding, but not zero")]]);
        fs::write(&copy, &intact).unwrap();
        assert!(verified(&name, &[]).0);
    }
}

#[test]
fn blobs_that_are_damaged_or_superfluous_are_found() {
    let layout = Layout::of(&artifacts().small_image());
    let layers = layout.layers();
    found(|layout| flip(&layout.blob(&layers[0])), &[&["blobs: ", &layers[0], "and the digest sha256:"]]);
    found(
        |layout| {
            flip(&layout.blob(&layers[1]));
            flip(&layout.blob(&layers[3]));
        },
        &[&[&layers[1]], &[&layers[3]]],
    );
    let stray = "0".repeat(64);
    found(|layout| fs::write(layout.blob(&stray), b"?").unwrap(), &[&["blobs: ", &stray, "nothing refers to it"]]);
}

#[test]
fn diff_ids_and_configurations_that_disagree_are_found() {
    let wrong = format!("sha256:{}", "1".repeat(64));
    found(
        |layout| layout.edit_config(|config| config["rootfs"]["diff_ids"][3] = wrong.clone().into()),
        &[&["diff IDs: sha256:", "but the image config states", &wrong]],
    );
    found(
        |layout| layout.edit_config(|config| drop(config["rootfs"]["diff_ids"].as_array_mut().unwrap().pop())),
        &[
            &["diff IDs: ", "the image config has no diff ID for it"],
            &["configuration: ", "the manifest has 4 layers, but the image config has 3 diff IDs"],
        ],
    );
    found(
        |layout| layout.edit_config(|config| config["rootfs"]["type"] = "snapshots".into()),
        &[&["configuration: ", "`rootfs.type` of the image config is not `layers`"]],
    );
    found(
        |layout| {
            layout.edit_config(|config| config["history"].as_array_mut().unwrap().push(json!({ "created_by": "x" })))
        },
        &[&["configuration: ", "the history has 5 entries with a layer, but the manifest has 4 layers"]],
    );
    found(
        |layout| layout.edit_config(|config| drop(config.as_object_mut().unwrap().remove("architecture"))),
        &[&["configuration: ", "the image config has no platform"]],
    );
    found(
        |layout| layout.edit_config(|config| config["history"] = json!("none")),
        &[&["configuration: ", "malformed"]],
    );
}

#[test]
fn layers_that_are_no_archives_are_found() {
    found(|layout| layout.replace_layer(3, b"no archive at all"), &[&["diff IDs: ", "it cannot be unpacked"]]);
    found(
        |layout| {
            let stored = fs::read(layout.blob(&layout.layers()[3])).unwrap();
            layout.replace_layer(3, &stored[..stored.len() / 2]);
        },
        &[&["diff IDs: ", "it cannot be unpacked"]],
    );
    found(
        |layout| layout.edit_layer(3, |tar| tar[..tar.len() - 3 * 512].to_vec()),
        &[&["diff IDs: ", "it cannot be unpacked"]],
    );
    found(
        |layout| layout.edit_manifest(|manifest| manifest["layers"][3]["mediaType"] = "application/x-what".into()),
        &[&["diff IDs: ", "`application/x-what` is not the media type of a layer"]],
    );
}

#[test]
fn own_layers_that_pybundle_would_not_have_written_are_found() {
    let file = &format!("{SITE}/idna/core.py");
    let edit = |edit: fn(&mut [u8]), expected: &str| {
        found(
            |layout| layout.edit_layer(distributions(layout), |tar| edit_header(tar, file, edit)),
            &[&["layers: ", file, expected]],
        );
    };
    edit(|header| header[100..108].copy_from_slice(b"0000600\0"), "its mode is 0600, not 0644 or 0755");
    edit(|header| header[108..116].copy_from_slice(b"0001750\0"), "its owner is 1000:0, not 0:0");
    edit(|header| header[116..124].copy_from_slice(b"0001750\0"), "its owner is 0:1000, not 0:0");
    edit(|header| header[136..148].copy_from_slice(b"14756471530\0"), "the time in its header");
    edit(|header| header[265..269].copy_from_slice(b"root"), "the owner's name in its header");
    found(
        |layout| {
            layout.edit_layer(distributions(layout), |tar| {
                edit_header(tar, file, |header| header[100..108].copy_from_slice(b"0004755\0"))
            });
        },
        &[&["layers: ", file, "which sets a special bit"], &["layers: ", file, "its mode is 4755, not 0644 or 0755"]],
    );
    // What follows a block of zeros is not there to readers, so the last file is missing.
    let last = format!("{SITE}/jmespath/visitor.py");
    found(
        |layout| {
            layout.edit_layer(distributions(layout), |mut tar| {
                let at = header_of(&tar, &last);
                tar[at..at + 512].fill(0);
                tar
            });
        },
        &[&["layers: ", "does not end with two blocks of zeros"], &["RECORD: ", &last, "it is missing"]],
    );
}

#[test]
fn members_in_another_order_and_directories_that_are_missing_are_found() {
    let swapped = [format!("{SITE}/idna/core.py"), format!("{SITE}/idna/codec.py")];
    found(
        |layout| {
            layout.edit_layer(distributions(layout), |tar| {
                let place = |path: &str| {
                    let start = header_of(&tar, path);
                    let header = tar::Header::from_byte_slice(&tar[start..start + 512]);
                    (start, start + 512 + header.size().unwrap().next_multiple_of(512) as usize)
                };
                let ((core, core_end), (codec, codec_end)) = (place(&swapped[0]), place(&swapped[1]));
                [&tar[..codec], &tar[core..core_end], &tar[codec_end..core], &tar[codec..codec_end], &tar[core_end..]]
                    .concat()
            });
        },
        &[&["layers: ", "it comes after", &swapped[0]], &["layers: ", &swapped[1], "it comes after"]],
    );
    let directory = format!("{SITE}/idna/");
    found(
        |layout| {
            layout.edit_layer(distributions(layout), |tar| {
                let start = header_of(&tar, &directory);
                [&tar[..start], &tar[start + 512..]].concat()
            });
        },
        &[&["layers: ", "its parent directories do not precede it exactly once"]],
    );
    found(
        |layout| layout.edit_layer(distributions(layout), |tar| [tar, vec![0; 1024]].concat()),
        &[&["layers: sha256:", "does not end with two blocks of zeros"]],
    );
    found(
        |layout| {
            layout.edit_layer(3, |tar| {
                let mut link = tar::Header::new_ustar();
                link.set_entry_type(tar::EntryType::Link);
                link.set_path("zz").unwrap();
                link.set_link_name("app/app.py").unwrap();
                link.set_size(0);
                link.set_cksum();
                [&tar[..tar.len() - 1024], link.as_bytes(), &tar[tar.len() - 1024..]].concat()
            });
        },
        &[&["layers: ", "zz: it is neither a file, a directory nor a symbolic link"]],
    );
}

#[test]
fn files_that_are_not_what_record_says_are_found() {
    let file = format!("{SITE}/idna/core.py");
    found(
        |layout| {
            layout.edit_layer(distributions(layout), |mut tar| {
                let at = header_of(&tar, &file) + 512;
                tar[at] ^= 1;
                tar
            });
        },
        &[&["RECORD: ", &file, "its digest differs from the one in", "idna-3.10.dist-info/RECORD"]],
    );
    // A whiteout in a higher layer removes it.
    found(
        |layout| {
            layout.edit_layer(3, |tar| {
                let mut whiteout = tar::Header::new_ustar();
                whiteout.set_path(format!("{SITE}/idna/.wh.core.py")).unwrap();
                whiteout.set_size(0);
                whiteout.set_cksum();
                [&tar[..tar.len() - 1024], whiteout.as_bytes(), &tar[tar.len() - 1024..]].concat()
            });
        },
        &[
            &["layers: ", "idna/.wh.core.py", "it is a whiteout, which removes files of lower layers"],
            &["RECORD: ", &file, "it is missing, but listed in"],
        ],
    );
}

#[test]
fn too_many_layers_are_found() {
    found(
        |layout| {
            let layers = layout.manifest()["layers"].clone();
            let base = layers[0].clone();
            let more = |list: &mut Value, item: Value| {
                let list = list.as_array_mut().unwrap();
                (0..124).for_each(|_| list.insert(0, item.clone()));
            };
            layout.edit_config(|config| {
                let diff_id = config["rootfs"]["diff_ids"][0].clone();
                more(&mut config["rootfs"]["diff_ids"], diff_id);
                more(&mut config["history"], json!({ "created_by": "again" }));
            });
            layout.edit_manifest(|manifest| more(&mut manifest["layers"], base));
        },
        &[&["limits: ", "it has 128 layers, more than the limit of 127"]],
    );
}

#[test]
fn an_index_with_a_wrong_or_missing_image_is_found() {
    let index = artifacts().index();
    let layout = Layout::of(&index);
    let children = layout.manifest()["manifests"].clone();
    let second = children[1]["digest"].as_str().unwrap();
    fs::remove_file(layout.blob(second)).unwrap();
    let (_, report, _) = verified(&layout.name(), &[]);
    let found = findings(&report);
    assert!(
        found.iter().any(|finding| finding.starts_with("documents: ") && finding.contains(&second[7..])),
        "{found:#?}"
    );

    let layout = Layout::of(&index);
    layout.edit_manifest(|manifest| manifest["manifests"][0]["platform"]["architecture"] = "s390x".into());
    found_in(&layout.name(), &[&["configuration: linux/s390x", "but the image config has linux/amd64"]]);
}

#[test]
fn archives_are_looked_into_as_layouts_are() {
    let artifacts = artifacts();
    let archive = artifacts.docker_archive();
    let path = archive.strip_prefix("docker-archive:").unwrap();
    let directory = tempfile::tempdir().unwrap();
    succeed(std::process::Command::new("tar").arg("-xf").arg(path).arg("-C").arg(directory.path()));
    let manifest = directory.path().join("manifest.json");
    let mut document: Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    let layers = document[0]["Layers"].as_array_mut().unwrap();
    layers.swap(2, 3);
    layers[3] = layers[0].clone();
    fs::write(&manifest, document.to_string()).unwrap();
    let damaged = directory.path().join("damaged.tar");
    let mut tar = std::process::Command::new("tar");
    tar.arg("-cf").arg(&damaged).args(["--exclude=damaged.tar", "-C"]).arg(directory.path());
    succeed(tar.args(["oci-layout", "index.json", "manifest.json", "blobs"]));
    let (passed, report, _) = verified(&format!("docker-archive:{}", damaged.display()), &[]);
    assert!(!passed && findings(&report)[0].contains("manifest.json"), "{:#?}", findings(&report));
}
