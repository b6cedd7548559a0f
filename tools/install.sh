#!/bin/sh
# Create a virtual environment with all packages of MXT-VHF, and show the progress.
#   tools/install.sh          packages for `make run`
#   tools/install.sh check    also packages for `make check`
#   tools/install.sh tests    also packages for `make test`
# VENV is its folder (default .venv), PYTHON the interpreter (default: see tools/find-python.sh).
set -eu
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
case ${1:-} in
    check) wanted="requirements.txt tests/requirements-check.txt" ;;
    tests) wanted="requirements.txt tests/requirements.txt" ;;
    *) wanted=requirements.txt ;;
esac

fail() {
    printf '\ninstall: %s\n' "$*" >&2
    exit 1
}
# Run a command and show its output only if it fails.
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

[ "$(uname -s)" = Linux ] || fail "MXT-VHF runs on Linux only, this is $(uname -s): use a Linux machine or a container"

# An environment keeps its Python while it works. If PYTHON names another one, the environment is created again.
python=$(tools/find-python.sh "$venv/bin/python")
identity() { "$1" -c 'import sys; print(sys.version_info[:2], sys.base_prefix)' 2>&1; }
if [ -f "$venv/pyvenv.cfg" ] && [ "$(identity "$venv/bin/python")" != "$(identity "$python")" ]; then
    printf 'Removing %s: its Python is not %s\n' "$venv" "$python" >&2
    rm -rf "$venv"
fi

# The stamp is a checksum of the installed requirements. If it is current, nothing is done.
stamp="$venv/.installed${1:+-$1}"
# shellcheck disable=SC2086
print=$(cat $wanted pyproject.toml tools/install.sh tools/constraints.txt tools/voevent-parse/* | cksum)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$print" ] && exit 0

free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1024) }')
[ -d "$venv/lib" ] || [ "$free" -ge 2000 ] || fail "$free MB free on this disk; expected at least 2000 MB"

printf 'Installing into %s\n' "$venv" >&2
if [ ! -x "$venv/bin/pip" ]; then
    begin "virtual environment"
    quietly "$python" -m venv "$venv" || fail "$python could not make a virtual environment in $venv"
    done_
fi
network="the package index is unreachable or lacks a pinned version; check the network and pip config"
begin "installer"
quietly "$venv/bin/pip" install --disable-pip-version-check -c tools/constraints.txt uv || fail "$network"
done_
begin "voevent-parse"
quietly tools/voevent-parse/wheel.sh "$venv/bin/python" "$venv/wheels" || fail "$network"
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
