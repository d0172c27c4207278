#!/usr/bin/env bash
# hatchling omits from wheels what git ignores, but decides it in its own way: it reads one file, the nearest `.gitignore` at or
# above the project, and matches its patterns against paths relative to the project. So in a repository with several projects,
# - `/reports/` in the repository's file, which git applies to the top directory alone, removes the package `reports` of a project
#   below: the wheel is built without a warning and contains no module;
# - with a `.gitignore` of the project, that of the repository does not count: the wheel contains what git ignores.
#
# Seen with hatchling 1.33.0.
#
# needs: python3 of 3.10 or later with venv; git; PyPI
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check hatchling==1.33.0
git init -q repository
cd repository
printf '/reports/\n*.sqlite\n' >.gitignore
for project in plain own; do
    mkdir -p "$project/reports"
    printf '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n[project]\nname = "reports"\nversion = "1"\n' \
        >"$project/pyproject.toml"
    touch "$project/reports/__init__.py" "$project/reports/local.sqlite"
done
echo '*.tmp' >own/.gitignore
ignored() { git check-ignore -- */reports/* | tr '\n' ' '; }
contents() {
    (cd "$1" && ../../venv/bin/python -m hatchling build -t wheel -d wheels >/dev/null 2>&1)
    python3 -m zipfile -l "$1"/wheels/*.whl | grep -o '^reports/[^ ]*' | tr '\n' ' ' || true
}

git=$(ignored)
plain=$(contents plain)
own=$(contents own)
echo "git ignores: $git"
echo "the wheel contains: ${plain:-no module}"
echo "with a .gitignore of the project: $own"
[ "$git" = "own/reports/local.sqlite plain/reports/local.sqlite " ]
[ -z "$plain" ] || { echo "changed: the package is in the wheel"; exit 1; }
[ "$own" = "reports/__init__.py reports/local.sqlite " ] || { echo "changed: the repository's .gitignore counts"; exit 1; }
