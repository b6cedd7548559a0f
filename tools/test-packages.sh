#!/bin/sh
# Installs the Debian packages that the tests use, where they are missing; or those named, as command:package.
set -eu
missing=""
# The last ones build sherpa, which has no wheel.
[ $# -gt 0 ] || set -- fitsverify:fitsverify chromium:chromium nats-server:nats-server redis-server:redis-server npm:npm openssl:openssl \
    g++:g++ cmake:cmake byacc:byacc flex:flex fftw-wisdom-to-conf:libfftw3-dev
for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
[ -z "$missing" ] && exit 0
root=""
[ "$(id -u)" = 0 ] || root=sudo
printf 'Installing Debian packages:%s\n' "$missing" >&2
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
{ $root apt-get update -qq && $root apt-get install -y -qq --no-install-recommends $missing; } >/dev/null ||
    { printf 'test-packages: cannot install%s; install them by hand\n' "$missing" >&2; exit 1; }
