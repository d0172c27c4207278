//! ASCII armor: binary data as base64 between two lines.
//!
//! Specification: [RFC 9580, section 6](https://www.rfc-editor.org/rfc/rfc9580#section-6).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Returns the data of one block, given the lines between its header and tail line; `None` if it is not base64, or its
/// checksum is wrong.
pub(super) fn decode<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Vec<u8>> {
    let mut lines = lines.map(str::trim_end).peekable();
    // Headers, for instance `Version: GnuPG v2`, end with an empty line. Some writers omit both.
    while lines.next_if(|line| line.contains(": ")).is_some() {}
    lines.next_if(|line| line.is_empty());
    let mut text = String::new();
    let mut checksum = None;
    for line in lines.filter(|line| !line.is_empty()) {
        match line.strip_prefix('=') {
            Some(sum) if sum.len() == 4 && checksum.is_none() => checksum = Some(STANDARD.decode(sum).ok()?),
            _ if checksum.is_some() => return None,
            _ => text.push_str(line),
        }
    }
    let data = STANDARD.decode(text).ok()?;
    match checksum {
        Some(expected) if expected != crc24(&data).to_be_bytes()[1..] => None,
        _ => Some(data),
    }
}

/// Computes the checksum (section 6.1.1).
fn crc24(data: &[u8]) -> u32 {
    let mut crc = 0x00b7_04ce_u32;
    for byte in data {
        crc ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x0100_0000 != 0 {
                crc ^= 0x0186_4cfb;
            }
        }
    }
    crc & 0x00ff_ffff
}

/// Returns the data of all blocks of a kind, for instance `PGP PUBLIC KEY BLOCK`, one after another; `None` if one is
/// damaged, or there is none.
pub(super) fn decode_all(text: &str, kind: &str) -> Option<Vec<u8>> {
    let (begin, end) = (format!("-----BEGIN {kind}-----"), format!("-----END {kind}-----"));
    let mut data = Vec::new();
    let mut lines = text.lines();
    let mut is_empty = true;
    while lines.by_ref().any(|line| line.trim_end() == begin) {
        let mut is_closed = false;
        let block = lines.by_ref().take_while(|line| {
            is_closed = line.trim_end() == end;
            !is_closed
        });
        let block: Vec<&str> = block.collect();
        data.extend(decode(block.into_iter()).filter(|_| is_closed)?);
        is_empty = false;
    }
    (!is_empty).then_some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_decoded() {
        // `echo hello | gpg --enarmor` has the same lines.
        let block = "Comment: x\n\naGVsbG8K\n=I9Jk";
        let whole = format!("text\n-----BEGIN X-----\n{block}\n-----END X-----\n");
        let sum = STANDARD.encode(&crc24(b"hello\n").to_be_bytes()[1..]);
        let whole = whole.replace("I9Jk", &sum);
        assert_eq!(decode_all(&whole, "X").unwrap(), b"hello\n");
        assert_eq!(decode_all(&whole.repeat(2), "X").unwrap(), b"hello\nhello\n");
        assert_eq!(decode_all(&whole.replace(&format!("={sum}\n"), ""), "X").unwrap(), b"hello\n");
        for damaged in [
            whole.replace(&sum, "AAAA"),
            whole.replace("aGVs", "a Vs"),
            whole.replace("-----END", "-----And"),
            "x".to_owned(),
        ] {
            assert_eq!(decode_all(&damaged, "X"), None, "{damaged}");
        }
        // The vector of RFC 9580's predecessor for an empty message: the initial value.
        assert_eq!(crc24(b""), 0x00b7_04ce);
    }
}
