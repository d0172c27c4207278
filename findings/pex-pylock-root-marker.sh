#!/usr/bin/env bash
# `pex3 lock export --format pep-751` turns a universal lock into a pylock.toml in which requirements of distributions keep their
# markers, and requirements of the user lose them: `tomli; python_version < "3.11"` becomes a package for every Python, without a
# word. In the format `pip`, it is there or not, as for the interpreter that runs pex.
#
# Seen with pex 2.105.2 on CPython 3.11.
#
# needs: a python3 of 3.11 or later with venv; PyPI
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv tools
tools/bin/pip install -q --disable-pip-version-check pex==2.105.2
tools/bin/pex3 lock create --pex-root root --style universal --interpreter-constraint 'CPython>=3.9,<3.14' \
    'click==8.1.7' 'tomli==2.0.1; python_version < "3.11"' -o lock.json
tools/bin/pex3 lock export --pex-root root --format pep-751 lock.json >pylock.toml
tools/bin/pex3 lock export --pex-root root --format pip-no-hashes lock.json >requirements.txt

marker() { awk -v name="$1" '/^\[\[packages\]\]/ { of = 0 } $0 == "name = \"" name "\"" { of = 1 } of && /^marker = / { print }' pylock.toml; }
grep -q '^name = "tomli"' pylock.toml
echo "colorama, which click requires on Windows: $(marker colorama)"
echo "tomli, which was requested below 3.11: $(marker tomli)(nothing)"
echo "for pip: $(tr '\n' ' ' <requirements.txt)"
[ "$(marker colorama)" = 'marker = "platform_system == \"Windows\""' ]
[ -z "$(marker tomli)" ]
[ "$(cat requirements.txt)" = "click==8.1.7" ]
