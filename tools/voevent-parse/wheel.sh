#!/bin/sh
# Build the wheel of voevent-parse, pinned in requirements.txt, with the interpreter named, into the folder named:
#   tools/voevent-parse/wheel.sh .venv/bin/python wheels
# PyPI has only its source archive. uv refuses that, for a file name with a colon, and from Python 3.12 on its build
# script fails for names that `configparser` lost: sitecustomize.py beside this file gives them back. pip's own build
# isolation would hide that file, so setuptools is installed into a folder of its own.
set -eu
python=$1
wheels=$2
here=$(cd "$(dirname "$0")" && pwd)
setuptools=$(mktemp -d)
trap 'rm -rf "$setuptools"' EXIT
"$python" -m pip install --quiet --disable-pip-version-check --target "$setuptools" setuptools==80.9.0
PYTHONPATH=$here:$setuptools "$python" -m pip wheel --disable-pip-version-check --no-deps --no-build-isolation \
    --wheel-dir "$wheels" "$(grep '^voevent-parse==' "$here/../../requirements.txt")"
