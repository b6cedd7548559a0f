#!/bin/sh
# Run the tests that need Airflow against another version of it: tools/test-airflow.sh 3.3.1
# The environment is .venv-airflow-<version> with our pins, except for Airflow itself, which has the given version. The
# providers keep our pins.
set -eu
cd "$(dirname "$0")/.."
version=$1
export VENV=".venv-airflow-$version"
tools/install.sh tests
tools/test-schemas.sh
tools/test-oidc.sh
stamp="$VENV/.airflow"
wanted="$version $(cat requirements.txt tests/requirements.txt | cksum)"
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    printf 'Installing Airflow %s into %s\n' "$version" "$VENV" >&2
    pins=$(mktemp)
    trap 'rm -f "$pins"' EXIT
    grep -Ev '^apache-airflow(-core|-task-sdk)?==' requirements.txt >"$pins"
    "$VENV/bin/uv" pip install -q --python "$VENV/bin/python" --find-links "$VENV/wheels" -c "$pins" \
        "apache-airflow==$version" "apache-airflow-core==$version"
    echo "$wanted" >"$stamp"
fi
exec "$VENV/bin/python" -m pytest tests/plugins tests/integration
