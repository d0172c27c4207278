//! Stripped ELF files, checked with binutils.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::LittleEndian as LE;
use object::elf::{FileHeader64, PT_LOAD, ProgramHeader64};
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use pybundle::trim::strip::strip;

use super::built::{ARTIFACTS, Artifacts};
use super::support::command::succeed;
use super::support::lambda::architecture;

/// Returns the segments of a file with their content.
fn segments(file: &[u8]) -> Vec<(ProgramHeader64<LE>, &[u8])> {
    let header = FileHeader64::<LE>::parse(file).unwrap();
    let segments = header.program_headers(LE, file).unwrap().iter();
    segments.map(|segment| (*segment, segment.data(LE, file).unwrap())).collect()
}

/// Asserts that two files are the same in memory: segments have the same content at the same address and can be mapped.
fn assert_same_image(before: &[u8], after: &[u8], name: &str) {
    let headers = [before, after].map(|file| *FileHeader64::<LE>::parse(file).unwrap());
    assert_eq!(headers[0].e_entry.get(LE), headers[1].e_entry.get(LE), "{name}");
    let (before, after) = (segments(before), segments(after));
    assert_eq!(before.len(), after.len(), "{name}");
    let is_table = |segment: &ProgramHeader64<LE>, header: &FileHeader64<LE>| {
        let table = header.e_phoff.get(LE);
        segment.p_offset.get(LE) <= table && table < segment.p_offset.get(LE) + segment.p_filesz.get(LE)
    };
    for ((old, old_bytes), (new, new_bytes)) in before.iter().zip(&after) {
        let of = |segment: &ProgramHeader64<LE>| {
            let ProgramHeader64 { p_type, p_flags, p_vaddr, p_paddr, p_filesz, p_memsz, p_align, .. } = segment;
            let numbers = [p_vaddr, p_paddr, p_filesz, p_memsz, p_align].map(|number| number.get(LE));
            (p_type.get(LE), p_flags.get(LE), numbers)
        };
        assert_eq!(of(old), of(new), "{name}");
        let alignment = new.p_align.get(LE).max(1);
        if new.p_type.get(LE) == PT_LOAD {
            assert_eq!(new.p_offset.get(LE) % alignment, new.p_vaddr.get(LE) % alignment, "{name}");
        }
        // The file header and the table of segments are loaded, too, and contain file offsets.
        if is_table(old, &headers[0]) || old.p_offset.get(LE) == 0 {
            let table = |header: &FileHeader64<LE>, segment: &ProgramHeader64<LE>| {
                let start = header.e_phoff.get(LE).wrapping_sub(segment.p_offset.get(LE));
                start..start.wrapping_add(u64::from(header.e_phnum.get(LE)) * 56)
            };
            let (skipped, own) = (table(&headers[0], old), 0..64);
            assert_eq!(skipped.start, table(&headers[1], new).start, "{name}");
            let differs = (0..old_bytes.len()).find(|&at| {
                let is_own = old.p_offset.get(LE) == 0 && own.contains(&at);
                old_bytes[at] != new_bytes[at] && !skipped.contains(&(at as u64)) && !is_own
            });
            assert_eq!(differs, None, "{name}");
        } else {
            assert!(old_bytes == new_bytes, "{name}: a segment has other bytes");
        }
    }
}

/// Returns the output of readelf for each file; it must report no problem.
fn readelf(arguments: &[&str], files: &[PathBuf]) -> Vec<String> {
    let output = Command::new("readelf").args(arguments).args(files).output();
    let output = output.unwrap_or_else(|error| panic!("readelf is missing: apt-get install binutils ({error})"));
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    // Gaps in annobin's notes are not about the file format.
    let faults: Vec<_> = complaints.lines().filter(|line| !line.contains("Gap in build notes")).collect();
    assert!(output.status.success() && faults.is_empty(), "{}", faults.join("\n"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let of_files: Vec<String> =
        text.split("\nFile: ").skip(1).map(|part| part.split_once('\n').unwrap().1.to_owned()).collect();
    assert_eq!(of_files.len(), files.len());
    of_files
}

/// Returns readelf's output without file offsets and without names that it takes from debug symbols.
fn comparable(text: &str) -> String {
    let is_content = |line: &&str| !line.contains("at offset 0x") && !line.starts_with("Displaying notes");
    let nameless = |line| match str::split_once(line, "Applies to region") {
        Some((start, region)) => format!("{start}{}", region.split(" (").next().unwrap()),
        None => line.to_owned(),
    };
    text.lines().filter(is_content).map(nameless).collect::<Vec<_>>().join("\n")
}

/// Asserts that the original and the stripped files are the same for the loader and for readelf.
fn assert_equivalent(compiled: Vec<(PathBuf, PathBuf)>) {
    for (plain, stripped) in &compiled {
        let [before, after] = [plain, stripped].map(|path| fs::read(path).unwrap());
        assert_same_image(&before, &after, &stripped.display().to_string());
    }
    let (plain, stripped): (Vec<PathBuf>, Vec<PathBuf>) = compiled.into_iter().unzip();
    for arguments in [["-dW"], ["-nW"], ["--dyn-syms"]] {
        let [before, after] = [&plain, &stripped].map(|files| readelf(&arguments, files));
        for ((before, after), path) in before.iter().zip(&after).zip(&stripped) {
            let [before, after] = [before, after].map(|text| comparable(text));
            assert!(before == after, "{arguments:?} {}:\n{before}\n{after}", path.display());
        }
    }
}

#[test]
fn loaded_content_is_unchanged_according_to_binutils() {
    let compiled = ARTIFACTS.compiled(["plain", "trimmed"]);
    assert!(compiled.len() > 60, "{}", compiled.len());
    assert_equivalent(compiled);
}

#[test]
fn files_of_the_other_architecture_are_stripped_too() {
    let artifacts = Artifacts::of(&["cryptography", "greenlet", "httptools", "pyyaml", "uvloop"]);
    let other = if architecture() == "arm64" { "x86_64" } else { "arm64" };
    artifacts.build("plain", other, &[]);
    let report = artifacts.build("stripped", other, &["--strip"]);
    let compiled = artifacts.compiled(["plain", "stripped"]);
    assert!(report["trim"]["stripped"]["files"].as_u64().unwrap() >= 5, "{}", report["trim"]);
    assert_equivalent(compiled);
}

#[test]
fn stripped_files_are_as_small_as_those_of_strip() {
    let folder = tempfile::tempdir().unwrap();
    let (mut ours, mut theirs, mut originals) = (0, 0, 0);
    for (number, (plain, stripped)) in ARTIFACTS.compiled(["plain", "trimmed"]).into_iter().enumerate() {
        let reference = folder.path().join(number.to_string());
        succeed(Command::new("strip").args(["--strip-unneeded", "-o"]).arg(&reference).arg(&plain));
        let [original, own, other] = [&plain, &stripped, &reference].map(|path| fs::metadata(path).unwrap().len());
        // strip moves segments by less than the common alignment.
        assert!(own <= other + 16 * 1024, "{}: {original} to {own}, strip to {other}", stripped.display());
        (ours, theirs, originals) = (ours + own, theirs + other, originals + original);
    }
    assert!(ours < originals / 10 * 9 && ours < theirs / 100 * 101, "{originals} to {ours}, strip to {theirs}");
}

/// Compiles a library with gcc.
fn compile(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let source = folder.join("a.c");
    fs::write(&source, "static int twice(int x) { return 2 * x; }\nint answer(void) { return twice(21); }\n").unwrap();
    let library = folder.join("a.so");
    succeed(Command::new("gcc").args(["-shared", "-fPIC", "-g3", "-o"]).arg(&library).arg(&source).args(arguments));
    fs::read(library).unwrap()
}

#[test]
fn only_debug_information_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let original = compile(folder.path(), &["-gz=zlib", "-Wl,--build-id"]);
    let mut stripped = original.clone();
    assert!(strip(&mut stripped));
    assert!(stripped.len() + 5_000 < original.len(), "{} {}", original.len(), stripped.len());
    assert_same_image(&original, &stripped, "a.so");
    let mut again = stripped.clone();
    assert!(!strip(&mut again) && again == stripped, "it is stripped already");

    let path = folder.path().join("stripped.so");
    fs::write(&path, &stripped).unwrap();
    let sections = succeed(Command::new("readelf").args(["-SW"]).arg(&path));
    for kept in [".note.gnu.build-id", ".dynsym", ".dynstr", ".text", ".eh_frame", ".comment", ".shstrtab"] {
        assert!(sections.contains(kept), "{kept}\n{sections}");
    }
    for dropped in [".debug_", ".symtab", ".strtab"] {
        assert!(!sections.contains(dropped), "{dropped}\n{sections}");
    }
    let call = "import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).answer())";
    assert_eq!(succeed(Command::new("python3").args(["-c", call]).arg(&path)).trim(), "42");
}

#[test]
fn segments_that_patchelf_moved_are_moved_back() {
    let folder = tempfile::tempdir().unwrap();
    compile(folder.path(), &[]);
    let path = folder.path().join("a.so");
    // The path is too long for its place, so patchelf adds a segment at the end.
    succeed(Command::new("patchelf").args(["--set-rpath", &"$ORIGIN/../a.libs:".repeat(20)]).arg(&path));
    let original = fs::read(&path).unwrap();
    let mut stripped = original.clone();
    assert!(strip(&mut stripped));
    assert_same_image(&original, &stripped, "a.so");
    fs::write(&path, &stripped).unwrap();
    let dynamic = readelf(&["-dW"], &[path.clone(), path.clone()]).remove(0);
    assert!(dynamic.contains("$ORIGIN/../a.libs"), "{dynamic}");
    let call = "import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).answer())";
    assert_eq!(succeed(Command::new("python3").args(["-c", call]).arg(&path)).trim(), "42");
}

#[test]
fn unknown_files_are_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let original = compile(folder.path(), &[]);
    let mut archive = original.clone();
    archive.extend(b"PK\x05\x06 an archive after the program");
    let mut big_endian = original.clone();
    big_endian[5] = 2;
    let mut short = original.clone();
    short[4] = 1;
    let mut object = original.clone();
    object[16] = 1;
    for file in [archive, big_endian, short, object, Vec::new(), b"\x7fELF".to_vec(), b"#!/bin/sh\n".to_vec()] {
        let mut stripped = file.clone();
        assert!(!strip(&mut stripped) && stripped == file);
    }
    // patchelf leaves zeros at the end.
    let mut padded = original.clone();
    padded.extend([0; 7]);
    assert!(strip(&mut padded));
}

/// A deterministic random number generator.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

#[test]
fn damaged_files_are_unchanged_or_stay_valid() {
    let folder = tempfile::tempdir().unwrap();
    let original = compile(folder.path(), &[]);
    let header = *FileHeader64::<LE>::parse(&*original).unwrap();
    let (sections, count) = (header.e_shoff.get(LE) as usize, usize::from(header.e_shnum.get(LE)));
    for length in (0..original.len()).step_by(61).chain([63, 64, 65, sections - 1, sections, sections + 63]) {
        let mut cut = original[..length].to_vec();
        assert!(!strip(&mut cut) && cut.len() == length, "{length} bytes");
    }
    let tables = [0..64, 64..64 + 56 * usize::from(header.e_phnum.get(LE)), sections..sections + 64 * count];
    let mut numbers = Numbers(5);
    let mut outcomes = BTreeMap::new();
    for round in 0..3000 {
        let mut damaged = original.clone();
        for _ in 0..=numbers.below(3) {
            let table = &tables[numbers.below(3)];
            let at = table.start + numbers.below(table.len());
            damaged[at] = [0, 1, 0x7f, 0x80, 0xff, damaged[at] ^ 4, damaged[at].wrapping_add(1)][numbers.below(7)];
        }
        let before = damaged.clone();
        let is_stripped = strip(&mut damaged);
        *outcomes.entry(is_stripped).or_insert(0) += 1;
        if is_stripped {
            assert!(damaged.len() < before.len(), "round {round}");
            let loaded = |file: &[u8]| segments(file).iter().map(|(segment, _)| segment.p_filesz.get(LE)).sum::<u64>();
            assert_eq!(loaded(&before), loaded(&damaged), "round {round}");
            let read = FileHeader64::<LE>::parse(&*damaged).unwrap().sections(LE, &*damaged).unwrap().len();
            assert!(read <= count, "round {round}");
        } else {
            assert!(damaged == before, "round {round}");
        }
    }
    assert!(outcomes.len() == 2 && outcomes.values().all(|times| *times > 300), "{outcomes:?}");
}
