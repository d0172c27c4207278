#!/usr/bin/env bash
# maturin writes the directory of the build into the SBOM that it puts into every wheel: the same crate, built in two
# directories with --compatibility linux and SOURCE_DATE_EPOCH set, gives two wheels that differ in
# `*.dist-info/sboms/*.cyclonedx.json` and, because of its digest, in RECORD. The compiled file itself is equal.
#
# Seen with maturin 1.16.0 and Rust 1.95.0: `bom-ref` of the crate is `path+file://DIRECTORY#demo@1.0.0`.
#
# needs: python3 with venv and pip, cargo, a linker; the registry of Python packages
set -euo pipefail
version=1.16.0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "maturin==$version"
export SOURCE_DATE_EPOCH=315532800

build() {
    mkdir -p "$1/src"
    printf '[package]\nname = "demo"\nversion = "1.0.0"\nedition = "2021"\n' >"$1/Cargo.toml"
    printf 'fn main() {\n    println!("demo");\n}\n' >"$1/src/main.rs"
    printf '[build-system]\nrequires = ["maturin"]\nbuild-backend = "maturin"\n[project]\nname = "demo"\nversion = "1.0.0"\n[tool.maturin]\nbindings = "bin"\nstrip = true\n' \
        >"$1/pyproject.toml"
    (cd "$1" && "$work/venv/bin/maturin" build --quiet --release --compatibility linux --out wheels)
}

build "$work/one"
build "$work/another"
python3 - "$work" <<'PYTHON'
import pathlib, sys, zipfile

work = pathlib.Path(sys.argv[1])
archives = [zipfile.ZipFile(next((work / name / "wheels").glob("*.whl"))) for name in ("one", "another")]
names = [sorted(archive.namelist()) for archive in archives]
assert names[0] == names[1], names
different = [name for name in names[0] if archives[0].read(name) != archives[1].read(name)]
print("differ:", *different)
sbom = [name for name in different if "/sboms/" in name]
assert len(sbom) == 1 and sorted(different) == sorted([*sbom, "demo-1.0.0.dist-info/RECORD"]), different
for archive, name in zip(archives, ("one", "another")):
    lines = archive.read(sbom[0]).decode().replace(",", ",\n").splitlines()
    named = [line.strip() for line in lines if str(work / name) in line]
    assert named, "the SBOM does not name the directory"
    print(name + ":", named[0].replace(str(work), "WORK"))
PYTHON
echo "as stated: maturin $version writes the directory of the build into the SBOM of the wheel"
