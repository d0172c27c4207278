"""Runs a function so that `python -X importtime` tells about each of its modules.

    python -X importtime -m pybundle_imports HANDLER

CPython measures what the import statement and `__import__` import. `importlib.import_module`, by which AWS's client imports the
handler and packages such as pydantic import their modules, is not measured: here, it imports as the statement does.
"""

import importlib
import importlib.util
import runpy
import sys

unmeasured = importlib.import_module


def import_module(name, package=None):
    if name.startswith("."):
        if not package:
            return unmeasured(name, package)
        name = importlib.util.resolve_name(name, package)
    __import__(name)
    return sys.modules[name]


importlib.import_module = import_module
sys.argv = ["awslambdaric", sys.argv[1]]
runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)
