#!/bin/sh
# Makes .venv with everything that MXT-VHF needs, and shows how it goes.
#   tools/install.sh          what `make run` needs
#   tools/install.sh tests    what `make test` needs, too
set -eu
cd "$(dirname "$0")/.."
venv=.venv
wanted=requirements.txt
[ "${1:-}" = tests ] && wanted="requirements.txt tests/requirements.txt"

fail() {
    printf '\ninstall: %s\n' "$*" >&2
    exit 1
}
# Run a command quietly; show its output only when it fails.
quietly() {
    log=$(mktemp)
    if "$@" >"$log" 2>&1; then
        rm -f "$log"
    else
        tail -n 20 "$log" >&2
        rm -f "$log"
        return 1
    fi
}
now() { date +%s; }
begin() {
    started=$(now)
    printf '  %s ...' "$1" >&2
}
done_() { printf ' %s s\n' "$(($(now) - started))" >&2; }

# The stamp holds what was installed: nothing is done when it still fits.
stamp="$venv/.installed$( [ "${1:-}" = tests ] && echo -tests || true )"
# shellcheck disable=SC2086
print=$(cat $wanted pyproject.toml tools/install.sh | cksum)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$print" ] && exit 0

python=${PYTHON:-$(command -v python3.11 || command -v python3 || true)}
[ -n "$python" ] || fail "Python 3.11 is needed and no python3 was found"
"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
    fail "Python 3.11 is needed, $python is $("$python" -V 2>&1); name another with PYTHON=..."
free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1024) }')
[ -d "$venv/lib" ] || [ "$free" -ge 2000 ] || fail "$free MB free on this disk, 2000 needed"

printf 'Installing into %s\n' "$venv" >&2
if [ ! -x "$venv/bin/pip" ]; then
    begin "virtual environment"
    quietly "$python" -m venv "$venv" || fail "no virtual environment: is the package python3.11-venv there?"
    done_
fi
network="the package index could not be reached, or lacks a pinned version (no network? see pip config)"
begin "installer"
quietly "$venv/bin/pip" install --disable-pip-version-check uv==0.13.9 || fail "$network"
done_
# uv refuses voevent-parse's source archive (a file name with a colon): pip makes the wheel that uv installs.
begin "voevent-parse"
quietly "$venv/bin/pip" wheel --disable-pip-version-check --no-deps -w "$venv/wheels" \
    "$(grep '^voevent-parse==' requirements.txt)" || fail "$network"
done_
begin "$(cat $wanted | grep -c '^[a-z]') packages"
options=$(for file in $wanted; do printf -- '-r %s ' "$file"; done)
# shellcheck disable=SC2086
if ! quietly "$venv/bin/uv" pip install --find-links "$venv/wheels" --python "$venv/bin/python" $options; then
    printf ' again with pip (slower) ...' >&2
    # shellcheck disable=SC2086
    quietly "$venv/bin/pip" install --disable-pip-version-check --find-links "$venv/wheels" $options || fail "$network"
fi
done_
begin "mxtvhf itself"
quietly "$venv/bin/uv" pip install --python "$venv/bin/python" --no-deps -e . || fail "$network"
done_
echo "$print" >"$stamp"
