#!/usr/bin/env bash
# An import line of a `.pth` file in a virtual environment runs twice whenever Python starts: `site` reads site-packages once
# for the environment and once more with the other directories. Outside of one it runs once, and since 3.15 it does inside, too.
#
# Seen with CPython 3.11.2, 3.13.0, 3.14.8 and 3.15.0.
#
# needs: python3 before 3.15 with venv, python3.15
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

runs() {
    "$1" -m venv --without-pip "$2"
    echo 'import sys; sys.stderr.write("ran\n")' >"$(echo "$2"/lib/python3.*/site-packages)/said.pth"
    "$2/bin/python" -c '' 2>&1 | grep -c ran
}
older=$(runs python3 older)
newer=$(runs python3.15 newer)
echo "$(python3 -V) runs the line $older times, $(python3.15 -V) $newer times"
[ "$older" = 2 ] || { echo "changed: before 3.15, it does not run twice"; exit 1; }
[ "$newer" = 1 ] || { echo "changed: since 3.15, it does not run once"; exit 1; }
