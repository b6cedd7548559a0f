#!/bin/sh
# Run lint and all tests in three parallel lanes, because tests on a running Airflow mostly wait: the tests on the shared
# stack; the tests without it, most of which start a stack of their own, one file after the other; and lint and the computing
# tests at lower priority, which fill the gaps. More than two stacks at once would be too slow for the tests' time limits.
# The output of the lanes with a stack is printed at the end. Lanes have a time limit.
set -u
cd "$(dirname "$0")/.."
# One thread of BLAS, because several threads that wait for each other on shared cores are much slower.
export OPENBLAS_NUM_THREADS=1
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
run() {
    nice=$1
    shift
    nice -n "$nice" timeout --verbose --signal=INT --kill-after=60 4500 \
        "${VENV:-.venv}/bin/python" -X faulthandler -m pytest "$@"
}
unshared="tests/integration/test_gp_sensor.py tests/integration/test_listener.py tests/integration/test_logins.py
    tests/integration/test_exactly_once.py tests/integration/test_up.py tests/integration/test_cluster.py"
# shellcheck disable=SC2046,SC2086
run 0 tests/integration $(printf -- '--ignore %s ' $unshared) >"$logs/shared" 2>&1 &
shared=$!
# shellcheck disable=SC2086
run 0 $unshared >"$logs/unshared" 2>&1 &
apart=$!
computing() {
    status=0
    nice -n 5 make --no-print-directory lint || status=$?
    run 15 tests --ignore tests/integration -n 2 --dist loadfile || status=$?
    return "$status"
}
computing &
computing=$!
trap 'trap - INT TERM; kill 0' INT TERM
status=0
for lane in "$computing" "$shared" "$apart"; do
    wait "$lane" || status=$?
done
cat "$logs/shared" "$logs/unshared"
exit "$status"
