//! Packets, and the fields that they consist of.

/// A sequence of packets or fields that ends too early, or has an unsupported form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the OpenPGP data is damaged: {0}")]
pub struct InvalidPacket(pub(super) &'static str);

/// The types of packets that are read.
pub(super) mod tag {
    pub(in crate::debian::openpgp) const SIGNATURE: u8 = 2;
    pub(in crate::debian::openpgp) const PUBLIC_KEY: u8 = 6;
    pub(in crate::debian::openpgp) const USER_ID: u8 = 13;
    pub(in crate::debian::openpgp) const PUBLIC_SUBKEY: u8 = 14;
    pub(in crate::debian::openpgp) const USER_ATTRIBUTE: u8 = 17;
}

/// A packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    /// The type, see [`tag`].
    pub(super) tag: u8,
    pub(super) body: &'a [u8],
}

/// Bytes that are read from the front.
#[derive(Debug, Clone, Copy)]
pub(super) struct PacketBytes<'a>(pub(super) &'a [u8]);

impl<'a> PacketBytes<'a> {
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], InvalidPacket> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(InvalidPacket("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, InvalidPacket> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn number(&mut self, length: usize) -> Result<usize, InvalidPacket> {
        Ok(self.take(length)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    pub(super) fn time(&mut self) -> Result<u32, InvalidPacket> {
        let bytes = self.take(4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// Reads a multiprecision integer (section 3.2); returns its bytes without leading zeros.
    pub(super) fn integer(&mut self) -> Result<&'a [u8], InvalidPacket> {
        let bits = self.number(2)?;
        let bytes = self.take(bits.div_ceil(8))?;
        Ok(&bytes[bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len())..])
    }

    /// Reads a length of the new format (section 4.2.1), which subpackets have, too (section 5.2.3.7).
    fn length(&mut self, first: u8) -> Result<Option<usize>, InvalidPacket> {
        Ok(match first {
            0..192 => Some(usize::from(first)),
            192..224 => Some(((usize::from(first) - 192) << 8) + usize::from(self.byte()?) + 192),
            255 => Some(self.number(4)?),
            _ => None,
        })
    }

    /// Reads the type and the body of a subpacket (section 5.2.3.7).
    pub(super) fn subpacket(&mut self) -> Result<(u8, &'a [u8]), InvalidPacket> {
        let first = self.byte()?;
        let length = match first {
            192..=254 => ((usize::from(first) - 192) << 8) + usize::from(self.byte()?) + 192,
            _ => self.length(first)?.unwrap_or_default(),
        };
        let mut body = PacketBytes(self.take(length)?);
        Ok((body.byte()?, body.0))
    }

    /// Reads the next packet (section 4.2); `None` at the end.
    pub(super) fn packet(&mut self) -> Result<Option<Packet<'a>>, InvalidPacket> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let first = self.byte()?;
        let (tag, length) = match first >> 6 {
            // The new format.
            0b11 => {
                let length = self.byte()?;
                (first & 0x3f, self.length(length)?)
            }
            // The old one: the size of the length, of which 3 stands for an unknown length.
            0b10 => {
                let length = match first & 3 {
                    3 => None,
                    size => Some(self.number(1 << size)?),
                };
                (first >> 2 & 0xf, length)
            }
            _ => return Err(InvalidPacket("a packet has no type")),
        };
        // Keys and signatures always have one.
        let length = length.ok_or(InvalidPacket("a packet has no length"))?;
        Ok(Some(Packet { tag, body: self.take(length)? }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(bytes: &[u8]) -> Result<Vec<(u8, usize)>, InvalidPacket> {
        let mut bytes = PacketBytes(bytes);
        let mut all = Vec::new();
        while let Some(packet) = bytes.packet()? {
            all.push((packet.tag, packet.body.len()));
        }
        Ok(all)
    }

    #[test]
    fn packets_of_both_formats_are_read() {
        let long = [&[0xc2, 192, 8][..], &[0; 200]].concat();
        assert_eq!(packets(&long), Ok(vec![(2, 200)]));
        let five = [&[0xc6, 255, 0, 0, 1, 0][..], &[0; 256]].concat();
        assert_eq!(packets(&five), Ok(vec![(6, 256)]));
        let old = [&[0x88, 1, 9][..], &[0x99, 0, 2, 1, 2], &[0xb6, 0, 0, 0, 0]].concat();
        assert_eq!(packets(&old), Ok(vec![(2, 1), (6, 2), (13, 0)]));
        for damaged in
            [&[0xc2][..], &[0xc2, 2, 1], &[0xc2, 224, 1], &[0x8b, 1], &[0x02, 1, 1], &[0xc2, 255, 255, 255, 255, 255]]
        {
            assert!(packets(damaged).is_err(), "{damaged:?}");
        }
    }

    #[test]
    fn integers_have_no_leading_zeros() {
        assert_eq!(PacketBytes(&[0, 9, 1, 2]).integer(), Ok(&[1, 2][..]));
        assert_eq!(PacketBytes(&[0, 16, 0, 2]).integer(), Ok(&[2][..]));
        assert_eq!(PacketBytes(&[0, 0]).integer(), Ok(&[][..]));
        assert!(PacketBytes(&[0, 17, 1, 2]).integer().is_err());
    }
}
