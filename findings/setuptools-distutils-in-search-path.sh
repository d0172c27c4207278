#!/usr/bin/env bash
# Since Python 3.12 removed distutils, installing setuptools is the usual way to get it back. That only works where setuptools is in
# site-packages: its `distutils-precedence.pth` makes `import distutils` find the copy in setuptools, and Python reads no such file
# in other directories of the search path. So with `pip install --target` and PYTHONPATH, which is how AWS Lambda finds the
# dependencies of a function, the same import fails, unless setuptools is imported before.
#
# Seen with setuptools 84.2.1 and CPython 3.12.1.
#
# needs: a python3 of 3.12 or later with venv; PyPI
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -c 'import sys; sys.exit(sys.version_info < (3, 12))' || { echo "python3 is older than 3.12"; exit 1; }
python3 -m venv installed
python3 -m venv bare
installed/bin/pip install -q --disable-pip-version-check setuptools==84.2.1
installed/bin/pip install -q --disable-pip-version-check --target directory setuptools==84.2.1
said() { "$@" 2>&1 | tail -1 || true; }
distutils='from distutils.version import LooseVersion; print("imported")'

in_site=$(said installed/bin/python -c "$distutils")
in_path=$(PYTHONPATH=directory said bare/bin/python -c "$distutils")
after=$(PYTHONPATH=directory said bare/bin/python -c "import setuptools; $distutils")
python3 -V
echo "setuptools in site-packages: $in_site"
echo "setuptools in PYTHONPATH:    $in_path"
echo "after import setuptools:     $after"
[ "$in_site" = imported ]
[ "$in_path" = "ModuleNotFoundError: No module named 'distutils'" ] || { echo "changed: distutils is found in the search path"; exit 1; }
[ "$after" = imported ] || { echo "changed: importing setuptools does not provide distutils"; exit 1; }
