//! The bytes of bytecode depend only on the source and the interpreter, and unusual sources are compiled or skipped.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pybundle::bytecode::{BytecodeCompiler, BytecodeError};
use pybundle::digest::Sha256;
use pybundle::hints::Hints as _;
use pybundle::interpreter::PythonInterpreter;
use pybundle::platform::PythonVersion;
use rayon::prelude::*;

use super::{pythons, sources};

/// Modules of the standard library whose marshalled code, as CPython writes it, was seen to depend on what was compiled
/// before, or on the process: it interns single characters, or has frozensets with None.
const UNSTEADY: [&str; 6] = ["ast.py", "html/entities.py", "json/encoder.py", "ntpath.py", "pprint.py", "sre_parse.py"];

/// One in so many of the other modules is compiled.
const ONE_IN: usize = 100;

type Digests<'a> = BTreeMap<&'a str, Option<Sha256>>;

/// Shuffles deterministically.
fn shuffle<T>(things: &mut [T], seed: u64) {
    let mut state = seed;
    for at in (1..things.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        things.swap(at, (state >> 33) as usize % (at + 1));
    }
}

fn digest(compiler: &BytecodeCompiler, name: &str, source: &[u8]) -> Option<Sha256> {
    compiler.compile(name, source).unwrap().map(|bytes| Sha256::of(&bytes))
}

#[test]
fn a_source_has_the_same_bytecode_in_every_process_and_order() {
    pythons().par_iter().for_each(|python| {
        let version = python.interpreter.version;
        let mut count = 0;
        let mut files = sources(&python.library);
        files.retain(|(name, source)| {
            count += 1;
            source.len() < 100_000 && (count % ONE_IN == 0 || UNSTEADY.contains(&&**name))
        });
        let compiler = || BytecodeCompiler::new(python.interpreter.clone());
        let one = |files: &[(String, Vec<u8>)]| -> Vec<Option<Sha256>> {
            let compiler = compiler();
            files.iter().map(|(name, source)| digest(&compiler, name, source)).collect()
        };
        let first = one(&files);
        assert!(first.iter().flatten().count() > 8, "Python {version}");
        let expected: BTreeMap<String, Option<Sha256>> =
            files.iter().map(|(name, _)| name.clone()).zip(first).collect();
        let assert_same = |files: &[(String, Vec<u8>)], digests: Vec<Option<Sha256>>| {
            let found: Digests = files.iter().map(|(name, _)| &**name).zip(digests).collect();
            for (name, digest) in found {
                assert_eq!(digest, expected[name], "Python {version}, {name}");
            }
        };
        shuffle(&mut files, 1);
        assert_same(&files, one(&files));
        // Several processes share the work in random order.
        let several = compiler();
        shuffle(&mut files, 2);
        let digests = files.par_iter().map(|(name, source)| digest(&several, name, source)).collect();
        assert_same(&files, digests);
        // Each in its own process.
        files.retain(|(name, _)| UNSTEADY.contains(&&**name));
        assert_same(&files, files.iter().map(|(name, source)| digest(&compiler(), name, source)).collect());
    });
}

#[test]
fn unusual_sources_are_compiled_or_skipped() {
    let large = format!("# {}\nx = '{}'\n", "a".repeat(1 << 20), "b".repeat(4 << 20));
    let nested = format!("x = {}1{}\n", "(".repeat(3000), ")".repeat(3000));
    let lambdas = format!("x = {} 1\n", "lambda:".repeat(400));
    let minus = format!("x = {}1\n", "-".repeat(200_000));
    let attributes = format!("x = a{}\n", ".b".repeat(100_000));
    let cases: [(&str, &[u8], bool); 17] = [
        ("a.py", b"", true),
        ("new\nline \"quoted\" \\ \u{e9}.py", b"x = 1\n", true),
        ("crlf.py", b"x = 1\r\nif x:\r\n    y = 2\r\n", true),
        ("bom.py", b"\xef\xbb\xbfx = 1\n", true),
        ("latin.py", b"# -*- coding: latin-1 -*-\nx = '\xe9'\n", true),
        ("large.py", large.as_bytes(), true),
        ("python2.py", b"print 'hello'\n", false),
        ("template.py", b"class {{ name }}:\n    pass\n", false),
        ("not_utf_8.py", b"x = '\xe9'\n", false),
        ("unknown_encoding.py", b"# coding: no-such-encoding\nx = 1\n", false),
        ("null.py", b"x = 1\0\n", false),
        ("nested.py", nested.as_bytes(), false),
        ("lambdas.py", lambdas.as_bytes(), false),
        ("minus.py", minus.as_bytes(), false),
        ("attributes.py", attributes.as_bytes(), false),
        ("exits.py", b"import sys\nsys.exit(3)\n", true),
        ("warns.py", b"x = 1 is 1, '\\d'\n", true),
    ];
    for python in pythons() {
        let compiler = BytecodeCompiler::new(python.interpreter.clone());
        for (name, source, is_compiled) in cases {
            let bytecode = compiler.compile(name, source).unwrap();
            assert_eq!(bytecode.is_some(), is_compiled, "Python {}, {name}", python.interpreter.version);
            if let Some(bytecode) = bytecode {
                // PEP 552: unchecked hash-based.
                assert_eq!(bytecode[4..8], [1, 0, 0, 0], "{name}");
            }
        }
    }
}

/// Writes a script that runs an interpreter after another command, and returns its path.
fn behind(folder: &Path, first: &str, python: &PythonInterpreter) -> PathBuf {
    let path = folder.join("python");
    fs::write(&path, format!("#!/bin/sh\n{first}\nexec '{}' \"$@\"\n", python.path.display())).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn an_interpreter_that_crashes_on_a_source_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let deep = format!("x = {}1{}\n", "(".repeat(3000), ")".repeat(3000));
    let crashing: PythonVersion = "3.13".parse().unwrap();
    // Later versions know the size of their stack.
    for python in pythons().into_iter().filter(|python| python.interpreter.version <= crashing) {
        // With such a small stack, the recursion of the parser crashes the process.
        let path = behind(folder.path(), "ulimit -s 200", &python.interpreter);
        let interpreter = PythonInterpreter::query(&path, python.interpreter.version).unwrap();
        let compiler = BytecodeCompiler::new(interpreter);
        assert!(compiler.compile("a.py", b"x = 1\n").unwrap().is_some());
        let error = compiler.compile("deep.py", deep.as_bytes()).unwrap_err();
        let said = format!("{} failed with signal: 11", folder.path().join("python").display());
        assert!(error.to_string().starts_with(&said) && error.to_string().ends_with("deep.py"), "{error}");
        assert!(matches!(error, BytecodeError::Failed { .. }));
        // The next source gets a new process.
        assert!(compiler.compile("b.py", b"x = 1\n").unwrap().is_some());
    }
}

#[test]
fn an_interpreter_that_is_replaced_is_an_error() {
    let python = pythons().pop().unwrap().interpreter;
    let folder = tempfile::tempdir().unwrap();
    let path = behind(folder.path(), "", &python);
    let compiler = BytecodeCompiler::new(PythonInterpreter::query(&path, python.version).unwrap());
    behind(folder.path(), "exit 3", &python);
    let error = compiler.compile("a.py", b"").unwrap_err();
    assert!(matches!(error, BytecodeError::Changed(_)));
    // By then, the interpreter is complete.
    assert_eq!(error.hints(), ["run pybundle again"]);
    behind(folder.path(), "true", &python);
    let again = BytecodeCompiler::new(PythonInterpreter::query(&path, python.version).unwrap());
    assert!(again.compile("a.py", b"").unwrap().is_some());
}
