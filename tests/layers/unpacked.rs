//! Real wheels as layers, unpacked by GNU tar and by Python.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use pybundle::archive::layer::LayerTree;
use pybundle::platform::Scheme;
use pybundle::tree::{FileAccess, FileContent, FileOrigin, TreeEntry, TreePath};
use pybundle::wheel::{InstallChanges, install};

use super::{run, wheels, written};

/// The modification time of everything in a layer: 1980-01-01T00:00:00Z.
const TIME: i64 = 315_532_800;

/// Returns a tree as images have it: wheels in a virtual environment, links, and an application's files.
fn tree(application: &Path) -> LayerTree {
    let mut tree = LayerTree::default();
    let scheme = Scheme {
        site_packages: "app/.venv/lib/python3.12/site-packages".to_owned(),
        scripts: "app/.venv/bin".to_owned(),
        headers: "app/.venv/include".to_owned(),
        data: "app/.venv".to_owned(),
    };
    for pin in ["numpy==2.5.5", "tzdata==2026.6", "entrypoints==0.2.3", "ninja==1.13.2"] {
        let wheel = wheels::read_wheel(&wheels::download(pin));
        for (path, entry) in install(&wheel, &InstallChanges::default(), &scheme, "/app/.venv/bin/python").unwrap() {
            tree.files.insert(path, entry).unwrap();
        }
    }
    let model = application.join("model.bin");
    fs::write(&model, (0..300_000_u32).flat_map(|number| (number * 31 / 7).to_le_bytes()).collect::<Vec<_>>()).unwrap();
    let size = fs::metadata(&model).unwrap().len();
    let deep = format!("app/{}/{}.py", ["folder"; 40].join("/"), "n".repeat(90));
    for (path, access, content) in [
        ("app/model.bin", FileAccess::FILE, FileContent::File { path: model, size }),
        ("app/run.sh", FileAccess::EXECUTABLE, FileContent::Bytes(b"#!/bin/sh\n".as_slice().into())),
        ("app/gr\u{fc}n \u{1f40d}.py", FileAccess::FILE, FileContent::Bytes(b"".as_slice().into())),
        (&deep, FileAccess::FILE, FileContent::Bytes(b"x = 1\n".as_slice().into())),
    ] {
        tree.files
            .insert(TreePath::new(path).unwrap(), TreeEntry { access, content, origin: FileOrigin::Application })
            .unwrap();
    }
    for (path, target) in [("app/.venv/bin/python", "/usr/local/bin/python3.12"), ("app/.venv/lib64", "lib")] {
        tree.links.insert(TreePath::new(path).unwrap(), target.to_owned());
    }
    tree
}

/// Returns everything below a directory: what each is, its permissions, and its content or what it points at.
fn list(directory: &Path, prefix: &str, found: &mut BTreeMap<String, (char, u32, Vec<u8>)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        let metadata = fs::symlink_metadata(&path).unwrap();
        // Not every reader sets the time of a link.
        assert!(metadata.is_symlink() || metadata.mtime() == TIME, "{name}");
        let mode = metadata.permissions().mode() & 0o7777;
        let seen = if metadata.is_symlink() {
            ('l', 0o777, fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes())
        } else if metadata.is_dir() {
            list(&path, &format!("{name}/"), found);
            ('d', mode, Vec::new())
        } else {
            ('f', mode, fs::read(&path).unwrap())
        };
        found.insert(name, seen);
    }
}

/// Returns what should be found.
fn expected(tree: &LayerTree) -> BTreeMap<String, (char, u32, Vec<u8>)> {
    let mut expected = BTreeMap::new();
    for path in tree.files.iter().map(|(path, _)| path).chain(tree.links.keys()) {
        expected.extend(path.parents().map(|parent| (parent.to_owned(), ('d', 0o755, Vec::new()))));
    }
    for (path, entry) in tree.files.iter() {
        let content = entry.content.read(u64::MAX).unwrap();
        expected.insert(path.to_string(), ('f', entry.access.mode.permissions(), content));
    }
    for (path, target) in &tree.links {
        expected.insert(path.to_string(), ('l', 0o777, target.clone().into_bytes()));
    }
    expected
}

#[test]
fn a_layer_of_real_wheels_is_unpacked_as_its_tree() {
    let directory = tempfile::tempdir().unwrap();
    let tree = tree(directory.path());
    let (member, tar) = written(&tree);
    let (layer, plain) = (directory.path().join("layer.tar.gz"), directory.path().join("layer.tar"));
    fs::write(&layer, &member).unwrap();
    fs::write(&plain, tar).unwrap();
    run(Command::new("gzip").arg("-t").arg(&layer));
    assert_members(&plain);

    let expected = expected(&tree);
    let gnu_tar = |target: &Path| {
        run(Command::new("tar")
            .args(["--extract", "--gzip", "--same-permissions", "--file"])
            .arg(&layer)
            .arg("--directory")
            .arg(target))
    };
    // As a stream, which reads member after member and never turns back.
    let script = "import sys, tarfile
with tarfile.open(sys.argv[1], 'r|gz') as archive:
    archive.extractall(sys.argv[2])";
    let python = |target: &Path| run(Command::new("python3").args(["-c", script]).arg(&layer).arg(target));
    for (reader, unpack) in [("GNU tar", &gnu_tar as &dyn Fn(&Path) -> Vec<u8>), ("tarfile", &python)] {
        let target = tempfile::tempdir().unwrap();
        unpack(target.path());
        let mut found = BTreeMap::new();
        list(target.path(), "", &mut found);
        let names = |map: &BTreeMap<String, _>| map.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&found), names(&expected), "{reader}");
        for (name, seen) in &found {
            assert!(*seen == expected[name], "{reader}: {name}");
        }
    }

    // No larger than what gzip makes of the same tar, but for a few hundredths.
    let gzipped = run(Command::new("gzip").args(["-6", "--stdout"]).arg(&plain)).len();
    assert!(member.len() < gzipped + gzipped / 20, "{} and {gzipped}", member.len());
}

/// Asserts that the headers name no user and no host, and that each directory comes once, before what is in it.
fn assert_members(tar: &Path) {
    let script = "import sys, tarfile
seen = set()
for member in tarfile.open(sys.argv[1]):
    assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, '', ''), member
    assert member.mtime == 315532800 and member.devmajor == member.devminor == 0, member
    assert member.isfile() or member.isdir() or member.issym(), member
    assert member.name not in seen and not member.name.startswith(('.', '/')), member
    assert '/' not in member.name or member.name.rpartition('/')[0] in seen, member
    seen.add(member.name)
assert len(seen) > 1000";
    run(Command::new("python3").args(["-c", script]).arg(tar));
}
