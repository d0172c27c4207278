//! Earlier outputs, which new ones may begin like.
//!
//! Such an output is not read to know what it contains: its [`OutputStamp`] was taken when it was written. On the local file
//! systems of Linux, the kernel sets both times of a file to its own clock whenever bytes are written, also through another
//! name or a mapping; a program can set back the time of modification, but not that of the status change. Two changes
//! within one tick of that clock have the same time, therefore the last write is a tick older than the stamp. Where the
//! clock is another machine's, or coarser, nothing is stamped. A stamp ends with the boot of the system: after a crash, a
//! file may have its size and its times, but not the bytes that were never written to the disk, and another system may have
//! changed it. What remains is damage below the file system, as on a disk that returns other bytes than were written.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::digest::Sha256;

/// What changes with the bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct OutputStamp {
    /// What the kernel calls this boot of the system; `None` if it does not say.
    boot: Option<String>,
    device: u64,
    inode: u64,
    size: u64,
    /// In seconds and nanoseconds, like the time below.
    modified: (i64, i64),
    /// The time of the last status change.
    changed: (i64, i64),
}

impl OutputStamp {
    fn new(metadata: &Metadata) -> Self {
        Self {
            boot: clock::boot(),
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Returns the stamp of a file that is written completely, once each further write would change its time; `None` on a file
    /// system whose times do not tell.
    pub(super) fn settled(file: &File) -> io::Result<Option<Self>> {
        if !clock::is_kernel_of(file)? {
            return Ok(None);
        }
        let stamp = Self::new(&file.metadata()?);
        Ok((stamp.boot.is_some() && clock::passes(stamp.modified)).then_some(stamp))
    }

    /// Returns the stamp of the same file after it was renamed, unless it was written to meanwhile.
    pub(super) fn after_rename(self, file: &File) -> io::Result<Option<Self>> {
        let stamp = Self::new(&file.metadata()?);
        Ok((Self { changed: self.changed, ..stamp.clone() } == self).then_some(stamp))
    }
}

/// An output that pybundle has written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct EarlierOutput {
    /// The absolute path.
    pub(crate) path: PathBuf,
    pub(crate) stamp: OutputStamp,
    pub(crate) sha256: Sha256,
}

impl EarlierOutput {
    /// Opens the output; `None` if it is gone or may have changed.
    pub(super) fn open(&self) -> Option<File> {
        let file = File::open(&self.path).ok()?;
        self.is_in(&file).then_some(file)
    }

    /// Tells whether an open file is the output, unchanged.
    pub(super) fn is_in(&self, file: &File) -> bool {
        file.metadata().is_ok_and(|metadata| OutputStamp::new(&metadata) == self.stamp)
    }

    /// Tells whether the output is at a path itself, unchanged.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        path.symlink_metadata().is_ok_and(|metadata| OutputStamp::new(&metadata) == self.stamp)
    }
}

/// Copies the first `length` bytes of a file into an empty one, inside the kernel, which shares the extents where the file
/// system can. Calls `advance` with each number of bytes. Returns whether all were copied.
///
/// # Errors
/// The kernel or the file system cannot do that, the files are on different ones, or the disk is full.
#[cfg(target_os = "linux")]
pub(super) fn copy_start(from: &File, to: &File, length: u64, advance: impl Fn(u64)) -> io::Result<bool> {
    /// A multiple of every block size, so that all blocks but the last can be shared.
    const PORTION: u64 = 16 << 20;
    let mut offset = 0;
    while offset < length {
        let portion = usize::try_from(PORTION.min(length - offset)).unwrap_or(usize::MAX);
        match rustix::fs::copy_file_range(from, Some(&mut offset), to, None, portion)? {
            0 => return Ok(false),
            copied => advance(copied as u64),
        }
    }
    Ok(true)
}

/// Outputs are stamped on Linux alone, so there is nothing to copy from.
#[cfg(not(target_os = "linux"))]
pub(super) fn copy_start(_: &File, _: &File, _: u64, _: impl Fn(u64)) -> io::Result<bool> {
    Ok(false)
}

/// The clock of the times of files.
#[cfg(target_os = "linux")]
mod clock {
    use std::fs::File;
    use std::io;
    use std::thread;
    use std::time::Duration;

    use rustix::time::{ClockId, clock_gettime};

    /// The file systems whose times are those of this kernel's clock, by their magic numbers (statfs(2)): ext2 to ext4, XFS,
    /// Btrfs, tmpfs, overlayfs, F2FS, ZFS and bcachefs.
    const LOCAL: [u32; 8] =
        [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0xf2f5_2010, 0x2fc1_2fc1, 0xca45_1a4e];

    /// The longest wait for a tick, which takes 1 to 10 ms.
    const ATTEMPTS: usize = 50;

    /// Returns the identifier of this boot (proc(5), `/proc/sys/kernel/random/boot_id`).
    pub(super) fn boot() -> Option<String> {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(text.trim().to_owned()).filter(|boot| !boot.is_empty())
    }

    pub(super) fn is_kernel_of(file: &File) -> io::Result<bool> {
        let kind = rustix::fs::fstatfs(file)?.f_type;
        Ok(LOCAL.iter().any(|known| i64::from(*known) == kind & 0xffff_ffff))
    }

    /// Waits until the clock is past a time.
    pub(super) fn passes(time: (i64, i64)) -> bool {
        for _ in 0..ATTEMPTS {
            // What the kernel takes the times of files from: the time of its last tick.
            let now = clock_gettime(ClockId::RealtimeCoarse);
            if (now.tv_sec, now.tv_nsec) > time {
                return true;
            }
            thread::sleep(Duration::from_millis(1));
        }
        false
    }
}

/// No other system has been looked at.
#[cfg(not(target_os = "linux"))]
mod clock {
    use std::fs::File;
    use std::io;

    pub(super) fn boot() -> Option<String> {
        None
    }

    pub(super) fn is_kernel_of(_: &File) -> io::Result<bool> {
        Ok(false)
    }

    pub(super) fn passes(_: (i64, i64)) -> bool {
        false
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::{self, FileTimes};
    use std::io::Write;
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn every_change_of_a_file_changes_its_stamp() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let written = || {
            fs::write(&path, "content").unwrap();
            let file = File::options().read(true).write(true).open(&path).unwrap();
            let stamp = OutputStamp::settled(&file).unwrap().unwrap();
            (EarlierOutput { path: path.clone(), stamp, sha256: Sha256::of(b"content") }, file)
        };
        let (unchanged, file) = written();
        assert!(unchanged.open().is_some() && unchanged.is_in(&file) && unchanged.is_at(&path));

        let (overwritten, file) = written();
        file.write_all_at(b"C", 0).unwrap();
        assert!(overwritten.open().is_none());

        let (restored, file) = written();
        let before = file.metadata().unwrap().modified().unwrap();
        file.write_all_at(b"C", 0).unwrap();
        file.set_times(FileTimes::new().set_modified(before)).unwrap();
        assert!(restored.open().is_none());

        let (linked, _) = written();
        let other = directory.path().join("other");
        fs::hard_link(&path, &other).unwrap();
        File::options().append(true).open(&other).unwrap().write_all(b"more").unwrap();
        assert!(linked.open().is_none());
        fs::remove_file(&other).unwrap();

        let (replaced, _) = written();
        fs::write(&other, "content").unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(replaced.open().is_none());
        fs::remove_file(&path).unwrap();
        assert!(replaced.open().is_none() && !replaced.is_at(&path));

        let (of_another_boot, _) = written();
        let stamp = OutputStamp { boot: Some("another".to_owned()), ..of_another_boot.stamp.clone() };
        assert!(of_another_boot.open().is_some() && EarlierOutput { stamp, ..of_another_boot }.open().is_none());
    }

    #[test]
    fn a_file_that_is_written_to_while_it_is_renamed_has_no_stamp() {
        let directory = tempfile::tempdir().unwrap();
        let [before, after] = ["before", "after"].map(|name| directory.path().join(name));
        for is_written in [false, true] {
            let mut file = File::create(&before).unwrap();
            file.write_all(b"content").unwrap();
            let stamp = OutputStamp::settled(&file).unwrap().unwrap();
            fs::rename(&before, &after).unwrap();
            if is_written {
                file.write_all_at(b"C", 0).unwrap();
            }
            assert_eq!(stamp.after_rename(&file).unwrap().is_none(), is_written);
        }
    }

    #[test]
    fn the_start_of_a_file_is_copied() {
        let directory = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| directory.path().join(name));
        let bytes: Vec<u8> = (0..40_000_000_u32).map(|index| (index % 251) as u8).collect();
        fs::write(&from, &bytes).unwrap();
        let (from, mut copy) = (File::open(&from).unwrap(), File::create(&to).unwrap());
        assert!(copy_start(&from, &copy, 39_999_999, |_| ()).unwrap());
        copy.write_all(b"end").unwrap();
        assert!(fs::read(&to).unwrap() == [&bytes[..39_999_999], b"end"].concat());
        // There are not so many.
        assert!(!copy_start(&from, &File::create(&to).unwrap(), 40_000_001, |_| ()).unwrap());
    }
}
