#!/bin/sh
# Fetches GCN's public notice schema, against which a test checks our notices, as npm's package; it is not ours to ship.
set -eu
cd "$(dirname "$0")/.."
version=7.2.3
target=.venv/gcn-schema
[ -f "$target/$version" ] && exit 0
rm -rf "$target"
mkdir -p "$target"
npm pack --silent --pack-destination "$target" "@nasa-gcn/schema@$version" >/dev/null ||
    { printf 'test-schemas: npm cannot fetch @nasa-gcn/schema %s\n' "$version" >&2; exit 1; }
tar -xzf "$target"/*.tgz -C "$target" --strip-components 1
touch "$target/$version"
