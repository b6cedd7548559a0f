#!/bin/sh
# Build the wheel of voevent-parse, as pinned in requirements.txt, with the given Python into the given folder:
#   tools/voevent-parse/wheel.sh .venv/bin/python .venv/wheels
# PyPI has only its source archive, which uv rejects because of a file name with a colon. From Python 3.12 on its build
# script fails, because `configparser` lost two names; sitecustomize.py next to this file restores them. pip's build
# isolation would hide that file, so setuptools is installed into a temporary folder instead.
set -eu
python=$1
wheels=$2
here=$(cd "$(dirname "$0")" && pwd)
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
"$python" -m pip install --quiet --disable-pip-version-check --target "$build" -c "$here/../constraints.txt" setuptools
PYTHONPATH=$here:$build "$python" -m pip wheel --disable-pip-version-check --no-deps --no-build-isolation \
    --wheel-dir "$wheels" "$(grep '^voevent-parse==' "$here/../../requirements.txt")"
