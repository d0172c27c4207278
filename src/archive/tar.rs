//! Tar headers: those of layers and those of image archives.
//!
//! Every member has the same time, and an owner with numbers and no names: root, unless the tree says otherwise. A
//! header is plain ustar wherever that suffices, so that the oldest reader understands it. A pax header precedes it for a
//! path or a link target that does not fit, a size past 8 GiB, an owner past 2097151, and a name that is not ASCII:
//! ustar does not define the encoding of its fields, pax says UTF-8.
//!
//! Specification: [POSIX.1-2017, pax](https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html), "ustar
//! Interchange Format" and "pax Header Block".

use tar::{EntryType, Header};

use super::EPOCH;
use crate::tree::FileAccess;

/// The size of a block, in bytes. Headers and contents fill whole blocks.
pub(crate) const BLOCK: usize = 512;

/// The largest size that the eleven octal digits of a header hold.
const LARGEST_SIZE: u64 = 0o777_7777_7777;

/// The largest user or group ID that the seven octal digits of a header hold.
const LARGEST_ID: u32 = 0o777_7777;

static ZEROS: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// The archive that a header is for. The two differ in fields that no reader looks at, and stay as they are: a changed
/// header changes the digest of every layer, or of every image archive, that was ever written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TarFormat {
    Layer,
    /// An OCI or Docker archive.
    ImageArchive,
}

impl TarFormat {
    /// Returns the name of a pax header, which no reader shows.
    fn pax_name(self) -> &'static str {
        match self {
            Self::Layer => "PaxHeader",
            Self::ImageArchive => "pax",
        }
    }
}

/// What a header describes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TarMember<'a> {
    Directory(FileAccess),
    /// A regular file of `size` bytes, which follow.
    File {
        access: FileAccess,
        size: u64,
    },
    /// A symbolic link, with its target.
    Link(&'a str),
    /// Another name of a file before it in the archive, with its path.
    HardLink {
        access: FileAccess,
        target: &'a str,
    },
}

/// The key of a pax record with the capabilities of a file (capabilities(7), file capabilities). GNU tar, libarchive and
/// container runtimes read extended attributes with this prefix.
const CAPABILITY: &str = "SCHILY.xattr.security.capability";

/// Appends the header blocks of a member to `blocks`. The path of a directory has no trailing slash.
pub(crate) fn append_header(format: TarFormat, path: &str, member: TarMember<'_>, blocks: &mut Vec<u8>) {
    append_header_with(format, path, member, None, blocks);
}

/// As [`append_header`], with the capabilities of the file as the kernel stores them.
pub(crate) fn append_header_with(
    format: TarFormat,
    path: &str,
    member: TarMember<'_>,
    capability: Option<&[u8]>,
    blocks: &mut Vec<u8>,
) {
    let (entry_type, access, size, target) = match member {
        TarMember::Directory(access) => (EntryType::Directory, access, 0, ""),
        TarMember::File { access, size } => (EntryType::Regular, access, size, ""),
        TarMember::Link(target) => (EntryType::Symlink, FileAccess::root(0o777.into()), 0, target),
        TarMember::HardLink { access, target } => (EntryType::Link, access, 0, target),
    };
    let slash = if entry_type == EntryType::Directory { "/" } else { "" };
    let path = format!("{path}{slash}");
    let mut header = header(format, entry_type, access.mode.permissions());

    let mut records = Vec::new();
    match split(&path) {
        Some((prefix, name)) if path.is_ascii() => set_name(&mut header, prefix, name),
        _ => {
            append_record("path", path.as_bytes(), &mut records);
            set_name(&mut header, "", &legacy(&path));
        }
    }
    if target.is_ascii() && target.len() <= header.as_old().linkname.len() {
        set(&mut header.as_old_mut().linkname, target);
    } else {
        append_record("linkpath", target.as_bytes(), &mut records);
        set(&mut header.as_old_mut().linkname, &legacy(target));
    }
    if size <= LARGEST_SIZE {
        header.set_size(size);
    } else {
        append_record("size", size.to_string().as_bytes(), &mut records);
    }
    let FileAccess { owner, .. } = access;
    match owner.uid {
        uid @ 0..=LARGEST_ID => header.set_uid(uid.into()),
        uid => append_record("uid", uid.to_string().as_bytes(), &mut records),
    }
    match owner.gid {
        gid @ 0..=LARGEST_ID => header.set_gid(gid.into()),
        gid => append_record("gid", gid.to_string().as_bytes(), &mut records),
    }

    if let Some(capability) = capability {
        append_record(CAPABILITY, capability, &mut records);
    }

    if !records.is_empty() {
        append_pax(format, &records, blocks);
    }
    header.set_cksum();
    blocks.extend_from_slice(header.as_bytes());
}

/// Returns the zeros that fill the last block of `size` bytes of content.
pub(crate) fn padding(size: u64) -> &'static [u8] {
    let filled = (size % BLOCK as u64) as usize;
    if filled == 0 { &[] } else { &ZEROS[..BLOCK - filled] }
}

/// Returns the two blocks of zeros that end an archive.
pub(crate) fn end() -> &'static [u8] {
    &ZEROS
}

/// Returns a header owned by root, with an empty name, size 0 and no checksum.
fn header(format: TarFormat, entry_type: EntryType, mode: u32) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(entry_type);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header.set_mtime(EPOCH);
    if format == TarFormat::Layer
        && let Some(ustar) = header.as_ustar_mut()
    {
        ustar.set_device_major(0);
        ustar.set_device_minor(0);
    }
    header
}

/// Splits a path at a slash into the fields `prefix` and `name`. Returns `None` if they cannot hold it.
fn split(path: &str) -> Option<(&str, &str)> {
    const NAME: usize = 100;
    const PREFIX: usize = 155;
    if path.len() <= NAME {
        return Some(("", path));
    }
    // The first slash after which the rest fits; nothing follows the slash that ends a directory's name.
    let (at, _) = path.match_indices('/').find(|(at, _)| path.len() - at - 1 <= NAME)?;
    let (prefix, name) = (&path[..at], &path[at + 1..]);
    (prefix.len() <= PREFIX && !prefix.is_empty() && !name.is_empty()).then_some((prefix, name))
}

/// Sets the name, and the prefix that a slash joins it to.
fn set_name(header: &mut Header, prefix: &str, name: &str) {
    set(&mut header.as_old_mut().name, name);
    if let Some(ustar) = header.as_ustar_mut() {
        set(&mut ustar.prefix, prefix);
    }
}

/// Fills a field from its beginning, and truncates what does not fit.
fn set(field: &mut [u8], text: &str) {
    field.iter_mut().zip(text.bytes()).for_each(|(field, byte)| *field = byte);
}

/// Returns the path that a reader without pax support sees.
fn legacy(path: &str) -> String {
    path.chars().map(|character| if character.is_ascii() { character } else { '_' }).collect()
}

/// Appends a pax header with these records.
fn append_pax(format: TarFormat, records: &[u8], blocks: &mut Vec<u8>) {
    let mut header = header(format, EntryType::XHeader, 0o644);
    set_name(&mut header, "", format.pax_name());
    header.set_size(records.len() as u64);
    header.set_cksum();
    blocks.extend_from_slice(header.as_bytes());
    blocks.extend_from_slice(records);
    blocks.extend_from_slice(padding(records.len() as u64));
}

/// Appends a record: its length, which counts itself, then the key and the value.
fn append_record(key: &str, value: &[u8], records: &mut Vec<u8>) {
    let rest = format!(" {key}=").len() + value.len() + 1;
    let mut length = rest;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} {key}=").as_bytes());
    records.extend_from_slice(value);
    records.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::FileOwner;

    fn blocks(path: &str, kind: TarMember<'_>) -> Vec<u8> {
        let mut blocks = Vec::new();
        append_header(TarFormat::Layer, path, kind, &mut blocks);
        assert!(blocks.len().is_multiple_of(BLOCK));
        blocks
    }

    const FILE: TarMember<'static> = TarMember::File { access: FileAccess::FILE, size: 0 };

    /// One header where ustar suffices, and a pax header before it elsewhere.
    #[test]
    fn pax_headers_are_written_only_where_they_are_needed() {
        let (n, p) = ("n".repeat(100), "p".repeat(155));
        let directories = ["f"; 200].join("/");
        for (path, kind, expected) in [
            (n.as_str(), FILE, 1),
            (&format!("{p}/{n}"), FILE, 1),
            (&p[..99], TarMember::Directory(FileAccess::DIRECTORY), 1),
            (&format!("{p}/{}", &n[1..]), TarMember::Directory(FileAccess::DIRECTORY), 1),
            ("l", TarMember::Link(&n), 1),
            (&directories[..255], FILE, 1),
            ("f", TarMember::File { access: FileAccess::FILE, size: LARGEST_SIZE }, 1),
            (&format!("{n}n"), FILE, 3),
            (&format!("{p}/{n}n"), FILE, 3),
            (&format!("{p}p/{n}"), FILE, 3),
            (&n, TarMember::Directory(FileAccess::DIRECTORY), 3),
            (&format!("{p}/{n}"), TarMember::Directory(FileAccess::DIRECTORY), 3),
            (&directories, FILE, 3),
            ("l", TarMember::Link(&p), 3),
            ("gr\u{fc}n", FILE, 3),
            ("l", TarMember::Link("gr\u{fc}n"), 3),
            ("f", TarMember::File { access: FileAccess::FILE, size: LARGEST_SIZE + 1 }, 3),
        ] {
            assert_eq!(blocks(path, kind).len(), expected * BLOCK, "{path} {kind:?}");
        }
    }

    /// Each field is where the ustar interchange format has it.
    #[test]
    fn a_header_is_ustar() {
        let blocks =
            blocks(&format!("{}/a.sh", "p".repeat(98)), TarMember::File { access: FileAccess::EXECUTABLE, size: 8 });
        let header = String::from_utf8(blocks).unwrap();
        assert_eq!((&header[0..5], &header[345..443]), ("a.sh\0", "p".repeat(98).as_str()));
        assert_eq!(&header[100..124], "0000755\u{0}0000000\u{0}0000000\u{0}");
        assert_eq!(&header[124..148], "00000000010\u{0}02263523000\u{0}");
        assert_eq!((&header[156..157], &header[257..265]), ("0", "ustar\u{0}00"));
        assert_eq!(&header[265..345], format!("{}0000000\u{0}0000000\u{0}", "\u{0}".repeat(64)));
        let sum: u32 = header
            .bytes()
            .enumerate()
            .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(byte) })
            .sum();
        assert_eq!(u32::from_str_radix(header[148..155].trim_end_matches(['\0', ' ']), 8), Ok(sum));
    }

    /// IDs that do not fit their field are in the pax header, where readers look first.
    #[test]
    fn owners_are_numbers_without_names() {
        for (uid, gid, expected) in [(0, 0, 1), (1000, 50, 1), (LARGEST_ID, LARGEST_ID, 1), (LARGEST_ID + 1, 0, 3)] {
            let access = FileAccess { mode: 0o640.into(), owner: FileOwner { uid, gid } };
            for kind in [TarMember::File { access, size: 0 }, TarMember::Directory(access)] {
                let blocks = blocks("conf", kind);
                assert_eq!(blocks.len(), expected * BLOCK);
                let header = Header::from_byte_slice(&blocks[blocks.len() - BLOCK..]);
                assert_eq!((header.mode().unwrap(), header.gid().unwrap()), (0o640, u64::from(gid)));
                assert_eq!((header.username_bytes(), header.groupname_bytes()), (Some(&b""[..]), Some(&b""[..])));
                let actual = match expected {
                    1 => header.uid().unwrap(),
                    _ => String::from_utf8_lossy(&blocks[BLOCK..]).split("uid=").nth(1).unwrap()[..7].parse().unwrap(),
                };
                assert_eq!(actual, u64::from(uid));
            }
        }
    }

    #[test]
    fn a_size_past_the_field_is_in_the_pax_header() {
        let size = LARGEST_SIZE + 1;
        let blocks = blocks("model.bin", TarMember::File { access: FileAccess::FILE, size });
        let mut archive = tar::Archive::new(blocks.as_slice());
        let entry = archive.entries().unwrap().next().unwrap().unwrap();
        assert_eq!((entry.size(), entry.path_bytes().as_ref()), (size, &b"model.bin"[..]));
    }

    /// The length counts its own digits, also where that adds one.
    #[test]
    fn records_count_themselves() {
        for (length, expected) in
            [(1, "9 path=n\n"), (2, "11 "), (90, "99 "), (91, "101 "), (989, "999 "), (990, "1001 ")]
        {
            let mut record = Vec::new();
            append_record("path", "n".repeat(length).as_bytes(), &mut record);
            let record = String::from_utf8(record).unwrap();
            assert!(record.starts_with(expected), "{record}");
            assert_eq!(record.split(' ').next().unwrap().parse(), Ok(record.len()));
        }
    }
}
