#!/usr/bin/env bash
# Bytecode in `__pycache__` is what compileall and installers write, and what Python loads from directories. From a zip, it never
# is: zipimport looks for `NAME.pyc` beside `NAME.py` alone, and takes that first. So a zip that is made of an installed tree with
# its bytecode is larger, and every process compiles all sources again. Another difference: Python corrects the path in the
# code that it loads from a directory, but not in that from a zip, so tracebacks name the path that the compiler was given.
#
# Seen with CPython 3.9.18, 3.11.7, 3.13.0, 3.14.8 and 3.15.0: the code in `__pycache__` differs from the source here, as
# unchecked-hash bytecode (PEP 552) may, so that what ran is plain.
#
# needs: python3
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >build.py <<'END'
import importlib.util, os, py_compile, sys, zipfile
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
def write(name, text):
    with open(name, "w") as file:
        file.write(text)
def compiled(name, text):
    write("other.py", text)
    py_compile.compile("other.py", name, dfile="given/to/the/compiler.py", invalidation_mode=mode)
os.mkdir("tree")
write("tree/probe.py", "CODE = 'source'\ndef where(): return where.__code__.co_filename\n")
cached = importlib.util.cache_from_source("tree/probe.py")
compiled(cached, "CODE = '__pycache__'\ndef where(): return where.__code__.co_filename\n")
compiled("probe.pyc", "CODE = 'beside'\ndef where(): return where.__code__.co_filename\n")
for name, files in {"cached.zip": {cached[5:]: cached}, "beside.zip": {"probe.pyc": "probe.pyc"}}.items():
    with zipfile.ZipFile(name, "w") as archive:
        archive.write("tree/probe.py", "probe.py")
        for path, file in files.items():
            archive.write(file, path)
END
python=$(command -v python3)
"$python" build.py
loaded() { (cd / && PYTHONPATH=$work/$1 "$python" -S -B -c 'import probe; print(probe.CODE, probe.where())'); }
"$python" -V
echo "a directory with __pycache__:  $(loaded tree)"
echo "a zip with __pycache__:        $(loaded cached.zip)"
echo "a zip with bytecode beside it: $(loaded beside.zip)"
[ "$(loaded tree)" = "__pycache__ $work/tree/probe.py" ]
[[ $(loaded cached.zip) == "source "* ]] || { echo "changed: bytecode in __pycache__ is loaded from a zip"; exit 1; }
[ "$(loaded beside.zip)" = "beside given/to/the/compiler.py" ] || { echo "changed: bytecode beside the source"; exit 1; }
