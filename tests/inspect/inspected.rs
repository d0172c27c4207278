//! `pybundle inspect`: the contents of an artifact.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::artifacts::{artifacts, inspected};
use crate::support::artifact::leaves_of_zip;
use crate::support::command::{fail, pybundle, succeed};

fn total(rows: &Value, field: &str) -> u64 {
    rows.as_array().unwrap().iter().map(|row| row[field].as_u64().unwrap()).sum()
}

fn row<'a>(report: &'a Value, name: &str) -> &'a Value {
    let mut rows = report["contents"].as_array().unwrap().iter();
    rows.find(|row| row["name"] == name || row["kind"] == name).unwrap_or_else(|| panic!("there is no {name}"))
}

#[test]
fn sizes_sum_up_to_the_artifact() {
    let artifacts = artifacts();
    for artifact in
        [artifacts.zip(), artifacts.function(), artifacts.image(), artifacts.zstd(), artifacts.docker_archive()]
    {
        let report = inspected(&artifact, &["--files"]);
        let size = report["size"].as_u64().unwrap();
        for rows in ["contents", "largest"] {
            assert_eq!(
                total(&report[rows], "compressed_size") + report["overhead"].as_u64().unwrap(),
                size,
                "{artifact}"
            );
            assert_eq!(total(&report[rows], "size"), report["uncompressed_size"].as_u64().unwrap(), "{artifact}");
        }
        assert_eq!(total(&report["contents"], "files"), report["files"].as_u64().unwrap());
        assert_eq!(report["largest"].as_array().unwrap().len() as u64, report["files"].as_u64().unwrap());
        if report["kind"] == "image" {
            // Each layer's files take what the layer takes.
            let layers = report["layers"].as_array().unwrap();
            for (index, layer) in layers.iter().enumerate() {
                let files = report["largest"].as_array().unwrap().iter().filter(|file| file["layer"] == index);
                let sum: u64 = files.map(|file| file["compressed_size"].as_u64().unwrap()).sum();
                assert_eq!(sum, layer["size"].as_u64().unwrap(), "layer {index} of {artifact}");
            }
            // Only the documents are left.
            assert!(report["overhead"].as_u64().unwrap() < 20_000);
        } else {
            assert_eq!(size, fs::metadata(&artifact).unwrap().len());
        }
    }
}

#[test]
fn every_file_is_counted_to_its_distribution() {
    let artifacts = artifacts();
    for (artifact, prefix, scripts) in [
        (artifacts.zip(), "", "bin/"),
        (artifacts.image(), "app/.venv/lib/python3.12/site-packages/", "app/.venv/bin/"),
    ] {
        let report = inspected(&artifact, &["--files"]);
        let owners: BTreeMap<&str, &str> = report["largest"]
            .as_array()
            .unwrap()
            .iter()
            .map(|file| (file["path"].as_str().unwrap(), file["owner"].as_str().unwrap()))
            .collect();
        let mut numpy = 0;
        for (path, owner) in &owners {
            let is_numpy = ["numpy/", "numpy.libs/", "numpy-2.1.3.dist-info/"]
                .iter()
                .any(|directory| path.starts_with(&format!("{prefix}{directory}")));
            let is_script = [format!("{scripts}f2py"), format!("{scripts}numpy-config")].contains(&path.to_string());
            assert_eq!(*owner == "numpy 2.1.3", is_numpy || is_script, "{path} is of {owner}");
            numpy += u64::from(*owner == "numpy 2.1.3");
        }
        assert_eq!(row(&report, "numpy")["files"], numpy);
        assert!(numpy > 500, "{numpy}");
        // A script of a `.data` directory, and data files.
        assert_eq!(owners[format!("{scripts}jp.py").as_str()], "jmespath 1.0.1");
        let data: Vec<_> = owners.iter().filter(|(path, _)| path.contains("share/jupyter/labextensions/")).collect();
        assert!(data.len() > 3 && data.iter().all(|(_, owner)| **owner == "jupyterlab-widgets 3.0.13"), "{data:?}");
        assert_eq!(owners.iter().find(|(path, _)| path.ends_with("app.py")).unwrap().1, &"application");
    }
}

#[test]
fn what_an_independent_reader_finds_is_listed() {
    let zip = artifacts().zip();
    let report = inspected(&zip, &["--files"]);
    let mut archive = zip::ZipArchive::new(fs::File::open(&zip).unwrap()).unwrap();
    let leaves = leaves_of_zip(zip.as_ref());
    let files = report["largest"].as_array().unwrap();
    assert_eq!(files.len(), leaves.len());
    for file in files {
        let path = file["path"].as_str().unwrap();
        let entry = archive.by_name(path).unwrap();
        assert_eq!(
            (file["size"].as_u64(), file["compressed_size"].as_u64()),
            (Some(entry.size()), Some(entry.compressed_size()))
        );
        assert_eq!(file["digest"], format!("sha256:{}", leaves[path].sha256));
        assert_eq!(file["mode"], if leaves[path].executable { "0755" } else { "0644" });
    }
    let sizes: Vec<u64> = files.iter().map(|file| file["compressed_size"].as_u64().unwrap()).collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b), "the largest first");
}

#[test]
fn an_image_says_how_it_starts_and_which_layers_are_its_own() {
    let report = inspected(&artifacts().image(), &[]);
    assert_eq!(report["image"]["command"], serde_json::json!(["python", "-m", "app"]));
    assert_eq!(report["image"]["labels"]["org.opencontainers.image.title"], "science");
    assert!(report["image"]["env"].as_array().unwrap().iter().any(|variable| variable == "VIRTUAL_ENV=/app/.venv"));
    let parts: Vec<&str> =
        report["layers"].as_array().unwrap().iter().map(|layer| layer["part"].as_str().unwrap()).collect();
    assert_eq!(parts[..2], ["base", "base"]);
    assert!(parts[2..].iter().all(|part| *part == "own") && parts.len() >= 5, "{parts:?}");
    assert!(row(&report, "base")["size"].as_u64().unwrap() > 20_000_000);

    // A platform of an index, by its name.
    let index = artifacts().index();
    for platform in ["linux/amd64", "linux/arm64"] {
        let report = inspected(&index, &["--platform", platform]);
        assert_eq!(report["image"]["platform"].as_str().unwrap().trim_end_matches("/v8"), platform);
        assert_eq!(report["image"]["platforms"].as_array().unwrap().len(), 2);
    }
    let said = fail(&mut pybundle(&["inspect", &index, "--platform=linux/s390x"]));
    assert!(said.contains("there is no image for linux/s390x; available: linux/amd64, linux/arm64"), "{said}");
}

#[test]
fn the_table_fits_the_terminal_and_a_screen() {
    for (artifact, width) in
        [(artifacts().zip(), 80), (artifacts().image(), 80), (artifacts().image(), 60), (artifacts().zip(), 140)]
    {
        let printed = succeed(pybundle(&["inspect", &artifact]).env("COLUMNS", width.to_string()));
        let table: Vec<&str> = printed.lines().skip_while(|line| !line.is_empty()).collect();
        for line in &table {
            assert!(line.chars().count() <= width, "{line} has more than {width} characters");
        }
        assert!(printed.lines().count() <= 24, "{printed}");
        assert!(table.iter().any(|line| line.contains("numpy 2.1.3") && line.contains(" MiB")), "{printed}");
        if width == 60 {
            assert!(table.iter().any(|line| line.contains('…') && line.contains("-ff651d7f.so")), "{printed}");
        }
    }
    let all = succeed(&mut pybundle(&["inspect", &artifacts().zip(), "--files"]));
    assert!(all.lines().count() > 1400 && all.contains("app.py"), "{}", all.lines().count());
}

#[test]
fn a_layer_is_told_from_a_function_and_other_files_from_both() {
    let artifacts = artifacts();
    let function = artifacts.function();
    assert_eq!(inspected(&function, &[])["kind"], "function");
    let layer = artifacts.path("small-layer.zip");
    assert_eq!(inspected(layer.to_str().unwrap(), &[])["kind"], "layer");
    for (name, expected) in [
        ("nowhere.zip", "`nowhere.zip` does not exist"),
        ("dist/nowhere", "`dist/nowhere` does not exist"),
        ("Cargo.toml", "Cargo.toml"),
        ("oci:nowhere", "nowhere"),
        ("127.0.0.1:9/no/where:1", "127.0.0.1:9"),
    ] {
        let said = fail(pybundle(&["inspect", name]).current_dir(env!("CARGO_MANIFEST_DIR")));
        assert!(said.contains(expected), "{said}");
    }
    let said = fail(&mut pybundle(&["inspect", &function, "--platform=linux/amd64"]));
    assert!(said.contains("is a zip, which has no platforms"), "{said}");
}
