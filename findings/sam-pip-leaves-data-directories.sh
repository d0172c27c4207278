#!/usr/bin/env bash
# What `sam build` makes of requirements.txt looks like what `pip install --target` does. But its pip workflow unpacks wheels
# itself, and of the `NAME.data` directory it moves only `purelib` and `platlib`: scripts and data files stay in
# `NAME.data/scripts` and `NAME.data/data`, where nothing looks for them, and console scripts are not made. A function that starts
# a command of a distribution works with pip's tree and not with SAM's.
#
# Seen with aws-lambda-builders 1.68.0 (the builder of aws-sam-cli) and docutils 0.20.1, whose wheel has scripts in docutils-0.20.1.data
# and an entry point for `docutils`.
#
# needs: a python3 from 3.9 to 3.13 with venv; PyPI
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check aws-lambda-builders==1.68.0
mkdir source
echo docutils==0.20.1 >source/requirements.txt
echo 'def handler(event, context): ...' >source/app.py
PATH=$work/venv/bin:$PATH venv/bin/python - >log 2>&1 <<'PYTHON' || { cat log; exit 1; }
import sys, tempfile
from aws_lambda_builders.builder import LambdaBuilder

builder = LambdaBuilder(language="python", dependency_manager="pip", application_framework=None)
runtime = "python%d.%d" % sys.version_info[:2]
builder.build("source", "by-sam", tempfile.mkdtemp(dir="."), "source/requirements.txt", runtime=runtime, architecture="x86_64")
PYTHON
venv/bin/pip install -q --disable-pip-version-check --no-deps --no-compile --target by-pip docutils==0.20.1
scripts() { (cd "$1" && find . -name 'rst2html.py' -o -name docutils -type f | sort | tr '\n' ' '); }

sam=$(scripts by-sam)
pip=$(scripts by-pip)
echo "pip install --target: $pip"
echo "the builder of SAM:   $sam"
[ "$pip" = "./bin/docutils ./bin/rst2html.py " ]
[ "$sam" = "./docutils-0.20.1.data/scripts/rst2html.py " ] || { echo "changed: SAM installs scripts elsewhere"; exit 1; }
