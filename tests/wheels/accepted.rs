//! Unusual but valid wheels.

use pybundle::digest::Sha256;
use pybundle::tree::{ExtentFormat, FileMode};
use pybundle::wheel::{SchemePart, WheelInventory, WheelReading};

use super::forge::{Entry, Forge, extra, record_row};
use super::{read_forged, read_whole};

fn paths(inventory: &WheelInventory) -> Vec<&str> {
    inventory.files.iter().map(|file| file.path.as_str()).collect()
}

const DEMO: [&str; 4] = ["demo-1.0.dist-info/METADATA", "demo-1.0.dist-info/WHEEL", "demo/a.py", "demo/b.py"];

#[test]
fn an_ordinary_wheel() {
    let bytes = Forge::demo().bytes();
    let WheelReading { inventory, extents } = read_whole(&bytes).unwrap();
    assert_eq!(paths(&inventory), DEMO);
    assert_eq!((inventory.name.as_str(), inventory.dist_info.as_str()), ("demo", "demo-1.0.dist-info"));
    assert!(inventory.root_is_purelib && inventory.entry_points.is_empty());

    let stored = &inventory.files[3];
    let extent = &extents[3];
    assert_eq!(stored.size, extent.size);
    assert_eq!(
        (stored.part, stored.mode, extent.format),
        (SchemePart::Library, FileMode::REGULAR, ExtentFormat::Stored)
    );
    assert_eq!(&bytes[extent.offset as usize..][..extent.size as usize], b"b = 1\n");
    assert_eq!((extent.sha256, extent.crc32), (Sha256::of(b"b = 1\n"), crc32fast::hash(b"b = 1\n")));
}

#[test]
fn an_inventory_is_serialized_and_deserialized() {
    let reading = read_whole(&Forge::demo().bytes()).unwrap();
    let kept = postcard::to_stdvec(&reading).unwrap();
    assert_eq!(postcard::from_bytes::<WheelReading>(&kept).unwrap(), reading);
}

#[test]
fn every_kind_of_data_descriptor() {
    let honest = read_whole(&Forge::demo().bytes()).unwrap();
    for (is_signed, is_wide) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut forge = Forge::demo();
        for entry in &mut forge.entries {
            if is_wide {
                entry.add_descriptor(is_signed, true);
                entry.local.extra = super::forge::zip64_extra(&[0, 0]);
            } else {
                entry.add_descriptor(is_signed, false);
            }
        }
        let WheelReading { inventory, extents } = read_whole(&forge.bytes()).unwrap();
        assert_eq!(paths(&inventory), DEMO);
        assert_eq!(extents[2].sha256, honest.extents[2].sha256);
    }
}

#[test]
fn zip64_where_it_is_not_needed() {
    let mut forge = Forge { zip64: Some(Vec::new()), ..Forge::demo() };
    forge.entries.iter_mut().for_each(Entry::widen);
    assert_eq!(paths(&read_forged(&forge).unwrap()), DEMO);
}

#[test]
fn comments_directories_and_harmless_extra_fields() {
    let mut forge = Forge { comment: b"made by hand".to_vec(), ..Forge::demo() };
    forge.entries.insert(0, Entry::folder("demo/"));
    forge.entries.insert(1, Entry { mode: 0, ..Entry::new("demo-1.0.data/", b"") });
    // Times, and the same name again.
    forge.entries[2].central.extra = extra(0x5455, &[0; 5]);
    forge.entries[2].local.extra = extra(0x7075, b"\x01\0\0\0\0demo/a.py");
    assert_eq!(paths(&read_forged(&forge).unwrap()), DEMO);
}

#[test]
fn modes_are_reduced_to_the_executable_bit() {
    for (system, mode, expected) in [
        (3, 0o100_600, FileMode::REGULAR),
        (3, 0o100_664, FileMode::REGULAR),
        (3, 0o100_777, FileMode::EXECUTABLE),
        (3, 0o000_755, FileMode::EXECUTABLE),
        (3, 0, FileMode::REGULAR),
        (0, 0o100_755, FileMode::REGULAR),
    ] {
        let mut forge = Forge::demo();
        (forge.entries[0].system, forge.entries[0].mode) = (system, mode);
        assert_eq!(read_forged(&forge).unwrap().files[2].mode, expected, "{system} {mode:o}");
    }
}

#[test]
fn records_with_other_digests_and_spellings() {
    let mut forge = Forge::demo();
    let row = record_row("demo/b.py", b"b = 1\n");
    let digest = {
        use base64::Engine as _;
        use sha2::Digest as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(sha2::Sha512::digest(b"b = 1\n"))
    };
    forge.set_record(|record| {
        assert!(record.contains(&row));
        record.replace(&row, &format!("./demo/b.py,sha512={digest},6\r\n"))
    });
    assert_eq!(paths(&read_forged(&forge).unwrap()), DEMO);
    forge.set_record(|record| {
        record.replace("./demo/b.py,", "\"/demo/b.py\",").replace(&digest, &format!("{digest}=="))
    });
    assert_eq!(paths(&read_forged(&forge).unwrap()), DEMO);
}

/// Signatures, which RECORD does not list, and files that other installers write are not installed.
#[test]
fn files_that_are_not_installed() {
    let dist_info = |name: &str| format!("demo-1.0.dist-info/{name}");
    let (installer, requested, url) = (dist_info("INSTALLER"), dist_info("REQUESTED"), dist_info("direct_url.json"));
    let mut forge = Forge::wheel(&[("demo/a.py", b""), (&installer, b"x"), (&requested, b""), (&url, b"{}")]);
    forge.entries.push(Entry::new(&dist_info("RECORD.jws"), b"{}"));
    forge.entries.push(Entry::new(&dist_info("RECORD.p7s"), b"{}"));
    assert_eq!(paths(&read_forged(&forge).unwrap()), &DEMO[..3]);
}

#[test]
fn names_that_are_utf8() {
    let name = "demo/\u{e4}\u{1f308}.py";
    let mut forge = Forge::wheel(&[(name, b"")]);
    forge.entries[0].both(|header| header.flags = 1 << 11);
    assert_eq!(paths(&read_forged(&forge).unwrap())[2], name);
}

#[test]
fn wheels_of_a_later_minor_version() {
    let wheel = "demo-1.0.dist-info/WHEEL";
    let forge = Forge::wheel(&[("a.pth", b""), (wheel, b"Wheel-Version: 1.7\nRoot-Is-Purelib: False\n")]);
    let inventory = read_forged(&forge).unwrap();
    assert!(!inventory.root_is_purelib && paths(&inventory).contains(&"a.pth"));
}
