use std::io::Write as _;

use super::*;

/// An entry of a layer: its path, its type, and the target of a link.
type Entry<'a> = (&'a str, EntryType, &'a str);

const FILE: EntryType = EntryType::Regular;
const LINK: EntryType = EntryType::Symlink;
const HARD: EntryType = EntryType::Link;
const DIRECTORY: EntryType = EntryType::Directory;

fn layer(entries: &[Entry]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, kind, target) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_size(0);
        if *kind == FILE {
            header.set_size(1000);
            builder.append_data(&mut header, path, &[b'x'; 1000][..]).unwrap();
        } else if target.is_empty() {
            builder.append_data(&mut header, path, io::empty()).unwrap();
        } else {
            builder.append_link(&mut header, path, target).unwrap();
        }
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Returns the paths of the interpreters in layers, highest first.
fn search(layers: &[Vec<u8>]) -> Vec<String> {
    let mut search = LayerSearch::default();
    for layer in layers {
        search.in_layer(&MediaType::ImageLayer, layer.as_slice()).unwrap();
    }
    search.pythons().into_iter().map(|python| python.path).collect()
}

#[test]
fn interpreters_are_files_and_links_in_a_directory_bin() {
    let found = search(&[layer(&[
        ("./", DIRECTORY, ""),
        ("./usr/bin/", DIRECTORY, ""),
        ("./usr/bin/python3.11", FILE, ""),
        ("usr/bin/python3", LINK, "python3.11"),
        ("usr/bin/python3.11-config", FILE, ""),
        ("usr/bin/python3.", FILE, ""),
        ("usr/bin/python3.011", FILE, ""),
        ("usr/bin/python3.100", FILE, ""),
        ("usr/bin/python2.7", FILE, ""),
        ("usr/bin/python3.9/", DIRECTORY, ""),
        ("usr/bin/python3.8", EntryType::Char, ""),
        ("usr/lib/libpython3.11.so", FILE, ""),
        ("usr/lib/python3.11/bin", FILE, ""),
        ("usr/sbin/python3.11", FILE, ""),
        ("usr/local/bin/python3.13", FILE, ""),
        ("opt/a/bin/python3.12", HARD, "usr/local/bin/python3.13"),
        ("bin/python3.10", LINK, "/opt/python"),
        ("python3.14", FILE, ""),
    ])]);
    assert_eq!(found, ["/bin/python3.10", "/opt/a/bin/python3.12", "/usr/bin/python3.11", "/usr/local/bin/python3.13"]);
}

#[test]
fn every_compression_is_read() {
    let tar = layer(&[("var/lang/bin/python3.13", FILE, ""), ("var/lang/lib/a", FILE, "")]);
    let (begin, end) = tar.split_at(700);
    let members = [gzip(begin), gzip(b""), gzip(end)].concat();
    let zstd_frames = [zstd::encode_all(begin, 3).unwrap(), zstd::encode_all(end, 19).unwrap()].concat();
    for (media_type, bytes) in [
        (MediaType::ImageLayer, tar.clone()),
        (MediaType::ImageLayerGzip, gzip(&tar)),
        (MediaType::ImageLayerGzip, members),
        (MediaType::ImageLayerZstd, zstd::encode_all(tar.as_slice(), 3).unwrap()),
        (MediaType::ImageLayerZstd, zstd_frames),
    ] {
        let mut search = LayerSearch::default();
        search.in_layer(&media_type, bytes.as_slice()).unwrap();
        assert_eq!(search.pythons()[0].path, "/var/lang/bin/python3.13", "{media_type}");
    }
    let other = LayerSearch::default().in_layer(&MediaType::ImageConfig, tar.as_slice()).unwrap_err();
    assert!(other.to_string().contains("is not the media type of a layer"));
}

#[test]
fn whiteouts_apply_to_lower_layers_only() {
    let lower = layer(&[("usr/bin/python3.11", FILE, ""), ("opt/bin/python3.12", FILE, "")]);
    let (opt, usr) = ("/opt/bin/python3.12", "/usr/bin/python3.11");
    for (upper, expected) in [
        (&[("usr/bin/.wh.python3.11", FILE, "")][..], &[opt][..]),
        (&[("usr/.wh.bin", FILE, "")], &[opt]),
        (&[(".wh.usr", FILE, "")], &[opt]),
        (&[("opt/bin/.wh..wh..opq", FILE, "")], &[usr]),
        (&[("./.wh..wh..opq", FILE, "")], &[]),
        (&[("opt/bin/.wh..wh..opq", FILE, ""), ("opt/bin/python3.13", FILE, "")], &["/opt/bin/python3.13", usr]),
        (&[("usr/bin/.wh.python3.11", FILE, ""), ("usr/bin/python3.11", FILE, "")], &[opt, usr]),
        (&[("usr/bin/.wh.python3.1", FILE, ""), ("us/.wh.r", FILE, ""), (".wh..wh.plnk", DIRECTORY, "")], &[opt, usr]),
    ] {
        assert_eq!(search(&[layer(upper), lower.clone()]), expected, "{upper:?}");
    }
    // What a layer hides stays hidden in all layers below.
    let hides = layer(&[(".wh.usr", FILE, "")]);
    assert_eq!(search(&[hides, layer(&[("etc/passwd", FILE, "")]), lower.clone()]), [opt]);
    // Nothing of a higher layer is hidden by a lower one.
    assert_eq!(search(&[lower, layer(&[(".wh.usr", FILE, "")])]), [opt, usr]);
}

#[test]
fn a_merged_usr_hides_the_old_directory() {
    let merged = layer(&[("bin", LINK, "usr/bin"), ("usr/bin/python3.11", FILE, "")]);
    assert_eq!(search(&[merged, layer(&[("bin/python3.11", FILE, "")])]), ["/usr/bin/python3.11"]);
}

#[test]
fn interpreters_of_virtual_environments_are_ignored() {
    let upper =
        layer(&[("app/.venv/bin/python3.12", LINK, "/usr/local/bin/python3.12"), ("app/.venv/pyvenv.cfg", FILE, "")]);
    assert_eq!(search(&[upper, layer(&[("usr/local/bin/python3.12", FILE, "")])]), ["/usr/local/bin/python3.12"]);
}

#[test]
fn free_threaded_interpreters_are_known_by_their_name_or_library() {
    let versions = |entries: &[(&str, tar::EntryType, &str)]| -> Vec<String> {
        let mut search = LayerSearch::default();
        search.in_layer(&oci_spec::image::MediaType::ImageLayer, &*layer(entries)).unwrap();
        search.pythons().iter().map(|python| format!("{} {}", python.path, python.version)).collect()
    };
    let library = ("usr/local/lib/python3.14t/os.py", FILE, "");
    let standard = ("usr/local/lib/python3.14/os.py", FILE, "");
    let own = ("usr/local/bin/python3.14t", FILE, "");
    let plain = ("usr/local/bin/python3.14", FILE, "");
    let linked = ("usr/local/bin/python3.14", LINK, "python3.14t");
    let both = ["/usr/local/bin/python3.14 3.14t", "/usr/local/bin/python3.14t 3.14t"];
    assert_eq!(versions(&[own, linked]), both);
    // A copy, or a hard link.
    assert_eq!(versions(&[own, plain, library]), both);
    let each = ["/usr/local/bin/python3.14 3.14", "/usr/local/bin/python3.14t 3.14t"];
    assert_eq!(versions(&[own, plain, library, standard]), each);
    assert_eq!(versions(&[plain, standard]), ["/usr/local/bin/python3.14 3.14"]);
}

#[test]
fn long_names_are_complete() {
    let directory = format!("{}/bin", ["cpython-3.12.7-linux-x86_64-gnu"; 5].join("/"));
    let path = format!("{directory}/python3.12");
    assert!(path.len() > 155);
    let gnu = layer(&[(&path, FILE, "")]);
    assert_eq!(search(&[gnu]), [format!("/{path}")]);
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_pax_extensions([("path", path.as_bytes()), ("size", b"600")]).unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(FILE);
    header.set_path("usr/bin/python3.9").unwrap();
    header.set_size(600);
    header.set_cksum();
    builder.append(&header, &[0; 600][..]).unwrap();
    assert_eq!(search(&[builder.into_inner().unwrap()]), [format!("/{path}")]);
}

#[test]
fn paths_outside_the_root_are_ignored() {
    for (begin, found) in [("..", &[][..]), ("/a", &["/a/bin/python3.12"]), ("./", &["/bin/python3.12"])] {
        let mut header = tar::Header::new_ustar();
        header.set_path("aa/bin/python3.12").unwrap();
        header.as_mut_bytes()[..2].copy_from_slice(begin.as_bytes());
        header.set_size(0);
        header.set_cksum();
        assert_eq!(search(&[header.as_bytes().to_vec()]), found);
    }
}

#[test]
fn damaged_layers_are_errors() {
    fn read(media_type: &MediaType, bytes: &[u8]) -> io::Result<()> {
        LayerSearch::default().in_layer(media_type, bytes)
    }

    let tar = layer(&[("usr/bin/python3.12", FILE, ""), ("usr/bin/python3", LINK, "python3.12")]);
    for (media_type, whole) in [
        (MediaType::ImageLayer, tar.clone()),
        (MediaType::ImageLayerGzip, gzip(&tar)),
        (MediaType::ImageLayerZstd, zstd::encode_all(tar.as_slice(), 3).unwrap()),
    ] {
        assert!(read(&media_type, b"<html>not found</html>").is_err(), "{media_type}");
        assert!(read(&media_type, &[b'x'; 5000]).is_err(), "{media_type}");
        assert!(read(&media_type, &whole[..whole.len() / 3]).is_err(), "{media_type}");
        for position in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[position] ^= 0x41;
            let _ = read(&media_type, &damaged);
            let _ = read(&media_type, &whole[..position]);
        }
    }
}

/// Returns a header for `size` bytes, followed by endless zeros.
fn endless(kind: EntryType, size: u64) -> impl Read {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_cksum();
    io::Cursor::new(header.as_bytes().to_vec()).chain(io::repeat(b'0'))
}

#[test]
fn the_size_of_headers_is_limited() {
    for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader] {
        let error = LayerSearch::default().in_layer(&MediaType::ImageLayer, endless(kind, u64::MAX >> 2)).unwrap_err();
        assert_eq!(error.to_string(), "the headers of an entry are too long", "{kind:?}");
    }
}

#[test]
fn large_files_are_skipped() {
    let size = 64 << 20;
    let mut header = tar::Header::new_gnu();
    header.set_path("usr/lib/large").unwrap();
    header.set_size(size);
    header.set_cksum();
    let large = io::Cursor::new(header.as_bytes().to_vec()).chain(io::repeat(0).take(size));
    let mut encoder =
        zstd::stream::read::Encoder::new(large.chain(io::Cursor::new(layer(&[("bin/python3.9", FILE, "")]))), 1)
            .unwrap();
    let mut bomb = Vec::new();
    encoder.read_to_end(&mut bomb).unwrap();
    assert!(bomb.len() < 100_000);
    let mut search = LayerSearch::default();
    search.in_layer(&MediaType::ImageLayerZstd, bomb.as_slice()).unwrap();
    assert_eq!(search.pythons()[0].path, "/bin/python3.9");
}

#[test]
fn memory_is_limited() {
    let long = "a".repeat(100);
    let names: Vec<_> = (0..200_000).map(|at| format!("{long}/.wh.{at}")).collect();
    let mut builder = tar::Builder::new(Vec::new());
    for name in &names {
        let mut header = tar::Header::new_ustar();
        header.set_path(name).unwrap();
        header.set_size(0);
        header.set_cksum();
        builder.append(&header, io::empty()).unwrap();
    }
    let tar = builder.into_inner().unwrap();
    let error = LayerSearch::default().in_layer(&MediaType::ImageLayer, tar.as_slice()).unwrap_err();
    assert!(error.to_string().contains("too many interpreters, libraries and whiteouts"), "{error}");
}

#[test]
fn libraries_are_recognized_by_name() {
    let mut search = LayerSearch::default();
    let upper = layer(&[("usr/lib/.wh.libssl.so.3", FILE, ""), ("opt/.wh..wh..opq", FILE, "")]);
    let lower = layer(&[
        ("usr/lib/libssl.so.3", FILE, ""),
        ("usr/lib/x86_64-linux-gnu/libz.so.1", LINK, "libz.so.1.2.13"),
        ("usr/lib/x86_64-linux-gnu/libz.so.1.2.13", FILE, ""),
        ("usr/lib/libstdc++.so.6.0.30", FILE, ""),
        ("usr/lib/libstdc++.so.6.0.30-gdb.py", FILE, ""),
        ("opt/lib/libown.so", FILE, ""),
        ("usr/local/lib/libown.so/", DIRECTORY, ""),
        ("usr/lib/python3.12/lib-dynload/_ssl.cpython-312.so", FILE, ""),
        ("lib/x86_64-linux-gnu/libc.so.6", FILE, ""),
    ]);
    for tar in [upper, lower] {
        search.in_layer(&MediaType::ImageLayer, tar.as_slice()).unwrap();
    }
    let found: Vec<_> = search.libraries().iter().map(String::as_str).collect();
    assert_eq!(found, ["libc.so.6", "libstdc++.so.6.0.30", "libz.so.1", "libz.so.1.2.13"]);
    assert_eq!(search.libstdcxx(), Some(Libstdcxx(30)));
    assert_eq!(search.libc(), Some(&[b'x'; 1000][..]));
}

#[test]
fn account_files_that_are_too_large_are_noted() {
    for (size, is_large) in [(1 << 20, false), ((1 << 20) + 1, true)] {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(size);
        builder.append_data(&mut header, "etc/passwd", io::repeat(b'\n').take(size)).unwrap();
        let mut search = LayerSearch::default();
        search.in_layer(&MediaType::ImageLayer, builder.into_inner().unwrap().as_slice()).unwrap();
        let files = search.file_system().unwrap();
        assert_eq!(files.is_large_account_file("etc/passwd"), is_large);
        assert_eq!(files.account_file("etc/passwd").is_some(), !is_large);
    }
}
