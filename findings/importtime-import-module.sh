#!/usr/bin/env bash
# `python -X importtime` does not list a module that `importlib.import_module` imports, although it lists what that module imports
# in turn. Its own time is counted for the module that called it, or for none. Frameworks import by name, also their largest
# modules: AWS's Lambda client the module of the handler, Django its apps, pydantic its own modules. `__import__` is measured.
#
# Seen with CPython 3.9 to 3.13.
#
# needs: python3
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

echo 'import wave' >by_name.py
echo 'import wave' >by_statement.py
echo 'import importlib; importlib.import_module("by_name")' >calls_import_module.py
echo '__import__("by_statement")' >calls_import.py
listed() { python3 -S -X importtime -c "import $1" 2>&1 >/dev/null | sed -n 's/^import time: .*| *//p' | tr '\n' ' '; }

name=$(listed calls_import_module)
statement=$(listed calls_import)
python3 -V
echo "import_module: ...$(echo $name | grep -o 'wave.*')"
echo "__import__:    ...$(echo $statement | grep -o 'wave.*')"
[[ $statement == *"wave by_statement calls_import "* ]] || { echo "changed: __import__ is not listed"; exit 1; }
[[ $name == *"wave calls_import_module "* ]] || { echo "changed: import_module is listed, or what it imports is not"; exit 1; }
