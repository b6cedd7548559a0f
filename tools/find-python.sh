#!/bin/sh
# Print the Python to use: the one named by PYTHON, else the first usable one of the arguments, else the newest usable one
# on the PATH, else one that uv installs.
set -eu
supported="3.13 3.12 3.11" # newest first
newest=${supported%% *}

fail() {
    printf 'install: %s. MXT-VHF supports Python %s: %s.\n' "$1" "$(echo "$supported" | sed 's/ /, /g')" "$2" >&2
    exit 1
}
# Print why a Python cannot be used, or nothing if it can. The Python must be run for this: pyenv puts programs on the PATH
# that only fail, and Debian packages `ensurepip`, which a virtual environment needs, separately from Python.
defect() {
    version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
        { echo "$1 does not run"; return; }
    case " $supported " in
    *" $version "*)
        "$1" -c 'import ensurepip, venv' 2>/dev/null ||
            echo "$1 lacks ensurepip (on Debian and Ubuntu, install python$version-venv)" ;;
    *) echo "$1 is Python $version" ;;
    esac
}
# Install the newest supported Python with uv and print its path. If uv is missing, pip installs it.
install_with_uv() {
    uv=$(command -v uv) || {
        uv=$scratch/bin/uv
        python3 -m pip install --target "$scratch" -c "$(dirname "$0")/constraints.txt" uv >&2 || return
    }
    "$uv" python install "$newest" && "$uv" python find --managed-python "$newest"
}

if [ -n "${PYTHON:-}" ]; then
    problem=$(defect "$PYTHON")
    [ -z "$problem" ] || fail "PYTHON=$problem" "name one of these, or leave PYTHON out"
    command -v "$PYTHON"
    exit
fi
problems=""
# shellcheck disable=SC2046,SC2086
for python in "$@" $(printf 'python%s ' $supported) python3; do
    command -v "$python" >/dev/null || continue
    problem=$(defect "$python")
    [ -n "$problem" ] || { command -v "$python"; exit; }
    problems="${problems:+$problems, }$problem"
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
printf '  Python %s with uv ...\n' "$newest" >&2
install_with_uv 2>/dev/null ||
    fail "no usable Python${problems:+: $problems}, and uv could not install one" "install one, or set PYTHON to one"
