#!/bin/sh
# Run all tests in two parallel lanes, because tests on a running Airflow mostly wait. One lane has the tests on the shared
# stack. The other has the computing tests at low priority, and then the tests with a stack of their own one after the other,
# because several stacks at once would be too slow for the tests' time limits.
# The output of the shared stack's lane is printed at the end. Lanes have a time limit.
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
