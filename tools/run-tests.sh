#!/bin/sh
# Runs all tests in three lanes: what computes; beside it those on the shared Airflow, and those that start one of
# their own, which both mostly wait. The output of these two comes at the end. A lane that does not end is ended.
set -u
cd "$(dirname "$0")/.."
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
lane() { exec timeout --verbose --signal=INT --kill-after=60 1500 .venv/bin/python -X faulthandler -m pytest "$@"; }
(lane tests/integration --ignore tests/integration/test_up.py) >"$logs/shared" 2>&1 &
shared=$!
(lane tests/intake tests/integration/test_up.py) >"$logs/own" 2>&1 &
own=$!
(lane tests --ignore tests/integration --ignore tests/intake) &
computing=$!
trap 'kill "$shared" "$own" "$computing" 2>/dev/null' INT TERM
status=0
for lane in "$computing" "$shared" "$own"; do
    wait "$lane" || status=$?
done
cat "$logs/own" "$logs/shared"
exit "$status"
