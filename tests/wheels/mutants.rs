//! Thousands of small changes to a wheel: each is refused, or changes nothing that is installed.

use std::fs::File;
use std::os::unix::fs::FileExt;

use pybundle::wheel::{WheelReading, read};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::forge::{FILENAME, Forge};
use super::read_whole;

const MUTANTS: u64 = 20_000;

/// Builds a wheel that contains every structure.
fn specimen() -> Vec<u8> {
    let files: [(&str, &[u8]); 4] = [
        ("demo/a.py", b"a = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'\n"),
        ("demo/b.py", b""),
        ("demo-1.0.data/scripts/run", b"#!python\nprint(1)\n"),
        ("demo-1.0.dist-info/entry_points.txt", b"[console_scripts]\ndemo = demo.a:main\n"),
    ];
    let mut forge = Forge { zip64: Some(Vec::new()), comment: b"text".to_vec(), ..Forge::wheel(&files) };
    forge.entries[0].add_descriptor(true, false);
    forge.entries[2].widen();
    forge.bytes()
}

/// Steps a SplitMix64 generator, so that a mutant can be reproduced by its number.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Changes bits, bytes or the length.
fn mutate(bytes: &mut Vec<u8>, number: u64) {
    let state = &mut number.clone();
    for _ in 0..=random(state) % 3 {
        let at = random(state) as usize % bytes.len();
        match random(state) % 8 {
            0 => bytes.truncate(at + 1),
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, random(state) as u8),
            3 => bytes[at] = [0, 1, 0x7f, 0xff][random(state) as usize % 4],
            _ => bytes[at] ^= 1 << (random(state) % 8),
        }
        if bytes.is_empty() {
            return;
        }
    }
}

/// Returns the inventory without offsets and modes, which nothing in a wheel protects.
fn installed(WheelReading { inventory, extents }: &WheelReading) -> Vec<String> {
    let entry_points = inventory.entry_points.iter().map(|script| format!("{script:?}"));
    let files = inventory.files.iter().zip(extents);
    let files =
        files.map(|(file, extent)| format!("{:?} {} {:?} {:?}", file.part, file.path, extent.sha256, file.script));
    files.chain(entry_points).collect()
}

#[test]
fn no_mutant_is_installed_as_something_else() {
    let specimen = specimen();
    let original = installed(&read_whole(&specimen).unwrap());
    let filename = FILENAME.parse().unwrap();
    let accepted: u64 = (0..MUTANTS)
        .into_par_iter()
        .map_init(
            || tempfile::tempfile().unwrap(),
            |file: &mut File, number| {
                let mut bytes = specimen.clone();
                mutate(&mut bytes, number);
                file.set_len(bytes.len() as u64).unwrap();
                file.write_all_at(&bytes, 0).unwrap();
                match read(file, &filename) {
                    Ok(inventory) => {
                        assert_eq!(installed(&inventory), original, "mutant {number}");
                        1
                    }
                    Err(error) => {
                        assert!(error.to_string().starts_with(FILENAME), "mutant {number}: {error}");
                        0
                    }
                }
            },
        )
        .sum();
    // Only changes of times, versions and modes are accepted.
    assert!(accepted > 0 && accepted < MUTANTS / 3, "{accepted} mutants were accepted");
}
