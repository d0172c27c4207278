use std::io;

use oci_spec::image::MediaType;
use tar::EntryType;

use super::*;
use crate::image::search::LayerSearch;

/// An entry of a layer: its path, its type, its mode, its owner, and the target of a link.
type Entry<'a> = (&'a str, EntryType, u32, u64, &'a str);

const FILE: EntryType = EntryType::Regular;
const DIRECTORY: EntryType = EntryType::Directory;
const LINK: EntryType = EntryType::Symlink;

fn layer(entries: &[Entry]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, kind, mode, owner, target) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        header.set_uid(*owner);
        header.set_gid(*owner);
        header.set_size(0);
        if !target.is_empty() && *kind != FILE {
            builder.append_link(&mut header, path, target).unwrap();
        } else if *kind == FILE {
            header.set_size(target.len() as u64);
            builder.append_data(&mut header, path, target.as_bytes()).unwrap();
        } else {
            builder.append_data(&mut header, path, io::empty()).unwrap();
        }
    }
    builder.into_inner().unwrap()
}

/// Returns the file system of layers, highest first.
fn files(layers: &[&[Entry]]) -> FileSystem {
    let mut search = LayerSearch::default();
    for entries in layers {
        search.in_layer(&MediaType::ImageLayer, layer(entries).as_slice()).unwrap();
    }
    search.file_system().unwrap().clone()
}

/// A base like Debian's, whose `/bin` is a link.
const DEBIAN: &[Entry] = &[
    ("./", DIRECTORY, 0o755, 0, ""),
    ("./bin", LINK, 0o777, 0, "usr/bin"),
    ("./etc/", DIRECTORY, 0o755, 0, ""),
    ("./etc/passwd", FILE, 0o644, 0, "root:x:0:0:root:/root:/bin/bash\n"),
    ("./etc/shadow", FILE, 0o640, 42, "root:*:::::::\n"),
    ("./root/", DIRECTORY, 0o700, 0, ""),
    ("./tmp/", DIRECTORY, 0o1777, 0, ""),
    ("./usr/", DIRECTORY, 0o755, 0, ""),
    ("./usr/bin/", DIRECTORY, 0o755, 0, ""),
    ("./usr/bin/dash", FILE, 0o755, 0, ""),
    ("./usr/bin/sh", LINK, 0o777, 0, "dash"),
    ("./usr/bin/notes", FILE, 0o644, 0, ""),
    ("./usr/bin/hard", EntryType::Link, 0o755, 0, "usr/bin/dash"),
    ("./usr/bin/lost", LINK, 0o777, 0, "/nowhere"),
    ("./usr/bin/round", LINK, 0o777, 0, "round"),
    ("./var/", DIRECTORY, 0o755, 0, ""),
    ("./var/run", LINK, 0o777, 0, "../run"),
    ("./run/", DIRECTORY, 0o755, 0, ""),
    ("./srv/data/", DIRECTORY, 0o750, 33, ""),
];

#[test]
fn paths_are_resolved_through_links() {
    let files = files(&[DEBIAN]);
    for (path, resolved, end) in [
        ("bin/x", "usr/bin/x", "usr/bin/x"),
        ("/bin/sh", "usr/bin/sh", "usr/bin/dash"),
        ("bin", "bin", "usr/bin"),
        ("var/run/app/pid", "run/app/pid", "run/app/pid"),
        ("/usr/../bin/./sh", "usr/bin/sh", "usr/bin/dash"),
        ("../../etc", "etc", "etc"),
        ("", "", ""),
    ] {
        assert_eq!(files.resolve(path, false).as_deref(), Some(resolved), "{path}");
        assert_eq!(files.resolve(path, true).as_deref(), Some(end), "{path}");
    }
    assert_eq!(files.resolve("usr/bin/round", true), None);
    assert_eq!(files.resolve("usr/bin/round/x", false), None);
}

#[test]
fn executables_have_an_execute_bit() {
    let files = files(&[DEBIAN]);
    for (path, is_program) in [
        ("/bin/sh", true),
        ("/usr/bin/dash", true),
        ("/usr/bin/hard", true),
        ("/usr/bin/notes", false),
        ("/usr/bin/lost", false),
        ("/usr/bin/round", false),
        ("/usr/bin", false),
        ("/bin/bash", false),
    ] {
        assert_eq!(files.has_executable(path), is_program, "{path}");
    }
}

#[test]
fn directories_keep_their_access() {
    let files = files(&[DEBIAN]);
    for (path, access) in
        [("tmp", Some("1777 0:0")), ("srv/data", Some("0750 33:33")), ("usr", None), ("nowhere", None)]
    {
        let special = files.special_directory(path).map(|access| access.to_string());
        assert_eq!(special.as_deref(), access, "{path}");
    }
    assert!(
        files.is_directory("usr")
            && files.is_directory("")
            && !files.is_directory("bin")
            && !files.is_directory("usr/bin/sh")
    );
    assert!(files.is_link("bin") && !files.is_link("usr"));
}

#[test]
fn account_files_keep_their_content_and_owner() {
    let files = files(&[DEBIAN]);
    let (access, text) = files.account_file("etc/shadow").unwrap();
    assert_eq!((access.to_string().as_str(), text), ("0640 42:42", &b"root:*:::::::\n"[..]));
    assert!(files.account_file("etc/passwd").is_some() && files.account_file("etc/group").is_none());
}

#[test]
fn a_higher_layer_hides_what_is_below_it() {
    let above: &[Entry] = &[
        ("etc/passwd", FILE, 0o644, 0, "app:x:1:1::/:\n"),
        ("usr/bin/dash", FILE, 0o644, 0, ""),
        ("usr/bin/.wh.hard", FILE, 0o644, 0, ""),
        ("tmp", DIRECTORY, 0o755, 0, ""),
        ("srv", LINK, 0o777, 0, "/opt"),
        ("root/.wh..wh..opq", FILE, 0o644, 0, ""),
        ("root/run", FILE, 0o755, 0, ""),
    ];
    let files = files(&[above, DEBIAN]);
    assert_eq!(files.account_file("etc/passwd").unwrap().1, b"app:x:1:1::/:\n");
    for gone in ["/bin/sh", "/usr/bin/hard", "/usr/bin/.wh.hard"] {
        assert!(!files.has_executable(gone), "{gone}");
    }
    assert!(files.has_executable("/root/run"));
    assert_eq!(files.special_directory("tmp"), None);
    assert_eq!((files.special_directory("srv/data"), files.resolve("srv/x", false).as_deref()), (None, Some("opt/x")));
    let noted: FileSystem = serde_json::from_str(&serde_json::to_string(&files).unwrap()).unwrap();
    assert_eq!(noted, files);
}
