"""Compiles sources to bytecode without running them.

Writes the interpreter's identity, then a response to each request until standard input ends. All strings are preceded by
their length as a 32-bit little-endian integer. A request is the file name for tracebacks and the source. A response is
an unchecked hash-based pyc file (PEP 552), or empty if the source cannot be compiled.
"""

import gc
import importlib.util
import marshal
import sys

# `identity` is defined by src/interpreter/identity.py, which is run before this.

# The flags of an unchecked hash-based pyc (PEP 552).
UNCHECKED_HASH = 1


def number(value):
    return value.to_bytes(4, "little")


def respond(response):
    sys.stdout.buffer.write(number(len(response)) + response)
    sys.stdout.buffer.flush()


def read():
    """Returns the next string, or None at the end."""
    length = sys.stdin.buffer.read(4)
    return sys.stdin.buffer.read(int.from_bytes(length, "little")) if length else None


def bytecode(name, source):
    """Returns the bytecode of a source, or nothing if importing it would fail, too."""
    try:
        # Bytes are decoded with the encoding that the source declares (PEP 263).
        code = compile(source, name, "exec", dont_inherit=True, optimize=0)
        body = marshal.dumps(code)
    except Exception:
        return b""
    return importlib.util.MAGIC_NUMBER + number(UNCHECKED_HASH) + importlib.util.source_hash(source) + body


def main():
    # No reference cycles are created here, so the collector would only cost time.
    gc.disable()
    respond(identity().encode())
    while (name := read()) is not None:
        respond(bytecode(name.decode(), read()))


main()
