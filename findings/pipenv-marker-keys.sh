#!/usr/bin/env bash
# pipenv's documentation restricts a dependency to a platform by a key that is named after the marker variable:
# `sys_platform = "== 'win32'"`. `pipenv lock` accepts the key and writes the entry without any marker, and `pipenv
# requirements` then lists the dependency for every platform. Only the key `markers` is kept.
#
# Seen with pipenv 2026.10.3 and Python 3.11 on Linux: colorama, for Windows alone, is locked and exported without a marker;
# six, with `markers`, keeps it.
#
# needs: python3 with venv and pip; the registry of Python packages
set -euo pipefail
version=2026.10.3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet "pipenv==$version"
python=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
cat >Pipfile <<PIPFILE
[[source]]
name = "pypi"
url = "https://pypi.org/simple"
verify_ssl = true

[packages]
colorama = {version = "==0.4.6", sys_platform = "== 'win32'"}
six = {version = "==1.17.0", markers = "sys_platform == 'win32'"}

[requires]
python_version = "$python"
PIPFILE
export PIPENV_VENV_IN_PROJECT=1 PIPENV_NOSPIN=1 PIPENV_YES=1
venv/bin/pipenv lock >/dev/null 2>&1
python3 - <<'PYTHON'
import json

locked = json.load(open("Pipfile.lock"))["default"]
print("colorama:", {key: locked["colorama"][key] for key in locked["colorama"] if key != "hashes"})
print("six:", {key: locked["six"][key] for key in locked["six"] if key != "hashes"})
assert "markers" not in locked["colorama"] and "sys_platform" not in locked["colorama"], locked["colorama"]
assert locked["six"]["markers"] == "sys_platform == 'win32'", locked["six"]
PYTHON
venv/bin/pipenv requirements 2>/dev/null | grep -v '^-i' | tee exported
grep -qx 'colorama==0.4.6' exported
grep -q '^six==1.17.0; *sys_platform' exported
echo "as stated: pipenv $version drops the key sys_platform"
