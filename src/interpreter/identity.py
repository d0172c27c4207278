"""Defines what identifies an interpreter: what decides its bytecode, and what decides the code that is compiled for it."""

import importlib.machinery
import importlib.util
import os
import sys


def identity():
    """Returns what decides the bytecode, one property per line."""
    version = sys.version_info
    lines = [
        sys.implementation.name, f"{version.major}.{version.minor}", version.releaselevel,
        # `d` for a debug build, `t` for a free-threaded one.
        sys.abiflags, sys.implementation.cache_tag, importlib.util.MAGIC_NUMBER.hex(), sys.version,
    ]
    return "\n".join(map(str, lines))


def extension_abi():
    """Returns the ABI of extension modules and the machine. `sysconfig` would take longer than all the rest."""
    return f"{importlib.machinery.EXTENSION_SUFFIXES[0]} {sys.platform} {os.uname().machine}"
