#!/usr/bin/env bash
# `uv pip compile --universal` is not universal over Python versions: it pins for the Python that uv runs on and later, also if
# the project's own requires-python allows earlier ones. What only an earlier Python needs is silently missing from the result,
# for setup.py and for pyproject.toml. `--python-version` with the oldest one gives what one would expect; `uv lock` does by
# itself.
#
# Seen with uv 0.13.8.
#
# needs: python3 of 3.10 or later, with venv; PyPI
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "python3 is older than 3.10"; exit 1; }
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check uv==0.13.8 || exit 1
cat >pyproject.toml <<'END'
[project]
name = "app"
version = "1"
requires-python = ">=3.9"
dependencies = ["six==1.17.0", "zipp==3.20.0; python_version < '3.10'"]
END
compile() { venv/bin/uv pip compile -q --no-config --no-annotate --no-header --universal --python venv/bin/python "$@" pyproject.toml; }

plain=$(compile)
oldest=$(compile --python-version 3.9)
venv/bin/uv lock -q --python venv/bin/python
echo "requires-python >=3.9, uv on $(venv/bin/python -V)"
echo "--universal: $(echo $plain)"
echo "--universal --python-version 3.9: $(echo $oldest)"
echo "uv lock: $(grep -c '^name = "zipp"' uv.lock) entry of zipp"
[ "$plain" = "six==1.17.0" ] || { echo "changed: what only 3.9 needs is pinned"; exit 1; }
[[ $oldest == *zipp==3.20.0* ]] || { echo "changed: --python-version 3.9 does not pin it"; exit 1; }
grep -q '^name = "zipp"' uv.lock || { echo "changed: uv lock does not pin it"; exit 1; }
