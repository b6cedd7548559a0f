#!/bin/sh
# Runs all tests in two lanes, since those on a running Airflow mostly wait: beside the tests on the shared stack, what
# computes, on what the stack leaves of the cores, and then those that start a stack of their own. More stacks at once
# make each so slow that waits end too early.
# The output of the shared stack's comes at the end. What does not end is ended.
set -u
cd "$(dirname "$0")/.."
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
lane() {
    nice=$1
    shift
    exec nice -n "$nice" timeout --verbose --signal=INT --kill-after=60 3000 \
        "${VENV:-.venv}/bin/python" -X faulthandler -m pytest "$@"
}
own_stack="tests/integration/test_up.py tests/integration/test_cluster.py tests/integration/test_exactly_once.py
    tests/integration/test_logins.py"
# shellcheck disable=SC2046,SC2086
lane 0 tests/integration $(printf -- '--ignore %s ' $own_stack) >"$logs/shared" 2>&1 &
shared=$!
trap 'kill "$shared" ${own:-} 2>/dev/null' INT TERM
status=0
lane 10 tests --ignore tests/integration -n 2 --dist loadfile &
own=$!
wait "$own" || status=$?
# shellcheck disable=SC2086
lane 0 $own_stack &
own=$!
wait "$own" || status=$?
wait "$shared" || status=$?
cat "$logs/shared"
exit "$status"
