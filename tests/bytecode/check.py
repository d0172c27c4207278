"""Asserts that every bytecode file below a directory equals what importing its source would produce, and prints their number.

    check.py FOLDER
"""

import importlib.util
import marshal
import pathlib
import sys
import types
import warnings

warnings.simplefilter("ignore")


def assert_equal(one, other, where):
    """Compares objects as marshal writes them, recursively: equal numbers of different types differ."""
    assert type(one) is type(other), where
    if isinstance(one, types.CodeType):
        fields = [name for name in dir(one) if name.startswith("co_") and not callable(getattr(one, name))]
        assert "co_filename" in fields and "co_consts" in fields
        for name in fields:
            assert_equal(getattr(one, name), getattr(other, name), f"{where} {one.co_name} {name}")
    elif isinstance(one, tuple):
        assert len(one) == len(other), where
        for first, second in zip(one, other):
            assert_equal(first, second, where)
    elif isinstance(one, frozenset):
        assert one == other and sorted(map(repr, one)) == sorted(map(repr, other)), where
    else:
        assert repr(one) == repr(other), (where, one, other)


def main():
    root, count = pathlib.Path(sys.argv[1]), 0
    for path in sorted(root.rglob(f"*.{sys.implementation.cache_tag}.pyc")):
        source = pathlib.Path(importlib.util.source_from_cache(str(path)))
        text, bytecode = source.read_bytes(), path.read_bytes()
        assert importlib.util.cache_from_source(str(source)) == str(path)
        header = importlib.util.MAGIC_NUMBER + b"\1\0\0\0" + importlib.util.source_hash(text)
        assert bytecode[:16] == header, path
        name = source.relative_to(root).as_posix()
        assert_equal(marshal.loads(bytecode[16:]), compile(text, name, "exec", dont_inherit=True), name)
        count += 1
    print(count)


main()
