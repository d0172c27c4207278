//! Archives with one error each.

use super::forge::{DESCRIPTOR_FLAG, Entry, Forge, Header, extra, zip64_extra};
use super::{assert_refused, read_bytes, read_forged};

const A: &str = "demo/a.py";
const B: &str = "demo/b.py";

/// Asserts that the wheel is refused with one change.
#[track_caller]
fn refuses(entry: Option<&str>, reason: &str, change: impl Fn(&mut Forge)) {
    let mut forge = Forge::demo();
    change(&mut forge);
    assert_refused(read_forged(&forge), entry, reason);
}

/// Asserts that the wheel is refused with a change to its first entry, which is deflated.
#[track_caller]
fn refuses_a(reason: &str, change: impl Fn(&mut Entry)) {
    refuses(Some(A), reason, |forge| change(&mut forge.entries[0]));
}

/// Asserts that the wheel is refused with a change to its bytes.
#[track_caller]
fn refuses_bytes(entry: Option<&str>, reason: &str, forge: &Forge, change: impl Fn(&mut Vec<u8>)) {
    let mut bytes = forge.bytes();
    change(&mut bytes);
    assert_refused(read_bytes(&bytes), entry, reason);
}

/// Asserts that the wheel is refused with another name of the first entry, in both headers.
#[track_caller]
fn refuses_name(name: &str, reason: &str) {
    refuses(Some(name), reason, |forge| forge.entries[0].both(|header| header.name = name.into()));
}

#[test]
fn files_that_are_not_archives() {
    let forge = Forge::demo();
    refuses_bytes(None, "it is not a zip archive", &forge, Vec::clear);
    refuses_bytes(None, "it is not a zip archive", &forge, |bytes| *bytes = b"<html>not found</html>".repeat(9));
    refuses_bytes(None, "it is not a zip archive", &forge, |bytes| bytes.truncate(bytes.len() - 1));
    refuses_bytes(None, "it is not a zip archive", &forge, |bytes| bytes.truncate(bytes.len() / 2));
}

#[test]
fn bytes_that_belong_to_nothing() {
    refuses(None, "1 bytes follow the end of the archive", |forge| forge.suffix = vec![b'x']);
    refuses(None, "2 bytes follow the end of the archive", |forge| forge.suffix = vec![0, 0]);
    refuses(None, "4 bytes precede the first entry", |forge| forge.prefix = b"#!x\n".to_vec());
    refuses_bytes(None, "the central directory is declared at offset", &Forge::demo(), |bytes| {
        bytes.splice(0..0, *b"#!x\n");
    });
    refuses(Some(A), "3 bytes after it belong to no entry", |forge| forge.entries[0].after = b"gap".to_vec());
    refuses(Some("demo-1.0.dist-info/RECORD"), "3 bytes after it belong to no entry", |forge| {
        forge.entries.last_mut().unwrap().after = b"gap".to_vec();
    });
    refuses(Some(A), "bytes after it belong to no entry", |forge| forge.entries[1].is_listed = false);
}

#[test]
fn comments_that_hide_an_archive() {
    refuses(None, "the archive comment has control characters", |forge| forge.comment = Forge::demo().bytes());
    refuses(None, "the archive comment has control characters", |forge| forge.comment = b"a\x01".to_vec());
    refuses(None, "the archive comment has control characters", |forge| {
        forge.comment = [&b"PK\x05\x06"[..], &[0; 60]].concat();
    });
    let forge = Forge { comment: b"a comment".to_vec(), ..Forge::demo() };
    refuses_bytes(None, "should be 4 bytes longer", &forge, |bytes| bytes.truncate(bytes.len() - 4));
}

#[test]
fn wrong_end_records() {
    refuses(None, "the archive declares 4 entries, but has 5", |forge| forge.surplus = -1);
    refuses(None, "the archive declares 6 entries, but has 5", |forge| forge.surplus = 1);
    let end = |field: usize, value: u8| {
        move |bytes: &mut Vec<u8>| {
            let start = bytes.len() - 22;
            bytes[start + field] = bytes[start + field].wrapping_add(value);
        }
    };
    let forge = Forge::demo();
    refuses_bytes(None, "split over several disks", &forge, end(4, 1));
    refuses_bytes(None, "split over several disks", &forge, end(6, 1));
    refuses_bytes(None, "split over several disks", &forge, end(8, 1));
    refuses_bytes(None, "the central directory is declared at offset", &forge, end(12, 1));
    refuses_bytes(None, "the central directory is declared at offset", &forge, end(16, 1));
    refuses_bytes(None, "the central directory is invalid at byte", &forge, |bytes| {
        let start = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
        bytes[start] = b'X';
    });
    // The directory has one more byte, which belongs to the last entry.
    refuses_bytes(None, "the central directory is invalid at byte", &forge, |bytes| {
        end(12, 1)(bytes);
        end(16, 255)(bytes);
    });
}

#[test]
fn wrong_zip64_end_records() {
    refuses(None, "record has an extensible data sector", |forge| forge.zip64 = Some(b"sector".to_vec()));
    let forge = Forge { zip64: Some(Vec::new()), ..Forge::demo() };
    // The record has 56 bytes, its locator 20, the plain record 22.
    let at = |from_end: usize, value: u8| {
        move |bytes: &mut Vec<u8>| {
            let index = bytes.len() - from_end;
            bytes[index] = bytes[index].wrapping_add(value);
        }
    };
    refuses_bytes(None, "record is not where its locator says", &forge, at(42 - 8, 1));
    refuses_bytes(None, "record is not where its locator says", &forge, at(42 - 15, 1));
    refuses_bytes(None, "record is too short", &forge, at(98 - 4, 255));
    refuses_bytes(None, "split over several disks", &forge, at(42 - 16, 2));
    refuses_bytes(None, "split over several disks", &forge, at(98 - 16, 1));
    refuses_bytes(None, "split over several disks", &forge, at(98 - 24, 1));
    refuses_bytes(None, "the central directory is declared at offset", &forge, at(98 - 40, 1));
    refuses_bytes(None, "disagrees with the plain", &forge, |bytes| {
        let start = bytes.len() - 22;
        bytes[start + 8..start + 12].copy_from_slice(&[7, 0, 7, 0]);
    });
    refuses_bytes(None, "does not end where its locator begins", &forge, |bytes| {
        bytes.splice(bytes.len() - 42..bytes.len() - 42, *b"hole");
    });
}

#[test]
fn headers_that_disagree() {
    let disagree = |field: &str, change: fn(&mut Header)| {
        let reason = format!("the local header and the central directory disagree on its {field}");
        refuses_a(&reason, |entry| change(&mut entry.local));
    };
    disagree("name", |local| local.name = b"demo/c.py".to_vec());
    disagree("flags", |local| local.flags = 2);
    disagree("flags", |local| local.flags = DESCRIPTOR_FLAG);
    disagree("compression method", |local| local.method = 0);
    disagree("CRC-32", |local| local.crc32 ^= 1);
    disagree("CRC-32", |local| local.crc32 = 0);
    disagree("compressed size", |local| local.compressed_size += 1);
    disagree("size", |local| local.size -= 1);
    refuses(Some("demo/c.py"), "it has no local header at byte", |forge| {
        let mut entry = Entry::new("demo/c.py", b"");
        entry.is_written = false;
        forge.entries.push(entry);
    });
}

#[test]
fn wrong_data_descriptors() {
    refuses_a("its data descriptor is missing", |entry| {
        entry.add_descriptor(true, false);
        entry.after.clear();
    });
    refuses_a("its data descriptor is missing", |entry| {
        entry.add_descriptor(true, false);
        entry.after.truncate(10);
    });
    refuses_a("it has a data descriptor, but its flags do not announce one", |entry| {
        let honest = entry.clone();
        entry.add_descriptor(true, false);
        (entry.local, entry.central) = (honest.local, honest.central);
    });
    for (is_signed, is_wide) in [(true, false), (false, false)] {
        for (index, field) in [(0, "CRC-32"), (4, "compressed size"), (8, "size")] {
            let reason = format!("its data descriptor and the central directory disagree on its {field}");
            refuses_a(&reason, |entry| {
                entry.add_descriptor(is_signed, is_wide);
                entry.after[index + if is_signed { 4 } else { 0 }] ^= 1;
            });
        }
    }
    // 64-bit sizes where a reader expects 32-bit ones, and vice versa.
    refuses_a("8 bytes after it belong to no entry", |entry| entry.add_descriptor(true, true));
    refuses_a("its data descriptor is missing", |entry| {
        entry.add_descriptor(true, false);
        entry.widen();
    });
}

#[test]
fn entries_that_share_bytes() {
    refuses_a("it overlaps what follows by 100 bytes", |entry| {
        entry.both(|header| header.compressed_size += 100);
    });
    refuses(Some(A), "two entries have this name", |forge| forge.entries.push(forge.entries[0].clone()));
    // One local header, listed twice.
    refuses(Some(A), "it overlaps what follows", |forge| {
        let mut again = forge.entries[0].clone();
        again.is_written = false;
        forge.entries.insert(0, again);
    });
}

#[test]
fn names_that_are_not_paths() {
    refuses_name("", "it is empty");
    refuses_name("/demo/a.py", "it is absolute");
    refuses_name("../a.py", "the component `.` or `..`");
    refuses_name("demo/../../a.py", "the component `.` or `..`");
    refuses_name("./demo/a.py", "the component `.` or `..`");
    refuses_name("demo//a.py", "an empty component");
    refuses_name("demo\\a.py", "a backslash");
    refuses_name("C:demo/a.py", "a drive letter");
    refuses_name("demo/a\n.py", "a control character");
    refuses_name("demo/a.py\0.txt", "a control character");
    refuses_name("demo/a\u{7f}.py", "a control character");
    refuses_name("demo/\u{e4}.py", "neither ASCII nor marked as UTF-8");
    refuses(Some("demo/\u{202e}yp.py"), "an invisible or private character", |forge| {
        forge.entries[0].both(|header| (header.name, header.flags) = ("demo/\u{202e}yp.py".into(), 1 << 11));
    });
    refuses(Some("demo/\u{fffd}.py"), "it is not UTF-8", |forge| {
        forge.entries[0].both(|header| (header.name, header.flags) = (b"demo/\xff.py".to_vec(), 1 << 11));
    });
}

#[test]
fn entries_that_are_not_files() {
    refuses_a("it is a symbolic link", |entry| entry.mode = 0o120_777);
    refuses_a("it is a special file", |entry| entry.mode = 0o020_666);
    refuses_a("it is a special file", |entry| entry.mode = 0o010_666);
    refuses_a("it is a directory without a trailing slash", |entry| entry.mode = 0o040_755);
    refuses(Some("demo/c/"), "it is a directory, but has content", |forge| {
        forge.entries.push(Entry::new("demo/c/", b"content"));
    });
    refuses(Some("demo/a.py"), "it is both a file and a directory", |forge| {
        forge.entries.push(Entry::folder("demo/a.py/"));
    });
    refuses(Some("demo/a.py"), "it is both a file and a directory", |forge| {
        forge.entries.push(Entry::new("demo/a.py/b.py", b""));
    });
    refuses(Some("demo"), "two entries have this name", |forge| {
        forge.entries.extend([Entry::folder("demo/"), Entry::folder("demo/")]);
    });
}

#[test]
fn methods_and_flags_that_no_wheel_has() {
    refuses_a("it is compressed with bzip2 (method 12)", |entry| entry.both(|header| header.method = 12));
    refuses_a("it is compressed with the unknown method 99", |entry| entry.both(|header| header.method = 99));
    refuses_a("it is encrypted", |entry| entry.both(|header| header.flags = 1));
    refuses_a("it is encrypted", |entry| entry.both(|header| header.flags = 1 << 6));
    refuses_a("it is encrypted", |entry| entry.both(|header| header.flags = 1 << 13));
    refuses_a("it has unknown flags: 0x0020", |entry| entry.both(|header| header.flags = 1 << 5));
    refuses_a("split over several disks", |entry| entry.disk = 1);
}

#[test]
fn wrong_extra_fields() {
    refuses_a("its extra field is malformed", |entry| entry.central.extra = vec![1]);
    refuses_a("its extra field is malformed", |entry| entry.local.extra = vec![0x55, 0x54, 9, 0, 0]);
    refuses_a("gives it a different name", |entry| {
        entry.local.extra = extra(0x7075, b"\x01\0\0\0\0demo/evil.py");
    });
    refuses_a("gives it a different name", |entry| {
        entry.central.extra = extra(0x7075, b"\x01\0\0\0\0demo/evil.py");
    });
    refuses_a("has a duplicate field", |entry| entry.central.extra = zip64_extra(&[1]).repeat(2));
    refuses_a("longer than needed", |entry| entry.central.extra = zip64_extra(&[1]));
    refuses_a("longer than needed", |entry| entry.central.extra = zip64_extra(&[]));
    refuses_a("a zip64 field that is too short", |entry| {
        entry.widen();
        entry.central.extra = zip64_extra(&[35]);
    });
    refuses_a("does not consist of two sizes", |entry| {
        entry.widen();
        entry.local.extra = zip64_extra(&[35]);
    });
    refuses_a("disagrees with the local header", |entry| {
        entry.local.extra = zip64_extra(&[entry.local.size.into(), 1]);
    });
    refuses_a("disagree on its size", |entry| {
        entry.widen();
        entry.local.extra[4] ^= 1;
    });
}

#[test]
fn content_that_differs_from_the_headers() {
    refuses_a("its CRC-32 is", |entry| entry.both(|header| header.crc32 ^= 1));
    refuses(Some(B), "its CRC-32 is", |forge| forge.entries[1].data[0] ^= 1);
    refuses(Some(B), "it is stored, but its compressed size (6) differs from its size (7)", |forge| {
        forge.entries[1].both(|header| header.size = 7);
    });
    refuses_a("it inflates to more than the 34 bytes that its headers declare", |entry| {
        entry.both(|header| header.size = 34)
    });
    refuses_a("it inflates to 35 bytes, expected 36", |entry| entry.both(|header| header.size = 36));
    refuses_a("its deflate stream is invalid", |entry| entry.data[0] |= 0b110);
    refuses_a("its deflate stream is truncated", |entry| {
        entry.data.pop();
        entry.both(|header| header.compressed_size -= 1);
    });
    refuses_a("2 bytes follow its deflate stream", |entry| {
        entry.data.extend(b"xx");
        entry.both(|header| header.compressed_size += 2);
    });
    refuses_a("its deflate stream is truncated", |entry| {
        entry.data.clear();
        entry.both(|header| header.compressed_size = 0);
    });
}

/// Many zeros that are declared as ten bytes: reading stops after the first buffer.
#[test]
fn a_bomb_is_not_inflated() {
    refuses_a("it inflates to more than the 10 bytes that its headers declare", |entry| {
        *entry = Entry::new(A, &vec![0; 64 << 20]);
        entry.both(|header| header.size = 10);
    });
}
