#!/usr/bin/env bash
# The `*.egg-info` directory in a source distribution is output of the build that made it: setuptools writes all of its files
# again. But when it builds the wheel, it first reads the old SOURCES.txt, and package data that is listed there alone gets into
# the wheel. It often is the only list: with setuptools-scm, the files come from the repository, which a source distribution
# lacks. Without that directory, or with another `egg_base`, the wheel is built without a warning and lacks the data.
#
# Seen with setuptools 84.2.1, setuptools-scm 10.3.4 and the source distribution of jaraco.text 4.0.0, whose module reads
# `Lorem ipsum.txt` when it is imported.
#
# needs: python3 of 3.10 or later with venv; PyPI
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check setuptools==84.2.1 setuptools-scm==10.3.4 wheel==0.45.1
venv/bin/pip download -q --disable-pip-version-check --no-deps --no-build-isolation --no-binary :all: jaraco.text==4.0.0
build() {
    mkdir "$1" "$1.wheel"
    tar -xzf jaraco*text-4.0.0.tar.gz -C "$1" --strip-components 1
    [ "$1" = whole ] || rm -r "$1"/*.egg-info
    venv/bin/pip wheel -q --disable-pip-version-check --no-deps --no-build-isolation -w "$1.wheel" "./$1"
    python3 -m zipfile -l "$1.wheel"/*.whl >"$1.files"
    grep -q '^jaraco/text/__init__.py' "$1.files"
}
build whole
build without
data() { grep -o '^jaraco/text/.*\.txt' "$1.files" || true; }

whole=$(data whole)
without=$(data without)
echo "package data of the wheel: ${whole:-none}"
echo "without the egg-info of the source distribution: ${without:-none}"
[ "$whole" = "jaraco/text/Lorem ipsum.txt" ] || { echo "changed: the wheel lacks the data"; exit 1; }
[ -z "$without" ] || { echo "changed: the data is found without the list"; exit 1; }
