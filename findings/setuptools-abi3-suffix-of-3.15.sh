#!/usr/bin/env bash
# A wheel that is tagged cp39-abi3 promises a module for 3.9 and every later version. Built by setuptools on Python 3.15, it
# has a module that 3.9 to 3.14 do not look at: setuptools takes the first suffix with `.abi3` that the building interpreter
# knows, and since 3.15 that is `.abi3-x86_64-linux-gnu.so`, before `.abi3.so`. The import fails as if there were no file.
#
# Seen with setuptools 84.2.1 and CPython 3.15.0.
#
# needs: python3.15, an older python3 with pip; PyPI
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

older=$(command -v python3)
"$older" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: setuptools==84.2.1
suffix=$(PYTHONPATH=$(echo "$work"/setuptools-*.whl) python3.15 -W ignore -c \
    'from setuptools.command.build_ext import get_abi3_suffix; print(get_abi3_suffix())')
known=$("$older" -c 'import importlib.machinery as m; print(*m.EXTENSION_SUFFIXES)')
echo "setuptools on Python 3.15 names modules of the stable ABI: probe$suffix"
echo "$("$older" -V) looks for: $known"
[[ " $known " != *" $suffix "* ]] || { echo "changed: $older looks for $suffix"; exit 1; }
touch "probe$suffix"
"$older" -c 'import importlib.util as u, sys; sys.path.insert(0, "."); sys.exit(u.find_spec("probe") is not None)' \
    || { echo "changed: it is found"; exit 1; }
