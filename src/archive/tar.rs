//! The headers of a tar archive.
//!
//! Every member has owner and group 0 with no names, and one time. A header is ustar's alone wherever that can say what
//! is to be said, so that the oldest reader understands it. A pax header precedes it for a path or a link that does not
//! fit, for a size past 8 GiB, and for a name that is not ASCII: ustar leaves the encoding of its fields open, pax says
//! UTF-8.
//!
//! Specification: [POSIX.1-2017, pax](https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html), "ustar
//! Interchange Format" and "pax Header Block".

use tar::{EntryType, Header};

use crate::tree::Mode;

/// The size of a block. Headers and contents fill whole blocks.
const BLOCK: usize = 512;

/// 1980-01-01T00:00:00Z, the time that every member has: the first that a zip can name, so that both artifacts agree.
const TIME: u64 = 315_532_800;

/// The largest size that the eleven octal digits of a header can say.
const LARGEST_SIZE: u64 = 0o777_7777_7777;

/// The name of a pax header, which no reader shows.
const PAX_NAME: &str = "PaxHeader";

static ZEROS: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// What a member is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind<'a> {
    /// A folder.
    Folder,
    /// A regular file, whose bytes follow.
    File {
        /// Its permissions.
        mode: Mode,
        /// The number of its bytes.
        size: u64,
    },
    /// A symbolic link, with what it points at.
    Link(&'a str),
}

/// Appends the header blocks of a member to `blocks`. The path of a folder has no trailing slash.
pub(super) fn append_header(path: &str, kind: Kind<'_>, blocks: &mut Vec<u8>) {
    let (entry_type, mode, size, target) = match kind {
        Kind::Folder => (EntryType::Directory, 0o755, 0, ""),
        Kind::File { mode, size } => (EntryType::Regular, mode.permissions(), size, ""),
        Kind::Link(target) => (EntryType::Symlink, 0o777, 0, target),
    };
    let slash = if entry_type == EntryType::Directory { "/" } else { "" };
    let path = format!("{path}{slash}");
    let mut header = header(entry_type, mode);

    let mut records = Vec::new();
    match split(&path) {
        Some((prefix, name)) if path.is_ascii() => set_name(&mut header, prefix, name),
        _ => {
            append_record("path", &path, &mut records);
            set_name(&mut header, "", &legacy(&path));
        }
    }
    if target.is_ascii() && target.len() <= header.as_old().linkname.len() {
        set(&mut header.as_old_mut().linkname, target);
    } else {
        append_record("linkpath", target, &mut records);
        set(&mut header.as_old_mut().linkname, &legacy(target));
    }
    if size <= LARGEST_SIZE {
        header.set_size(size);
    } else {
        append_record("size", &size.to_string(), &mut records);
    }

    if !records.is_empty() {
        append_pax(&records, blocks);
    }
    header.set_cksum();
    blocks.extend_from_slice(header.as_bytes());
}

/// Returns the zeros that fill the last block of a content of `size` bytes.
pub(super) fn padding(size: u64) -> &'static [u8] {
    let filled = (size % BLOCK as u64) as usize;
    if filled == 0 { &[] } else { &ZEROS[..BLOCK - filled] }
}

/// Returns the two blocks of zeros that end an archive.
pub(super) fn end() -> &'static [u8] {
    &ZEROS
}

/// Returns a header with everything that members have in common, without name, size and checksum.
fn header(entry_type: EntryType, mode: u32) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(entry_type);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header.set_mtime(TIME);
    if let Some(ustar) = header.as_ustar_mut() {
        ustar.set_device_major(0);
        ustar.set_device_minor(0);
    }
    header
}

/// Splits a path at a slash into what the fields `prefix` and `name` hold; nothing if there is no such slash.
fn split(path: &str) -> Option<(&str, &str)> {
    const NAME: usize = 100;
    const PREFIX: usize = 155;
    if path.len() <= NAME {
        return Some(("", path));
    }
    // The first slash whose rest fits; the slash that ends a folder's name has no rest.
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

/// Fills a field from its beginning, as far as it goes.
fn set(field: &mut [u8], text: &str) {
    field.iter_mut().zip(text.bytes()).for_each(|(field, byte)| *field = byte);
}

/// Returns what a reader that knows no pax sees in place of a path.
fn legacy(path: &str) -> String {
    path.chars().map(|character| if character.is_ascii() { character } else { '_' }).collect()
}

/// Appends a pax header with these records.
fn append_pax(records: &[u8], blocks: &mut Vec<u8>) {
    let mut header = header(EntryType::XHeader, 0o644);
    set_name(&mut header, "", PAX_NAME);
    header.set_size(records.len() as u64);
    header.set_cksum();
    blocks.extend_from_slice(header.as_bytes());
    blocks.extend_from_slice(records);
    blocks.extend_from_slice(padding(records.len() as u64));
}

/// Appends a record: its length, which counts itself, then the key and the value.
fn append_record(key: &str, value: &str, records: &mut Vec<u8>) {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    records.extend_from_slice(length.to_string().as_bytes());
    records.extend_from_slice(rest.as_bytes());
}
