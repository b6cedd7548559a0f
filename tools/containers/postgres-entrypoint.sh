#!/bin/sh
# The part of the official postgres image's entrypoint that docker-compose.yaml needs: a new data folder gets a cluster in
# UTF-8 with the user, database and password of POSTGRES_*; then the server runs as process 1.
set -eu
[ "${1:-postgres}" = postgres ] || exec "$@"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    [ -r "${POSTGRES_PASSWORD_FILE:-}" ] || { echo "postgres: POSTGRES_PASSWORD_FILE names no readable file" >&2; exit 1; }
    initdb --username "$POSTGRES_USER" --pwfile "$POSTGRES_PASSWORD_FILE" --encoding UTF8 --locale C.UTF-8 \
        --auth-host scram-sha-256 --auth-local trust
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    printf "listen_addresses = '*'\nunix_socket_directories = '/var/run/postgresql'\n" >>"$PGDATA/postgresql.conf"
    pg_ctl --wait --options "-c listen_addresses=" start
    createdb --host /var/run/postgresql --username "$POSTGRES_USER" "$POSTGRES_DB"
    pg_ctl --wait --mode fast stop
fi
exec postgres
