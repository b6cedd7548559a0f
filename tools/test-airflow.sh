#!/bin/sh
# Run the tests that need Airflow against another version of it: tools/test-airflow.sh 3.3.1
# Its environment is a folder of its own, .venv-airflow-<version>: our pins, but for Airflow itself, whose version is
# the one given. The providers stay at our pins.
set -eu
cd "$(dirname "$0")/.."
version=$1
export VENV=".venv-airflow-$version"
tools/install.sh tests
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
