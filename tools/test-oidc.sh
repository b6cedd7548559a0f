#!/bin/sh
# Install an OpenID Connect provider (npm's oidc-provider) for the tests of logins. Version 8 runs on Debian's Node.js 18.
set -eu
cd "$(dirname "$0")/.."
version=8.8.1
target=${VENV:-.venv}/oidc-provider
[ -f "$target/$version" ] && exit 0
rm -rf "$target"
mkdir -p "$target"
npm install --silent --no-fund --no-audit --prefix "$target" "oidc-provider@$version" >/dev/null ||
    { printf 'test-oidc: npm cannot install oidc-provider %s\n' "$version" >&2; exit 1; }
touch "$target/$version"
