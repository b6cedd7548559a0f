#!/bin/sh
# Runs all tests: those on the shared Airflow, which mostly wait, beside all others. Their output comes at the end.
set -u
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
.venv/bin/python -m pytest tests/integration >"$log" 2>&1 &
integration=$!
trap 'kill "$integration" 2>/dev/null' INT TERM
.venv/bin/python -m pytest tests --ignore tests/integration
others=$?
wait "$integration"
status=$?
cat "$log"
exit $((others > status ? others : status))
