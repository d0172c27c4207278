#!/usr/bin/env bash
# `pip download --platform manylinux_2_28_x86_64` takes wheels with exactly that tag and refuses those for an earlier glibc,
# which run there just as well: markupsafe 2.1.5, whose wheels say manylinux_2_17 and manylinux2014, is "not found", and without
# the pin another version is chosen without a word. manylinux2014 alone stands for its predecessors, too. uv's
# `--python-platform x86_64-manylinux_2_28` takes every wheel that the platform runs, as an interpreter there would.
#
# Seen with pip 26.3 and uv 0.13.8.
#
# needs: python3 with venv; PyPI
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv tools
tools/bin/pip install -q --disable-pip-version-check pip==26.3 uv==0.13.8
wheel_of() {
    rm -rf found
    tools/bin/pip download -q --disable-pip-version-check --no-deps --only-binary :all: --platform "$1" --python-version 3.12 \
        -d found "$2" 2>log && basename found/*.whl
}

pinned=$(wheel_of manylinux_2_28_x86_64 markupsafe==2.1.5) && { echo "pip took $pinned"; exit 1; }
grep -q 'No matching distribution found for markupsafe==2.1.5' log
sed -n 's/.*\(from versions: .*\))/pip, manylinux_2_28, markupsafe==2.1.5: not found, \1/p' log
echo "pip, manylinux2014, markupsafe==2.1.5: $(wheel_of manylinux2014_x86_64 markupsafe==2.1.5)"
unpinned=$(wheel_of manylinux_2_28_x86_64 'markupsafe<3.0.4')
echo "pip, manylinux_2_28, markupsafe<3.0.4: $unpinned"

tools/bin/uv pip install -q --no-config --no-deps --only-binary :all: --python-platform x86_64-manylinux_2_28 \
    --python-version 3.12 --target tree markupsafe==2.1.5
echo "uv, manylinux_2_28, markupsafe==2.1.5: $(sed -n 's/^Tag: //p' tree/*.dist-info/WHEEL | tr '\n' ' ')"
case $unpinned in markupsafe-3.0.3-*manylinux_2_28_x86_64.whl) ;; *) exit 1 ;; esac
ls tree/*.dist-info/WHEEL >/dev/null
