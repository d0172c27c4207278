//! Builds wheels byte by byte, in which every field can have a wrong value.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::Digest as _;

/// The file name of the wheels.
pub const FILENAME: &str = "demo-1.0-py3-none-any.whl";

/// The flag of entries with a data descriptor (APPNOTE 4.4.4, bit 3).
pub const DESCRIPTOR_FLAG: u16 = 1 << 3;

/// The fields that are both in the local header and in the central directory.
#[derive(Clone)]
pub struct Header {
    pub name: Vec<u8>,
    pub flags: u16,
    pub method: u16,
    pub crc32: u32,
    pub compressed_size: u32,
    pub size: u32,
    pub extra: Vec<u8>,
}

#[derive(Clone)]
pub struct Entry {
    pub local: Header,
    pub central: Header,
    /// The operating system in "version made by".
    pub system: u8,
    /// The Unix mode.
    pub mode: u32,
    pub disk: u16,
    /// The compressed bytes.
    pub data: Vec<u8>,
    /// The bytes after the compressed ones.
    pub after: Vec<u8>,
    /// Whether the entry is in the central directory.
    pub is_listed: bool,
    /// Whether the entry is written at all.
    pub is_written: bool,
}

impl Entry {
    /// Creates a valid deflated entry.
    pub fn new(name: &str, content: &[u8]) -> Self {
        let data = miniz_oxide::deflate::compress_to_vec(content, 6);
        let header = Header {
            name: name.into(),
            flags: 0,
            method: 8,
            crc32: crc32fast::hash(content),
            compressed_size: data.len() as u32,
            size: content.len() as u32,
            extra: Vec::new(),
        };
        Self {
            local: header.clone(),
            central: header,
            system: 3,
            mode: 0o100_644,
            disk: 0,
            data,
            after: Vec::new(),
            is_listed: true,
            is_written: true,
        }
    }

    /// Creates a valid stored entry.
    pub fn stored(name: &str, content: &[u8]) -> Self {
        let mut entry = Self::new(name, content);
        entry.data = content.to_vec();
        entry.both(|header| (header.method, header.compressed_size) = (0, header.size));
        entry
    }

    /// Creates a directory, whose name ends with a slash.
    pub fn folder(name: &str) -> Self {
        Self { mode: 0o040_755, ..Self::stored(name, b"") }
    }

    /// Changes both headers in the same way.
    pub fn both(&mut self, change: impl Fn(&mut Header)) {
        change(&mut self.local);
        change(&mut self.central);
    }

    /// Moves CRC-32 and sizes from the local header to a data descriptor, with or without a signature (`is_signed`) and
    /// 64-bit sizes (`is_wide`).
    pub fn add_descriptor(&mut self, is_signed: bool, is_wide: bool) {
        self.both(|header| header.flags |= DESCRIPTOR_FLAG);
        let signature = b"PK\x07\x08";
        let mut descriptor = if is_signed { signature.to_vec() } else { Vec::new() };
        descriptor.extend(self.central.crc32.to_le_bytes());
        for size in [self.central.compressed_size, self.central.size] {
            descriptor.extend(&u64::from(size).to_le_bytes()[..if is_wide { 8 } else { 4 }]);
        }
        (self.local.crc32, self.local.compressed_size, self.local.size) = (0, 0, 0);
        self.after = descriptor;
    }

    /// Moves the sizes in both headers to zip64 extra fields.
    pub fn widen(&mut self) {
        self.both(|header| {
            header.extra = zip64_extra(&[header.size.into(), header.compressed_size.into()]);
            (header.size, header.compressed_size) = (u32::MAX, u32::MAX);
        });
    }
}

/// Returns a zip64 extra field (APPNOTE 4.5.3).
pub fn zip64_extra(numbers: &[u64]) -> Vec<u8> {
    extra(1, &numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>())
}

/// Returns an extra field.
pub fn extra(id: u16, content: &[u8]) -> Vec<u8> {
    [&id.to_le_bytes()[..], &(content.len() as u16).to_le_bytes(), content].concat()
}

/// A wheel that is built from entries.
#[derive(Clone)]
pub struct Forge {
    pub entries: Vec<Entry>,
    /// The bytes before the first entry, which offsets include.
    pub prefix: Vec<u8>,
    pub comment: Vec<u8>,
    /// The bytes after the end record.
    pub suffix: Vec<u8>,
    /// Added to the number of entries in the end record.
    pub surplus: i16,
    /// The extensible data sector of the zip64 end record; `None` to write no such record.
    pub zip64: Option<Vec<u8>>,
}

impl Forge {
    /// Creates an archive of these entries.
    pub fn of(entries: Vec<Entry>) -> Self {
        Self { entries, prefix: Vec::new(), comment: Vec::new(), suffix: Vec::new(), surplus: 0, zip64: None }
    }

    /// Creates a valid wheel of the distribution `demo` 1.0 from `files` and its `.dist-info`. RECORD is the last entry.
    pub fn wheel(files: &[(&str, &[u8])]) -> Self {
        let dist_info: [(&str, &[u8]); 2] = [
            ("demo-1.0.dist-info/METADATA", b"Metadata-Version: 2.1\nName: Demo\nVersion: 1.0\n\nText: text\n"),
            ("demo-1.0.dist-info/WHEEL", b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
        ];
        // Files in `files` replace these.
        let is_own = |name: &&(&str, &[u8])| !files.iter().any(|(other, _)| other == &name.0);
        let files: Vec<_> = files.iter().chain(dist_info.iter().filter(is_own)).copied().collect();
        let mut record: String = files.iter().map(|(name, content)| record_row(name, content)).collect();
        record.push_str("demo-1.0.dist-info/RECORD,,\n");
        let mut entries: Vec<Entry> = files.iter().map(|(name, content)| Entry::new(name, content)).collect();
        entries.push(Entry::new("demo-1.0.dist-info/RECORD", record.as_bytes()));
        Self::of(entries)
    }

    /// Creates a valid wheel with one deflated and one stored module.
    pub fn demo() -> Self {
        let files: [(&str, &[u8]); 2] =
            [("demo/a.py", b"a = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaa'\n"), ("demo/b.py", b"b = 1\n")];
        let mut forge = Self::wheel(&files);
        forge.entries[1] = Entry::stored(files[1].0, files[1].1);
        forge
    }

    /// Changes the content of RECORD.
    pub fn set_record(&mut self, change: impl Fn(&str) -> String) {
        let entry = self.entries.last_mut().unwrap();
        let record = miniz_oxide::inflate::decompress_to_vec(&entry.data).unwrap();
        *entry = Entry::new("demo-1.0.dist-info/RECORD", change(std::str::from_utf8(&record).unwrap()).as_bytes());
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.prefix.clone();
        let mut directory = Vec::new();
        let mut count = 0;
        for entry in &self.entries {
            let offset = bytes.len() as u32;
            if entry.is_written {
                write_local(&mut bytes, entry);
            }
            if entry.is_listed {
                write_central(&mut directory, entry, offset);
                count += 1;
            }
        }
        let directory_offset = bytes.len() as u32;
        bytes.extend(&directory);
        count = (i32::from(self.surplus) + count) as u16 as i32;
        let mut end = (count as u16, directory.len() as u32, directory_offset);
        if let Some(sector) = &self.zip64 {
            write_zip64_end(&mut bytes, end, sector);
            end = (u16::MAX, u32::MAX, u32::MAX);
        }
        bytes.extend(b"PK\x05\x06\0\0\0\0");
        bytes.extend(end.0.to_le_bytes().repeat(2));
        bytes.extend(end.1.to_le_bytes());
        bytes.extend(end.2.to_le_bytes());
        bytes.extend((self.comment.len() as u16).to_le_bytes());
        bytes.extend(&self.comment);
        bytes.extend(&self.suffix);
        bytes
    }
}

/// Returns the row of RECORD for a file.
pub fn record_row(name: &str, content: &[u8]) -> String {
    let digest = URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(content));
    format!("{name},sha256={digest},{}\n", content.len())
}

fn write_local(bytes: &mut Vec<u8>, entry: &Entry) {
    bytes.extend(b"PK\x03\x04\x14\0");
    write_common(bytes, &entry.local);
    bytes.extend(&entry.local.name);
    bytes.extend(&entry.local.extra);
    bytes.extend(&entry.data);
    bytes.extend(&entry.after);
}

fn write_central(bytes: &mut Vec<u8>, entry: &Entry, offset: u32) {
    bytes.extend([b'P', b'K', 1, 2, 63, entry.system, 20, 0]);
    write_common(bytes, &entry.central);
    // No comment.
    bytes.extend([0, 0]);
    bytes.extend(entry.disk.to_le_bytes());
    bytes.extend([0, 0]);
    bytes.extend((entry.mode << 16).to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes.extend(&entry.central.name);
    bytes.extend(&entry.central.extra);
}

fn write_common(bytes: &mut Vec<u8>, header: &Header) {
    bytes.extend(header.flags.to_le_bytes());
    bytes.extend(header.method.to_le_bytes());
    // The earliest time and date of the format: 1980-01-01.
    bytes.extend([0, 0, 0x21, 0]);
    for number in [header.crc32, header.compressed_size, header.size] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend((header.name.len() as u16).to_le_bytes());
    bytes.extend((header.extra.len() as u16).to_le_bytes());
}

fn write_zip64_end(bytes: &mut Vec<u8>, (count, size, offset): (u16, u32, u32), sector: &[u8]) {
    let position = bytes.len() as u64;
    bytes.extend(b"PK\x06\x06");
    bytes.extend((44 + sector.len() as u64).to_le_bytes());
    bytes.extend([45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend(u64::from(count).to_le_bytes().repeat(2));
    bytes.extend(u64::from(size).to_le_bytes());
    bytes.extend(u64::from(offset).to_le_bytes());
    bytes.extend(sector);
    bytes.extend(b"PK\x06\x07\0\0\0\0");
    bytes.extend(position.to_le_bytes());
    bytes.extend(1u32.to_le_bytes());
}
