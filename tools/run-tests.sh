#!/bin/sh
# Runs all tests in two lanes, since those on a running Airflow mostly wait: the tests on the shared stack; and beside them
# what computes, on what the stack leaves of the cores, and then the tests that start a stack of their own, one after the
# other, since more stacks at once make each so slow that waits end too early.
# The output of the shared stack's lane comes at the end. What does not end is ended.
set -u
cd "$(dirname "$0")/.."
# Threads of BLAS that wait for each other on shared cores take many times the time of one.
export OPENBLAS_NUM_THREADS=1
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
run() {
    nice=$1
    shift
    nice -n "$nice" timeout --verbose --signal=INT --kill-after=60 4500 \
        "${VENV:-.venv}/bin/python" -X faulthandler -m pytest "$@"
}
own_stack="tests/integration/test_up.py tests/integration/test_cluster.py tests/integration/test_exactly_once.py
    tests/integration/test_logins.py"
others() {
    status=0
    run 10 tests --ignore tests/integration -n 2 --dist loadfile || status=$?
    # shellcheck disable=SC2086
    run 0 $own_stack || status=$?
    return "$status"
}
# shellcheck disable=SC2046,SC2086
run 0 tests/integration $(printf -- '--ignore %s ' $own_stack) >"$logs/shared" 2>&1 &
shared=$!
others &
others=$!
trap 'trap - INT TERM; kill 0' INT TERM
status=0
wait "$others" || status=$?
wait "$shared" || status=$?
cat "$logs/shared"
exit "$status"
