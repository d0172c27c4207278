#!/usr/bin/env bash
# A wheel that is a path source in `[tool.uv.sources]` is locked with its digest. When the file is built again with the same name,
# `uv lock` leaves the old digest, and so does `uv lock --refresh`; `uv lock --check` calls the lock up to date. But `uv sync`
# refuses the file. Only `uv lock --upgrade-package NAME` reads it. For a file of an index, `--refresh` does.
#
# Seen with uv 0.13.8.
#
# needs: a python3 of 3.9 or later with venv; PyPI
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv tools
tools/bin/pip install -q --disable-pip-version-check uv==0.13.8 flit_core==3.12.0
uv() { env -u UV_CACHE_DIR tools/bin/uv --no-config --cache-dir cache --quiet "$@"; }
mkdir -p library app/wheels
printf '[build-system]\nrequires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n[project]\nname = "library"\nversion = "1"\ndescription = "x"\nrequires-python = ">=3.9"\n' \
    >library/pyproject.toml
build() {
    echo "BUILD = $1" >library/library.py
    tools/bin/python -m flit_core.wheel --outdir "$work/app/wheels" library >/dev/null
}
printf '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = ["library"]\n[tool.uv.sources]\nlibrary = { path = "wheels/library-1-py3-none-any.whl" }\n' \
    >app/pyproject.toml
locked() { grep -o 'library-1-py3-none-any.whl", hash = "sha256:[0-9a-f]*' app/uv.lock | grep -o '[0-9a-f]*$'; }
file() { python3 -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' app/wheels/*.whl; }

build 1
uv lock --project app
first=$(locked)
[ "$first" = "$(file)" ]
build 2
uv lock --project app
after_lock=$(locked)
uv lock --project app --check && check=current || check=outdated
uv lock --project app --refresh
after_refresh=$(locked)
uv sync --project app 2>log && sync=succeeds || sync=fails
uv lock --project app --upgrade-package library
after_upgrade=$(locked)
is() { [ "$1" = "$(file)" ] && echo "that of the file" || echo "the earlier one"; }
echo "after uv lock: $(is "$after_lock"); --check says: $check"
echo "after uv lock --refresh: $(is "$after_refresh"); uv sync $sync: $(grep -o -i 'hash mismatch' log || true)"
echo "after uv lock --upgrade-package: $(is "$after_upgrade")"
[ "$after_lock" = "$first" ] && [ "$check" = current ] || { echo "changed: uv lock takes note of the file"; exit 1; }
[ "$after_refresh" = "$first" ] || { echo "changed: --refresh reads the file"; exit 1; }
[ "$sync" = fails ] || { echo "changed: uv sync accepts the file"; exit 1; }
[ "$after_upgrade" = "$(file)" ] || { echo "changed: --upgrade-package keeps the digest"; exit 1; }
