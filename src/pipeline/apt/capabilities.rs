//! File capabilities as the kernel stores them.
//!
//! Specification: [capabilities(7)](https://man7.org/linux/man-pages/man7/capabilities.7.html), "File capabilities";
//! `struct vfs_cap_data` of linux/capability.h.

/// The second revision, which kernels since 2.6.25 have, and its flag for capabilities that are effective at once.
const REVISION: u32 = 0x0200_0000;
const EFFECTIVE: u32 = 1;

/// The numbers of the capabilities that packages give to files.
const NUMBERS: [(&str, u32); 12] = [
    ("cap_chown", 0),
    ("cap_dac_override", 1),
    ("cap_dac_read_search", 2),
    ("cap_setgid", 6),
    ("cap_setuid", 7),
    ("cap_net_bind_service", 10),
    ("cap_net_admin", 12),
    ("cap_net_raw", 13),
    ("cap_ipc_lock", 14),
    ("cap_sys_chroot", 18),
    ("cap_sys_admin", 21),
    ("cap_sys_nice", 23),
];

/// Encodes permitted and effective capabilities, for instance `cap_net_admin,cap_net_raw=ep`; `None` for any other form.
pub(super) fn encoded(text: &str) -> Option<Vec<u8>> {
    let names = text.strip_suffix("=ep").or_else(|| text.strip_suffix("+ep"))?;
    let mut permitted = 0_u32;
    for name in names.split(',') {
        let (_, number) = NUMBERS.iter().find(|(known, _)| *known == name)?;
        permitted |= 1 << number;
    }
    // Permitted and inheritable, each in two parts of 32 bits.
    let words = [REVISION | EFFECTIVE, permitted, 0, 0, 0];
    Some(words.into_iter().flat_map(u32::to_le_bytes).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_the_kernels() {
        let expected = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(encoded("cap_net_raw=ep").unwrap(), expected);
        assert_eq!(encoded("cap_net_raw+ep").unwrap(), expected);
        assert_eq!((encoded("cap_net_raw=eip"), encoded("cap_other=ep"), encoded("")), (None, None, None));
    }
}
