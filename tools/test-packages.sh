#!/bin/sh
# Install the missing Debian packages for the tests, or those given as command:package or file:package.
set -eu
missing=""
# The packages of the last lines are needed to build sherpa and python-ldap, which have no wheels.
[ $# -gt 0 ] || set -- fitsverify:fitsverify \
    chromium-headless-shell:chromium-headless-shell nats-server:nats-server redis-server:redis-server npm:npm openssl:openssl \
    slapd:slapd pg_lsclusters:postgresql /usr/include/ldap.h:libldap-dev /usr/include/sasl/sasl.h:libsasl2-dev \
    g++:g++ cmake:cmake byacc:byacc flex:flex fftw-wisdom-to-conf:libfftw3-dev
for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || [ -f "${pair%%:*}" ] || missing="$missing ${pair##*:}"
done
[ -z "$missing" ] && exit 0
root=""
[ "$(id -u)" = 0 ] || root=sudo
printf 'Installing Debian packages:%s\n' "$missing" >&2
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
{ $root apt-get update -qq && $root apt-get install -y -qq --no-install-recommends $missing; } >/dev/null ||
    { printf 'test-packages: cannot install%s; install them by hand\n' "$missing" >&2; exit 1; }
