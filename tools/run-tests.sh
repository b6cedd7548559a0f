#!/bin/sh
# Runs all tests in three lanes: what computes; beside it those on the shared Airflow, and those that start one of
# their own, which both mostly wait. The output of these two comes at the end.
set -u
cd "$(dirname "$0")/.."
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
.venv/bin/python -m pytest tests/integration --ignore tests/integration/test_up.py >"$logs/shared" 2>&1 &
shared=$!
.venv/bin/python -m pytest tests/intake tests/integration/test_up.py >"$logs/own" 2>&1 &
own=$!
trap 'kill "$shared" "$own" 2>/dev/null' INT TERM
.venv/bin/python -m pytest tests --ignore tests/integration --ignore tests/intake
status=$?
for lane in "$shared" "$own"; do
    wait "$lane" || status=$?
done
cat "$logs/own" "$logs/shared"
exit "$status"
