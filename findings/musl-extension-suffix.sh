#!/usr/bin/env bash
# The suffix of extension modules seems to name the C library: `.cpython-311-x86_64-linux-gnu.so` for glibc and
# `.cpython-311-x86_64-linux-musl.so` for musl, and Python looks at no file with the other's. But before 3.11, CPython on
# musl has `linux-gnu`, too: all musllinux wheels for 3.9 and 3.10 have such files. Who takes the suffix for the C library
# refuses each of them.
#
# Seen with the wheels of markupsafe 3.0.2.
#
# needs: python3 with venv and pip, unzip; PyPI
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
suffix() {
    venv/bin/pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --implementation cp \
        --python-version "$1" --platform musllinux_1_2_x86_64 --dest "$1" markupsafe==3.0.2
    unzip -l "$1"/*.whl | grep -o '\.cpython-[^ /]*\.so$'
}
for python in 3.9 3.10 3.11 3.12; do
    echo "musllinux wheel for Python $python: $(suffix "$python")"
done
[ "$(suffix 3.10)" = .cpython-310-x86_64-linux-gnu.so ] || { echo "changed: 3.10 has a suffix of musl's own"; exit 1; }
[ "$(suffix 3.11)" = .cpython-311-x86_64-linux-musl.so ] || { echo "changed: 3.11 has no suffix of musl's own"; exit 1; }
