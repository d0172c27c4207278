#!/usr/bin/env bash
# `pex --platform` with a platform for which PyPI has no wheel of exactly that tag builds the source distribution with the
# interpreter that runs pex, and puts the result into the archive: a .pex for CPython 3.12 holds a module that only the host's
# Python can import. That is a warning, and the exit status is 0. The tag is easily missed: wheels for manylinux_2_17 are not taken
# for manylinux_2_28.
#
# Seen with pex 2.105.2 on CPython 3.11.
#
# needs: a python3 that is not 3.12, with venv and its headers; a C compiler; unzip; PyPI
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv tools
tools/bin/pip install -q --disable-pip-version-check pex==2.105.2
host=cp$(tools/bin/python -c 'import sys; print("%d%d" % sys.version_info[:2])')
[ "$host" != cp312 ] || { echo "choose another python3: this one is the target's"; exit 1; }

tools/bin/pex --pex-root root --platform manylinux_2_28_x86_64-cp-312-cp312 markupsafe==2.1.5 -o app.pex 2>log
echo "exit status $?, $(grep -c PEXWarning log) warning"
module=$(unzip -Z1 app.pex | grep '_speedups.*\.so$')
echo "for CPython 3.12: $(basename "$module")"
case $module in *cpython-"${host#cp}"-*) ;; *) exit 1 ;; esac

# With the tag that the wheels have, it takes the wheel.
tools/bin/pex --pex-root root --platform manylinux2014_x86_64-cp-312-cp312 markupsafe==2.1.5 -o right.pex 2>log
unzip -Z1 right.pex | grep -q '_speedups.cpython-312-'
