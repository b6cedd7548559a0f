#!/bin/bash
# Create replacements of the base images of Dockerfile and docker-compose.yaml from Debian packages and under the same
# names, for machines without access to an image registry. The engine must run for building (engine.sh build):
#   base-images.sh PYTHON-IMAGE NATS-IMAGE POSTGRES-IMAGE
# Package sources, certificates and pip settings are those of this machine.
set -euo pipefail
python=$1 nats=$2 postgres=$3
here=$(cd "$(dirname "$0")" && pwd)
release=trixie # with Python 3.13, PostgreSQL 17 and Redis 8
debian=mxtvhf-standin:$release
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
present() { [ -n "$(docker images --quiet "$1")" ]; }
build() { docker build --quiet --network host --tag "$1" "$work/$2"; }

if ! present $debian; then
    "$here/../test-packages.sh" debootstrap:debootstrap
    . /etc/os-release
    mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' "Codename: $VERSION_CODENAME" | head -n 1)
    "$here/apt-sources.sh" $release "$work/apt"
    debootstrap --variant=minbase --include=ca-certificates $release "$work/root" "$mirror" >"$work/log" ||
        { tail -n 5 "$work/log" >&2; exit 1; }
    cp -r "$work/apt/." "$work/root/etc/apt/"
    cp /etc/ssl/certs/ca-certificates.crt "$work/root/etc/ssl/certs/"
    # The pip settings of this machine from files and variables, except for paths that the image does not have.
    {
        echo '[global]'
        python3 -m pip config list | sed -n -E "s/^(global\.|:env:\.)([a-z-]+)='([^']*)'$/\2 = \3/p" |
            grep -E '^(index-url|extra-index-url|trusted-host|proxy|cert|default-timeout) ' | grep -v 'file://' | sort -u
    } >"$work/root/etc/pip.conf"
    rm -rf "$work"/root/var/{cache/apt/archives,lib/apt/lists}/* "$work"/root/usr/share/{doc,man,locale}/*
    tar -C "$work/root" -c . | docker import --change 'CMD ["bash"]' --change 'ENV LANG=C.UTF-8' - $debian
fi

mkdir "$work"/{python,nats,postgres}
cp "$here/postgres-entrypoint.sh" "$work/postgres/docker-entrypoint.sh"
cat >"$work/python/Dockerfile" <<END
FROM $debian
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends python3 python3-pip python3-venv >/dev/null \\
    && apt-get clean && rm -rf /var/lib/apt/lists/* && ln -s python3 /usr/bin/python
CMD ["python3"]
END
cat >"$work/nats/Dockerfile" <<END
FROM $debian
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends nats-server >/dev/null \\
    && ln /usr/sbin/nats-server /usr/local/bin/
END
cat >"$work/postgres/Dockerfile" <<END
FROM $debian
RUN groupadd --system --gid 999 postgres && useradd --system --gid postgres --uid 999 postgres \\
    && apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql >/dev/null \\
    && rm -rf /var/lib/apt/lists/* /var/lib/postgresql/* && ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/ \\
    && install -d -o postgres -g postgres -m 1777 /var/lib/postgresql/data \\
    && install -d -o postgres -g postgres -m 3777 /var/run/postgresql
COPY --chmod=755 docker-entrypoint.sh /usr/local/bin/
ENV PGDATA=/var/lib/postgresql/data
STOPSIGNAL SIGINT
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
END
present "$python" || build "$python" python
present "$nats" || build "$nats" nats
present "$postgres" || build "$postgres" postgres
