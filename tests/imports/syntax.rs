//! What the compiler of the target's Python refuses, compared with the compilers themselves.

use std::path::Path;
use std::process::Command;

use pybundle::platform::PythonVersion;
use pybundle::syntax;
use serde_json::json;

use super::interpreter;
use super::support::command::succeed;

/// The versions whose compilers are asked.
const VERSIONS: [u8; 5] = [9, 10, 11, 12, 13];

/// Sources that some version refuses although they can be parsed, and similar ones that are valid.
const SOURCES: [&str; 109] = [
    "return 1",
    "def f(): return 1",
    "class C: return",
    "if x:\n    return",
    "lambda: (yield)",
    "yield 1",
    "x = [(yield 1) for a in b]",
    "def f(): x = [(yield 1) for a in b]",
    "def f(): yield from [(yield 1)]",
    "class C: yield 1",
    "await x",
    "def f(): await x",
    "async def f(): await x",
    "async def f():\n    def g(): await x",
    "async def f():\n    lambda: await x",
    "async def f():\n    class C:\n        await x",
    "async def f():\n    def g(a=await x): pass",
    "async def f():\n    return [await x for a in b]",
    "x = [await a for a in b]",
    "x = (await a for a in b)",
    "x = [a async for a in b]",
    "x = (a async for a in b)",
    "async def f():\n    return [a async for a in b]",
    "async def f():\n    return [[a async for a in b] for c in d]",
    "async def f():\n    return [[a async for a in b] async for c in d]",
    "def f():\n    async with a: pass",
    "async def f():\n    async with a: pass",
    "def f():\n    async for a in b: pass",
    "async def f():\n    async for a in b: pass",
    "async def f():\n    yield 1\n    return 1",
    "async def f():\n    yield 1\n    return",
    "async def f():\n    def g(): yield 1\n    return 1",
    "async def f():\n    yield from x",
    "def f():\n    yield 1\n    return 1",
    "def f(a, a): pass",
    "def f(a, *, a): pass",
    "def f(a, *a): pass",
    "lambda a, a: 1",
    "def f(a):\n    def g(a): pass",
    "f(a=1, a=2)",
    "f(a=1, **{'a': 2})",
    "class C(a=1, a=2): pass",
    "import os\nfrom __future__ import annotations",
    "'''text'''\nfrom __future__ import annotations\nfrom __future__ import division",
    "x = 1\nfrom __future__ import annotations",
    "'a'\n'b'\nfrom __future__ import annotations",
    "from __future__ import braces",
    "from __future__ import nothing",
    "def f():\n    from __future__ import annotations",
    "break",
    "continue",
    "while 1:\n    break",
    "for a in b:\n    continue\nelse:\n    break",
    "while 1:\n    def f(): break",
    "while 1:\n    class C: break",
    "while 1:\n    try:\n        pass\n    finally:\n        continue",
    "while 1:\n    while 1: pass\n    else: break",
    "for a in b:\n    with c:\n        if d: break",
    "nonlocal x",
    "def f(): nonlocal x",
    "def f():\n    x = 1\n    def g():\n        nonlocal x",
    "def f(x):\n    def g():\n        nonlocal x",
    "x = 1\ndef f():\n    def g():\n        nonlocal x",
    "def f():\n    global x\n    x = 1\n    def g():\n        nonlocal x",
    "def f():\n    x = 1\n    class C:\n        nonlocal x",
    "class C:\n    x = 1\n    def f(self):\n        nonlocal x",
    "class C:\n    def f(self):\n        nonlocal __class__",
    "def f():\n    for x in y: pass\n    def g():\n        def h():\n            nonlocal x",
    "def f():\n    if (x := 1): pass\n    def g():\n        nonlocal x",
    "def f():\n    y = [(x := a) for a in b]\n    def g():\n        nonlocal x",
    "def f():\n    y = [x for x in b]\n    def g():\n        nonlocal x",
    "def f():\n    try: pass\n    except E as x: pass\n    def g():\n        nonlocal x",
    "def f():\n    import x.y\n    def g():\n        nonlocal x",
    "def f():\n    def x(): pass\n    def g():\n        nonlocal x",
    "def f():\n    with a as (x, y): pass\n    def g():\n        nonlocal y",
    "def f():\n    del x\n    def g():\n        nonlocal x",
    "def f():\n    x: int\n    def g():\n        nonlocal x",
    "def f():\n    lambda y=(x := 1): y\n    def g():\n        nonlocal x",
    "def f():\n    def h(y=(x := 1)): pass\n    def g():\n        nonlocal x",
    "def f():\n    class D(x := object): pass\n    def g():\n        nonlocal x",
    "def f(x): global x",
    "def f(x):\n    def g(): global x",
    "def f(x): nonlocal x",
    "def f():\n    x = 1\n    global x",
    "def f():\n    print(x)\n    global x",
    "def f():\n    global x\n    x = 1",
    "def f():\n    y = [x for x in z]\n    global x",
    "def f():\n    y = lambda: x\n    global x",
    "def f():\n    def g(): x\n    global x",
    "x = 1\nglobal x",
    "global x\nx = 1",
    "class C:\n    x = 1\n    global x",
    "def f():\n    global x\n    x: int = 1",
    "def f(): from os import *",
    "class C: from os import *",
    "from os import *",
    "*a = b",
    "*a, = b",
    "a, *b, *c = d",
    "x = *a",
    "for x in *a, *b: pass",
    "__debug__ = 1",
    "def f(__debug__): pass",
    "import a as __debug__",
    "x = [y := 1 for y in z]",
    "x = [1 for y in (z := 1)]",
    "class C:\n    x = [(y := 1) for z in a]",
    "class C:\n    x = lambda: [(y := 1) for z in a]",
    "def f(): yield\nx: (yield)\n",
];

/// Syntax of Python 3.10 and later.
const NEWER: [(&str, u8); 12] = [
    ("match a:\n    case [x, x]: pass", 10),
    ("match a:\n    case [x, y]: pass", 10),
    ("match a:\n    case x: pass\n    case y: pass", 10),
    ("match a:\n    case _ if b: pass\n    case y: pass", 10),
    ("match a:\n    case {'k': 1, 'k': 2}: pass", 10),
    ("match a:\n    case C(k=1, k=2): pass", 10),
    ("match a:\n    case [x] | [y]: pass", 10),
    ("def f[T, T](): pass", 12),
    ("def f[T](a: T): pass", 12),
    ("class C[T](a := T): pass", 12),
    ("type X[T: (yield)] = T", 12),
    ("def f[T=int, U](): pass", 13),
];

/// Returns for each source whether a version's compiler accepts it.
fn compiled(minor: u8, sources: &[&str]) -> Vec<bool> {
    let script = "import json, sys, warnings\nwarnings.simplefilter('ignore')\nresults = []\n\
                  for source in json.loads(sys.argv[1]):\n    try:\n        compile(source, 'x', 'exec', dont_inherit=True)\n    \
                  except SyntaxError:\n        results.append(False)\n    else:\n        results.append(True)\nprint(json.dumps(results))";
    let mut command = Command::new(interpreter(&format!("3.{minor}")));
    serde_json::from_str(&succeed(command.args(["-I", "-c", script, &json!(sources).to_string()]))).unwrap()
}

fn parsed(minor: u8, source: &[u8]) -> Result<(), String> {
    let read = syntax::parse(source, PythonVersion::new(minor), |_, _| ());
    read.map(|_| ()).map_err(|error| format!("{}:{}: {}", error.line, error.column, error.reason))
}

#[test]
fn what_the_compiler_refuses_is_an_error() {
    for minor in VERSIONS {
        let newer = NEWER.iter().filter(|(_, since)| minor >= *since).map(|(source, _)| *source);
        let sources: Vec<&str> = SOURCES.into_iter().chain(newer).collect();
        let results = compiled(minor, &sources);
        assert!(results.contains(&true) && results.contains(&false));
        let read = sources.iter().map(|source| (source, parsed(minor, source.as_bytes())));
        let wrong: Vec<_> = read.zip(results).filter(|((_, read), is_valid)| read.is_ok() != *is_valid).collect();
        assert!(wrong.is_empty(), "3.{minor}: {wrong:#?}");
    }
}

/// Nothing that a compiler accepts is refused: the standard library is as varied as sources get.
#[test]
fn the_standard_library_is_accepted() {
    let minor = *VERSIONS.last().unwrap();
    let script = "import sysconfig; print(sysconfig.get_path('stdlib'))";
    let directory = succeed(Command::new(interpreter(&format!("3.{minor}"))).args(["-I", "-c", script]));
    let (mut directories, mut read) = (vec![Path::new(directory.trim()).to_owned()], 0);
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy();
            if path.is_dir() && !matches!(&*name, "test" | "tests" | "site-packages" | "idlelib") {
                directories.push(path);
            } else if name.ends_with(".py") {
                parsed(minor, &std::fs::read(&path).unwrap())
                    .unwrap_or_else(|error| panic!("{}:{error}", path.display()));
                read += 1;
            }
        }
    }
    assert!(read > 400, "{read}");
}
