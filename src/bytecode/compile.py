"""Compiles sources to bytecode, one after the other, and runs none of them.

It says what interpreter it is, and then answers each question on standard input on standard output, until that ends. Each
text or file is preceded by its length, four bytes with the least first. A question is the name that tracebacks show,
and the source. An answer is empty if there is no bytecode of the source, else what PEP 552 says of a file whose
source is never looked at.
"""

import gc
import importlib.util
import marshal
import sys

# The flags of PEP 552: by the source's hash, which need not be checked.
UNCHECKED_HASH = 1


def number(value):
    return value.to_bytes(4, "little")


def answer(answered):
    sys.stdout.buffer.write(number(len(answered)) + answered)
    sys.stdout.buffer.flush()


def read():
    """Returns what comes next, or nothing at the end."""
    length = sys.stdin.buffer.read(4)
    return sys.stdin.buffer.read(int.from_bytes(length, "little")) if length else None


def bytecode(name, source):
    """Returns the bytecode of a source; none if an import of it would fail too."""
    try:
        # As bytes, so that the encoding is the one that the source declares (PEP 263).
        code = compile(source, name, "exec", dont_inherit=True, optimize=0)
        body = marshal.dumps(code)
    except Exception:
        return b""
    return importlib.util.MAGIC_NUMBER + number(UNCHECKED_HASH) + importlib.util.source_hash(source) + body


def identity():
    version = sys.version_info
    said = [
        sys.implementation.name, f"{version.major}.{version.minor}", version.releaselevel,
        # `d` for a debug build, `t` for one without the global lock.
        sys.abiflags, sys.implementation.cache_tag, importlib.util.MAGIC_NUMBER.hex(), sys.version,
    ]
    return "\n".join(map(str, said)).encode()


def main():
    # Nothing that is made here is part of a cycle.
    gc.disable()
    answer(identity())
    while (name := read()) is not None:
        answer(bytecode(name.decode(), read()))


main()
