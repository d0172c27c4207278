#!/usr/bin/env -S uv run --script
# /// script
# requires-python = ">=3.11"
# dependencies = ["ziglang==0.13.0"]
# ///
"""Makes the wheels of the example's index: testdata/example/index/*.whl.

The same contents come out on every machine: times, modes and the order of entries are fixed, and the one extension
module is compiled for both architectures by a pinned cross compiler. The wheels are committed, and written again only
where a content changes, because another zlib may deflate to other bytes. After a change, lock the example again:

    uv run --script testdata/make-index.py
    uv lock --project testdata/example

With --check nothing is written, and the exit status tells whether the committed wheels hold what this script makes.
"""

import base64
import hashlib
import io
import subprocess
import sys
import tempfile
import textwrap
import zipfile
from pathlib import Path

INDEX = Path(__file__).parent / "example" / "index"

TALLY_C = """\
/* The limited API of CPython 3.9, declared here so that the result does not depend on the headers of one machine. */
typedef struct _object PyObject;
typedef long Py_ssize_t;
typedef struct { const char *name; PyObject *(*call)(PyObject *, PyObject *); int flags; const char *doc; } PyMethodDef;
typedef struct { int slot; void *value; } PyModuleDef_Slot;
typedef struct {
    struct { Py_ssize_t refcount; void *type; void *init; Py_ssize_t index; void *copy; } base;
    const char *name; const char *doc; Py_ssize_t size; PyMethodDef *methods; PyModuleDef_Slot *slots;
    void *traverse; void *clear; void *free;
} PyModuleDef;
extern PyObject *PyModuleDef_Init(PyModuleDef *);
extern PyObject *PySequence_GetItem(PyObject *, Py_ssize_t);
extern Py_ssize_t PySequence_Size(PyObject *);
extern long PyLong_AsLong(PyObject *);
extern PyObject *PyLong_FromLong(long);
extern PyObject *PyErr_Occurred(void);
extern void Py_DecRef(PyObject *);

static PyObject *total(PyObject *module, PyObject *numbers) {
    (void)module;
    long sum = 0;
    Py_ssize_t size = PySequence_Size(numbers);
    for (Py_ssize_t at = 0; at < size; at++) {
        PyObject *item = PySequence_GetItem(numbers, at);
        if (!item) return 0;
        sum += PyLong_AsLong(item);
        Py_DecRef(item);
    }
    return PyErr_Occurred() ? 0 : PyLong_FromLong(sum);
}

enum { METH_O = 8 };
static PyMethodDef methods[] = {{"total", total, METH_O, "Returns the sum of a sequence of integers."}, {0, 0, 0, 0}};
static PyModuleDef_Slot slots[] = {{0, 0}};
static PyModuleDef definition = {.base = {.refcount = 1}, .name = "_tally", .methods = methods, .slots = slots};

PyObject *PyInit__tally(void) { return PyModuleDef_Init(&definition); }
"""


def compiled(architecture: str) -> bytes:
    """Returns the extension module for an architecture; it needs no symbol of any C library."""
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder, "tally.c"), Path(folder, "_tally.abi3.so")
        source.write_text(TALLY_C)
        subprocess.run(
            [sys.executable, "-m", "ziglang", "cc", "-target", f"{architecture}-linux-gnu.2.17", "-shared", "-fPIC",
             "-O2", "-s", "-nostdlib", "-Wl,--build-id=none", "-fno-sanitize=all", source.name, "-o", output.name],
            check=True, cwd=folder)
        return output.read_bytes()


class Wheel:
    """One wheel: a name, a version, a tag, and files by path; RECORD is made of them."""

    def __init__(self, name: str, version: str, *tags: str, build: str = "", pure: bool = True):
        self.module = name.replace("-", "_")
        self.dist_info = f"{self.module}-{version}.dist-info"
        python, abi, _ = tags[0].split("-")
        platforms = ".".join(tag.split("-")[2] for tag in tags)
        self.filename = "-".join(filter(None, [self.module, version, build, python, abi, platforms])) + ".whl"
        self.files: dict[str, bytes] = {}
        self.executable: set[str] = set()
        self.metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", "Requires-Python: >=3.9"]
        fields = [f"Root-Is-Purelib: {str(pure).lower()}", *([f"Build: {build}"] if build else []),
                  *(f"Tag: {tag}" for tag in tags)]
        self.add(f"{self.dist_info}/WHEEL", "Wheel-Version: 1.0\nGenerator: make-index\n" + "\n".join(fields) + "\n")

    def add(self, path: str, content: str | bytes, executable: bool = False) -> None:
        """Adds a file; text loses its common indentation."""
        self.files[path] = content if isinstance(content, bytes) else textwrap.dedent(content).lstrip("\n").encode()
        if executable:
            self.executable.add(path)

    def requires(self, *lines: str) -> None:
        """Adds lines of METADATA: Requires-Dist and Provides-Extra."""
        self.metadata += lines

    def write(self) -> bytes:
        """Returns the wheel's bytes."""
        self.add(f"{self.dist_info}/METADATA", "\n".join(self.metadata) + "\n")
        record = ""
        for path, content in sorted(self.files.items()):
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record += f"{path},sha256={digest},{len(content)}\n"
        self.add(f"{self.dist_info}/RECORD", record + f"{self.dist_info}/RECORD,,\n")
        # RECORD and its neighbours come last, as the wheel specification recommends.
        order = sorted(self.files, key=lambda path: (".dist-info/" in path, path.endswith("/RECORD"), path))
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for path in order:
                entry = zipfile.ZipInfo(path, (2020, 2, 2, 2, 2, 2))
                entry.create_system = 3
                entry.external_attr = (0o100755 if path in self.executable else 0o100644) << 16
                # Both methods that wheels use: what deflating would not shrink is stored.
                small = len(self.files[path]) < 256
                entry.compress_type = zipfile.ZIP_STORED if small else zipfile.ZIP_DEFLATED
                archive.writestr(entry, self.files[path])
        return buffer.getvalue()


def greeting() -> Wheel:
    """A pure distribution with package data, a console script, an extra and a dependency for old interpreters."""
    wheel = Wheel("example-greeting", "1.2.0", "py3-none-any")
    wheel.requires('Requires-Dist: example-compat>=1.0; python_version < "3.11"', "Provides-Extra: banner",
                   'Requires-Dist: example-banner~=0.3.0; extra == "banner"')
    wheel.add("example_greeting/__init__.py", '''
        """Greetings in several languages."""
        import json
        import pathlib

        WORDS = json.loads(pathlib.Path(__file__).with_name("words.json").read_text(encoding="utf-8"))


        def greet(name, language="en"):
            """Returns a greeting."""
            return f"{WORDS[language]}, {name}!"


        def main():
            """Greets the world."""
            print(greet("world"))
        ''')
    wheel.add("example_greeting/words.json", '{"de": "Grüß dich", "en": "Hello", "fr": "Bonjour"}\n')
    wheel.add("example_greeting/py.typed", "")
    wheel.add(f"{wheel.dist_info}/entry_points.txt", "[console_scripts]\nexample-greet = example_greeting:main\n")
    return wheel


def banner() -> Wheel:
    """A pure distribution with a script, a shell script, a data file and a header."""
    wheel = Wheel("example-banner", "0.3.1", "py3-none-any")
    data = "example_banner-0.3.1.data"
    wheel.add("example_banner.py", '''
        """Frames a line of text."""


        def frame(text):
            """Returns the text in capitals between two stars."""
            return f"* {text.upper()} *"
        ''')
    wheel.add(f"{data}/scripts/example-frame", '''
        #!python
        import sys

        import example_banner

        print(example_banner.frame(" ".join(sys.argv[1:])))
        ''', executable=True)
    wheel.add(f"{data}/scripts/example-frame.sh", '#!/bin/sh\nexec example-frame "$@"\n', executable=True)
    wheel.add(f"{data}/data/share/example-banner/stars.txt", "*\n")
    wheel.add(f"{data}/headers/banner.h", "#define BANNER_STAR '*'\n")
    return wheel


def tally(platform: str, architecture: str, module: bytes) -> Wheel:
    """A distribution with an extension module for the limited API."""
    tags = [f"cp39-abi3-{platform}_{architecture}"]
    if platform == "manylinux_2_17":
        tags.append(f"cp39-abi3-manylinux2014_{architecture}")
    wheel = Wheel("example-tally", "2.0.0", *tags, pure=False)
    wheel.add("example_tally/__init__.py", f'''
        """Adds integers, by an extension module."""
        from example_tally._tally import total

        BUILD = "{platform}"
        """The wheel that this file came in."""
        ''')
    wheel.add("example_tally/_tally.abi3.so", module, executable=True)
    return wheel


def pure_tally() -> Wheel:
    """The same without an extension module."""
    wheel = Wheel("example-tally", "2.0.0", "py3-none-any")
    wheel.add("example_tally/__init__.py", '''
        """Adds integers."""

        total = sum

        BUILD = "any"
        """The wheel that this file came in."""
        ''')
    return wheel


def compat() -> Wheel:
    """A distribution with two builds, of which the higher number wins."""
    wheel = Wheel("example-compat", "1.0", "py3-none-any", build="2")
    wheel.add("example_compat.py", '"""What old interpreters lack."""\n')
    return wheel


def checks() -> Wheel:
    """A distribution for development, which no bundle contains unless its group is named."""
    wheel = Wheel("example-checks", "5.1", "py3-none-any")
    wheel.add("example_checks.py", '"""Checks that run before a commit."""\n')
    return wheel


def entries(wheel: bytes) -> list[tuple[str, int, bytes]]:
    """Returns the names, modes and contents of a wheel's entries."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        return [(entry.filename, entry.external_attr, archive.read(entry)) for entry in archive.infolist()]


def main() -> int:
    wheels = [greeting(), banner(), pure_tally(), compat(), checks()]
    for architecture in ("x86_64", "aarch64"):
        module = compiled(architecture)
        wheels += [tally(platform, architecture, module) for platform in ("manylinux_2_17", "manylinux_2_34")]
    made = {wheel.filename: wheel.write() for wheel in wheels}
    kept = {path.name: path.read_bytes() for path in INDEX.glob("*.whl")}
    changed = [name for name in made if name not in kept or entries(made[name]) != entries(kept[name])]
    gone = kept.keys() - made.keys()
    print("\n".join(sorted([*changed, *gone])) or f"{len(made)} wheels, all as they were")
    if "--check" in sys.argv[1:]:
        return 1 if changed or gone else 0
    INDEX.mkdir(parents=True, exist_ok=True)
    for name in gone:
        (INDEX / name).unlink()
    for name in changed:
        (INDEX / name).write_bytes(made[name])
    return 0


if __name__ == "__main__":
    sys.exit(main())
