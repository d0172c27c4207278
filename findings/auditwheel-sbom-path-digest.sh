#!/usr/bin/env bash
# auditwheel ends the `bom-ref` of each bundled library in the SBOM of a wheel with `#` and 64 hexadecimal digits. They are not
# the SHA-256 of the library, neither of the file in the wheel nor of the one that it was copied from, but of its path on the
# machine that repaired the wheel: SHA-256 of `/lib64/libkrb5.so.3.3`. The path is not in the wheel. The digits in the name of
# the copied file (`libkrb5-fcafa220.so.3.3`) are of its contents, and differ. So which file a component is can only be told
# by guessing its directory.
#
# Seen in psycopg2-binary 2.9.13, written by auditwheel 6.7.0: nine components with such a reference, four of them krb5-libs
# with the same package URL.
#
# needs: python3 with venv and pip; the registry of Python packages
set -euo pipefail
version=2.9.13
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" download --quiet --no-deps --only-binary :all: --python-version 3.12 \
    --platform manylinux2014_x86_64 --dest "$work" "psycopg2-binary==$version"
python3 - "$work" <<'PYTHON'
import hashlib, json, pathlib, re, sys, zipfile

archive = zipfile.ZipFile(next(pathlib.Path(sys.argv[1]).glob("*.whl")))
[sbom] = [name for name in archive.namelist() if name.endswith("/sboms/auditwheel.cdx.json")]
components = [found for found in json.loads(archive.read(sbom))["components"] if "#" in found["bom-ref"]]
digests = {component["bom-ref"].rsplit("#", 1)[1]: component for component in components}
assert len(digests) == len(components) == 9, len(components)
libraries = [name for name in archive.namelist() if re.search(r"\.libs/.+-[0-9a-f]{8}\.so", name)]
for name in libraries:
    assert hashlib.sha256(archive.read(name)).hexdigest() not in digests, f"{name}: a digest of contents"
    copied = re.search(r"-([0-9a-f]{8})\.so", name)[1]
    assert not any(digest.startswith(copied) for digest in digests), f"{name}: a digest of the original's contents"
    path = "/lib64/" + re.sub(r"-[0-9a-f]{8}(?=\.so)", "", name.rsplit("/", 1)[1])
    component = digests.pop(hashlib.sha256(path.encode()).hexdigest(), None)
    if component:
        print(component["name"], component["version"], "is", name, "by the digest of", path)
assert not digests, f"not explained: {digests}"
PYTHON
echo "as stated: the references in auditwheel's SBOM are digests of paths"
