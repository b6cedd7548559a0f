#!/bin/sh
# Run the quick unit tests, with coverage if it is cheap: it costs hardly any time from Python 3.12 on, and a third of the
# time of the tests with Python 3.11. COVERAGE=yes measures it there, too.
set -eu
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
measured=${COVERAGE:-$("$venv/bin/python" -c 'import sys; print("yes" if sys.version_info >= (3, 12) else "no")')}
[ "$measured" = yes ] && options="--cov --cov-report=" || options=
# shellcheck disable=SC2086
"$venv/bin/python" -m pytest --ignore tests/integration -m "not slow and not service" -n 2 --dist loadfile $options
if [ "$measured" = yes ]; then
    echo 'Coverage of these tests: the files below 80 %, and the total.'
    "$venv/bin/coverage" report | awk 'NR <= 2 || /^TOTAL/ || $NF + 0 < 80'
else
    echo 'Coverage was not measured with this Python; make check COVERAGE=yes measures it.'
fi
