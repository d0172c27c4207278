#!/usr/bin/env bash
# A file that needs a symbol version `GLIBC_…` is compiled for glibc, one would think: musl has no symbol versions. But GCC's
# libgcc_s defines `GLIBC_2.0` on aarch64, also where it is built for musl, and what is linked to it needs that version from it.
# Only the library that a version is needed from tells.
#
# Seen with the musllinux wheel of pydantic-core 2.50.5 for aarch64, which needs GLIBC_2.0 from its own copy of libgcc_s; that for
# x86_64 does not.
#
# needs: python3 with venv and pip, unzip, binutils; PyPI
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
for machine in x86_64 aarch64; do
    venv/bin/pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --implementation cp \
        --python-version 3.11 --platform "musllinux_1_1_$machine" --dest "$machine" pydantic-core==2.50.5
    unzip -q "$machine"/*.whl -d "$machine"
    readelf -VW "$machine"/pydantic_core/*.so 2>/dev/null | grep -E 'File: |Name: GLIBC_' >"$machine.needs" || true
    echo "$machine is linked to $(readelf -dW "$machine"/pydantic_core/*.so | grep -o '\[lib[^]]*' | tr -d '[' | tr '\n' ' ')"
    echo "$machine needs$(tr -s ' ' <"$machine.needs" | tr '\n' ';')"
done
grep -q 'Name: GLIBC_2.0' aarch64.needs || { echo "changed: the wheel for aarch64 needs no version of glibc"; exit 1; }
! grep -q 'Name: GLIBC_' x86_64.needs || { echo "changed: the wheel for x86_64 needs one, too"; exit 1; }
