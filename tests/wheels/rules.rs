//! Valid archives that are not valid wheels, with one error each.

use super::forge::{Entry, Forge, record_row};
use super::{assert_refused, read_forged};

const METADATA: &str = "demo-1.0.dist-info/METADATA";
const WHEEL: &str = "demo-1.0.dist-info/WHEEL";
const RECORD: &str = "demo-1.0.dist-info/RECORD";
const ENTRY_POINTS: &str = "demo-1.0.dist-info/entry_points.txt";

/// Asserts that a wheel with one more file is refused.
#[track_caller]
fn refuses_file(name: &str, content: &[u8], entry: Option<&str>, reason: &str) {
    assert_refused(read_forged(&Forge::wheel(&[("demo/a.py", b""), (name, content)])), entry, reason);
}

/// Asserts that a wheel with another RECORD is refused.
#[track_caller]
fn refuses_record(entry: &str, reason: &str, change: impl Fn(&str) -> String) {
    let mut forge = Forge::wheel(&[("demo/a.py", b"")]);
    forge.set_record(change);
    assert_refused(read_forged(&forge), Some(entry), reason);
}

/// Asserts that a wheel without one of its files is refused.
#[track_caller]
fn refuses_without(name: &str) {
    let mut forge = Forge::wheel(&[]);
    forge.entries.retain(|entry| entry.central.name != name.as_bytes());
    if name != RECORD {
        let is_other = |row: &&str| !row.starts_with(name);
        forge.set_record(|record| record.lines().filter(is_other).map(|row| format!("{row}\n")).collect());
    }
    assert_refused(read_forged(&forge), Some(name), "it is missing from the wheel");
}

#[test]
fn dist_info_directories() {
    assert_refused(read_forged(&Forge::of(vec![])), None, "it has no top-level `.dist-info` directory");
    assert_refused(read_forged(&Forge::of(vec![Entry::new("demo-1.0.dist-info", b"")])), None, "no top-level");
    refuses_file(
        "demo-2.0.dist-info/x",
        b"",
        None,
        "2 top-level `.dist-info` directories: demo-1.0.dist-info, demo-2.0.dist-info",
    );
    let mut forge = Forge::demo();
    forge.entries.push(Entry::folder("empty-1.0.dist-info/"));
    assert_refused(read_forged(&forge), None, "2 top-level `.dist-info` directories");
    for (folder, reason) in [
        ("other-1.0.dist-info", "its distribution name `other` differs"),
        ("demo-1.1.dist-info", "its version `1.1` differs"),
        ("demo-x.dist-info", "its version `x` differs"),
        ("demo.dist-info", "its distribution name `demo` differs"),
    ] {
        let forge = Forge::of(vec![Entry::new(&format!("{folder}/RECORD"), b"")]);
        assert_refused(read_forged(&forge), Some(folder), reason);
    }
    for name in [METADATA, WHEEL, RECORD] {
        refuses_without(name);
    }
}

#[test]
fn metadata_and_wheel_files() {
    for (text, reason) in [
        ("Name: other\nVersion: 1.0\n", "its distribution name `other` differs"),
        ("Name: demo\nVersion: 1.0.1\n", "its version `1.0.1` differs"),
        ("Name: demo\nVersion: one\n", "its version `one` differs"),
        ("Name: demo\n", "it has no `Version`"),
        ("Version: 1.0\n\nName: demo\n", "it has no `Name`"),
    ] {
        refuses_file(METADATA, text.as_bytes(), Some(METADATA), reason);
    }
    for (text, reason) in [
        ("Wheel-Version: 2.0\nRoot-Is-Purelib: true\n", "its Wheel-Version is `2.0`"),
        ("Wheel-Version: 1\nRoot-Is-Purelib: true\n", "its Wheel-Version is `1`"),
        ("Root-Is-Purelib: true\n", "it has no `Wheel-Version`"),
        ("Wheel-Version: 1.0\n", "it has no `Root-Is-Purelib`"),
        ("Wheel-Version: 1.0\nRoot-Is-Purelib: maybe\n", "its Root-Is-Purelib is `maybe`"),
    ] {
        refuses_file(WHEEL, text.as_bytes(), Some(WHEEL), reason);
    }
}

#[test]
fn records() {
    refuses_record("demo/a.py", "it is not listed in RECORD", |record| record.replace("demo/a.py", "demo/a.pyc"));
    refuses_record("demo/b.py", "RECORD lists it, but", |record| format!("{record}demo/b.py,,\n"));
    refuses_record("demo/a.py", "it has 0 bytes, but RECORD lists 1", |record| record.replacen(",0\n", ",1\n", 1));
    let row = record_row("demo/a.py", b"");
    refuses_record("demo/a.py", "its sha256 digest differs from the one in RECORD", |record| {
        record.replace(&row, &record_row("demo/a.py", b"x").replace(",1\n", ",0\n"))
    });
    let sha512 = format!("demo/a.py,sha512={}A,0\n", "A".repeat(85));
    refuses_record("demo/a.py", "its sha512 digest differs", |record| record.replace(&row, &sha512));
    for (row, reason) in [
        ("demo/a.py,md5=1B2M2Y8AsgTpgAmY7PhCfg,0", "is `md5`, expected sha256"),
        ("demo/a.py,sha1=2jmj7l5rSw0yVb_vlWAYkK_YBwk,0", "is `sha1`, expected sha256"),
        ("demo/a.py,sha256=short,0", "`sha256=short` is not a valid digest"),
        ("demo/a.py,sha256", "2 fields, expected 3"),
        ("demo/a.py,,many", "`many` is not a valid size"),
        ("demo/a.py,,0\ndemo/a.py,,0", "`demo/a.py` is listed twice"),
    ] {
        refuses_record(RECORD, reason, |record| format!("{row}\n{}", &record[record.find('\n').unwrap() + 1..]));
    }
    let mut forge = Forge::demo();
    *forge.entries.last_mut().unwrap() = Entry::new(RECORD, b"demo/\xff.py,,\n");
    assert_refused(read_forged(&forge), Some(RECORD), "line 1: it is not UTF-8");
}

#[test]
fn schemes() {
    for name in ["demo-1.0.data/lib/x", "demo-1.0.data/x", "demo-1.0.data/SCRIPTS/x"] {
        refuses_file(name, b"", Some(name), "it is in an unknown scheme");
    }
    for name in ["Demo-1.0.data/scripts/x", "other.data/purelib/x"] {
        refuses_file(name, b"", Some(name), "does not belong to the wheel's `.dist-info`");
    }
    let name = "demo-1.0.data/scripts/folder/x";
    refuses_file(name, b"", Some(name), "scripts have no subdirectories");
    for script in ["python", "python3.13", "Python.exe", "pypy3"] {
        let name = format!("demo-1.0.data/scripts/{script}");
        refuses_file(&name, b"", Some(&name), "is reserved for a Python interpreter");
    }
}

#[test]
fn entry_points() {
    for (text, reason) in [
        (&b"[console_scripts]\nx = demo\n"[..], "line 2: `demo` is not an object reference"),
        (b"[console_scripts]\nx = demo:a; import os\n\ny", "line 4: `y` has no `=`"),
        (b"[console_scripts]\nx = demo:a(),b\n", "line 2: `demo:a(),b` is not an object reference"),
        (b"[gui_scripts]\n../x = demo:main\n", "line 2: `../x` is not a valid script name"),
        (b"[console_scripts]\npython3 = demo:main\n", "line 2: the script name `python3` is reserved"),
        (b"[console_scripts]\nx = demo:a\n[gui_scripts]\nx = demo:b\n", "line 4: the script `x` is defined twice"),
        (b"[console_scripts]\nx = \xff:a\n", "it is not UTF-8"),
    ] {
        refuses_file(ENTRY_POINTS, text, Some(ENTRY_POINTS), reason);
    }
}
