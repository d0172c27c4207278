#!/usr/bin/env bash
# A pure wheel in the search path can be imported as it is, one would think, since it is a zip with packages at its root. But
# before Python 3.14, zipimport finds a namespace package, which has no `__init__.py`, only if the zip has an entry for its
# directory. Wheels have none: `jaraco` is not found, with or without the rest of the zip. The same files packed by `zip -r`,
# which writes entries for directories, are imported; by `zip -rD`, which does not, they are not.
#
# Seen with CPython 3.10.13, 3.11.7, 3.12.1 and 3.13.0 and jaraco.context 6.0.1; 3.14.8 finds it (cpython#59110).
#
# needs: a python3 from 3.10 to 3.13 with venv; zip; PyPI
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 14))' || { echo "python3 is not 3.10 to 3.13"; exit 1; }
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check --no-deps --target files jaraco.context==6.0.1 backports.tarfile==1.2.0
venv/bin/pip download -q --disable-pip-version-check --no-deps --only-binary :all: jaraco.context==6.0.1
(cd files && zip -qr ../with-directories.zip . && zip -qrD ../without-directories.zip .)
imports() { PYTHONPATH=$1:files/backports-alone python3 -S -c 'import jaraco.context' 2>&1 | tail -1 || true; }

# What jaraco.context requires before Python 3.12 is in a directory.
mkdir files/backports-alone
mv files/backports files/backports-alone/
python3 -V
wheel=$(imports "$(echo jaraco*.whl)")
with=$(imports with-directories.zip)
without=$(imports without-directories.zip)
echo "the wheel: $wheel"
echo "zip -r:    ${with:-imported}"
echo "zip -rD:   $without"
[[ $wheel == *"No module named 'jaraco'"* ]] || { echo "changed: the wheel is imported"; exit 1; }
[[ $without == *"No module named 'jaraco'"* ]] || { echo "changed: it is imported without entries for directories"; exit 1; }
[ -z "$with" ] || { echo "changed: it is not imported with them"; exit 1; }
