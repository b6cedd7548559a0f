#!/bin/sh
# Install cyclonedx-bom, which writes the bill of materials, into an environment of its own. Its dependency rfc3987-syntax
# would add 0.8 s of CPU time to the start of every Airflow process, because jsonschema imports it if it is there.
set -eu
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
target=$venv/sbom
wanted=$(cksum <tests/requirements-sbom.txt)
[ "$(cat "$target/.installed" 2>/dev/null)" = "$wanted" ] && exit 0
"$venv/bin/uv" venv -q --clear --python "$venv/bin/python" "$target" &&
    "$venv/bin/uv" pip install -q --python "$target/bin/python" -r tests/requirements-sbom.txt ||
    { printf 'test-sbom: cannot install tests/requirements-sbom.txt\n' >&2; exit 1; }
echo "$wanted" >"$target/.installed"
