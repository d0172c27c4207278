use oci_spec::image::MediaType;
use tar::{EntryType, Header};

use super::*;
use crate::image::search::LayerSearch;

fn layer(entries: &[(&str, &[u8])], links: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, bytes) in entries {
        let mut header = Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o640);
        builder.append_data(&mut header, path, *bytes).unwrap();
    }
    for (path, target) in links {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Symlink);
        header.set_size(0);
        builder.append_link(&mut header, path, target).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn the_package_database_is_read_from_the_highest_layer_that_has_it() {
    let upper = layer(&[("var/lib/dpkg/status", b"upper"), ("var/lib/dpkg/info/.wh.old.list", b"")], &[]);
    let lower = layer(
        &[
            ("usr/lib/os-release", b"ID=debian\n"),
            ("var/lib/dpkg/status", b"lower"),
            ("var/lib/dpkg/info/old.list", b"/."),
            ("var/lib/dpkg/info/tini.list", b"/."),
            ("var/lib/dpkg/info/tini.md5sums", b""),
            ("var/lib/dpkg-cross/status", b""),
            ("usr/bin/tini", b"program"),
        ],
        &[("etc/os-release", "../usr/lib/os-release")],
    );
    let mut search = LayerSearch::of_system();
    for tar in [upper, lower] {
        search.in_layer(&MediaType::ImageLayer, tar.as_slice()).unwrap();
    }
    let system = search.into_system().unwrap();
    assert_eq!(system.text("var/lib/dpkg/status").unwrap().bytes, b"upper");
    assert_eq!(system.text("etc/os-release").unwrap().bytes, b"ID=debian\n");
    assert_eq!(system.text("usr/bin/tini"), None);
    let info: Vec<&str> = system.texts_below("var/lib/dpkg/info").map(|(path, _)| path).collect();
    assert_eq!(info, ["var/lib/dpkg/info/tini.list", "var/lib/dpkg/info/tini.md5sums"]);
    assert!(system.files().contains("usr/bin/tini"));
}

/// The C library of this machine is a shared library with a name and an ABI note, on each that the tests run on.
#[cfg(target_os = "linux")]
#[test]
fn a_library_has_a_name() {
    let paths = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib/aarch64-linux-gnu/libc.so.6", "/lib64/libc.so.6"];
    let libc = paths.iter().find_map(|path| std::fs::read(path).ok()).unwrap();
    let mut search = LayerSearch::of_system();
    let tar = layer(
        &[("usr/lib/libc.so.6", &libc), ("usr/lib/libm.so.6", b"GROUP ( /lib/libm.so.6 )"), ("usr/bin/libc", &libc)],
        &[],
    );
    search.in_layer(&MediaType::ImageLayer, tar.as_slice()).unwrap();
    let system = search.into_system().unwrap();
    let (path, library) = system.libraries().next().unwrap();
    assert_eq!((path, system.libraries().count()), ("usr/lib/libc.so.6", 1));
    assert_eq!(library.soname.as_deref(), Some("libc.so.6"));
    assert!(library.is_64_bit && library.abi_tag.is_some(), "{library:?}");
    for end in (0..libc.len()).step_by(libc.len() / 200) {
        SharedLibrary::read(&libc[..end]);
    }
}
