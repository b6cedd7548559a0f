#!/bin/bash
# A private Docker engine with Compose and Swarm from Debian packages, which are unpacked into a folder and not installed.
# It needs root and a Debian machine, and does not change the machine's own services and packet filter.
#   engine.sh start FOLDER    start it in its own network namespace, to run containers
#   engine.sh build FOLDER    start it in the machine's network without bridges and packet filter, to build images
#   engine.sh stop FOLDER     stop it with all its containers
#   . FOLDER/env.sh           make `docker` use it; `inside COMMAND` runs a command in its network namespace
set -euo pipefail
action=$1 folder=$(mkdir -p "$2" && cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
release=trixie # the first Debian release with Compose 2
namespace=mxtvhf-engine
cgroup=mxtvhf-engine

unpack() {
    [ -d "$folder/root" ] && return
    "$here/../test-packages.sh" runc:runc iptables:iptables ip:iproute2 nsenter:util-linux
    local apt=$folder/apt
    mkdir -p "$apt"/etc/apt/{apt.conf.d,preferences.d,sources.list.d} "$apt"/var/lib/{apt/lists/partial,dpkg} \
        "$apt"/var/cache/apt/archives/partial "$apt/debs"
    : >"$apt/var/lib/dpkg/status"
    "$here/apt-sources.sh" "$release" "$apt/etc/apt"
    local options="-qq -o Dir=$apt -o Dir::State::status=$apt/var/lib/dpkg/status -o APT::Sandbox::User=root"
    # shellcheck disable=SC2086
    (cd "$apt/debs" && apt-get $options update &&
        apt-get $options download docker.io docker-cli docker-compose docker-buildx containerd tini)
    mkdir -p "$folder/root.part"
    for package in "$apt"/debs/*.deb; do dpkg-deb -x "$package" "$folder/root.part"; done
    mv "$folder/root.part" "$folder/root"
}

write_files() {
    mkdir -p "$folder/bin" "$folder/client/cli-plugins"
    # The machine's own runc, because that of the newer release may need a newer C library.
    ln -sf "$(command -v runc)" "$folder/bin/runc"
    for plugin in compose buildx; do
        ln -sf "$folder/root/usr/libexec/docker/cli-plugins/docker-$plugin" "$folder/client/cli-plugins/"
    done
    # The limit of open files must not exceed that of the machine.
    local files
    files=$(ulimit -Hn)
    [ "$files" != unlimited ] && [ "$files" -lt 65536 ] || files=65536
    cat >"$folder/daemon.json" <<END
{
    "data-root": "$folder/data",
    "exec-root": "$folder/exec",
    "pidfile": "$folder/docker.pid",
    "hosts": ["unix://$folder/docker.sock"],
    "init-path": "$folder/root/usr/bin/tini-static",
    "userland-proxy-path": "$folder/root/usr/sbin/docker-proxy",
    "default-ulimits": {"nofile": {"Name": "nofile", "Hard": $files, "Soft": $files}},
    "exec-opts": ["native.cgroupdriver=cgroupfs"],
    "cgroup-parent": "/$cgroup"
}
END
    cat >"$folder/env.sh" <<END
export DOCKER_HOST=unix://$folder/docker.sock DOCKER_CONFIG=$folder/client
export PATH=$folder/bin:$folder/root/usr/sbin:$folder/root/usr/bin:\$PATH
inside() { nsenter --net=/run/netns/$namespace "\$@"; }
END
}

start() { # start WORDS...: start the engine with words before and after its command
    . "$folder/env.sh"
    "$@" </dev/null >>"$folder/dockerd.log" 2>&1 &
    for _ in $(seq 120); do
        docker version >/dev/null 2>&1 && break
        kill -0 $! 2>/dev/null || break
        sleep 0.5
    done
    docker version --format 'Docker engine {{.Server.Version}}' ||
        { tail -n 5 "$folder/dockerd.log" >&2; exit 1; }
    # With cgroup v1 all containers together get the CPU share of one process, so their share is increased.
    local weight=/sys/fs/cgroup/cpu/$cgroup/cpu.shares
    mkdir -p "$(dirname $weight)" 2>/dev/null && echo 8192 >"$weight" || true
}

stop() {
    . "$folder/env.sh"
    local pid
    if pid=$(cat "$folder/docker.pid" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ]; then
        kill "$pid"
        while kill -0 "$pid" 2>/dev/null; do sleep 0.2; done
    fi
    ip netns del $namespace 2>/dev/null || true
    find /sys/fs/cgroup -depth -type d -path "*/$cgroup*" -exec rmdir {} + 2>/dev/null || true
}

[ "$(id -u)" = 0 ] || { echo "engine.sh: needs root" >&2; exit 1; }
case $action in
start)
    unpack && write_files && stop
    ip netns add $namespace
    ip netns exec $namespace ip link set lo up
    # `ip netns exec` cannot be used, because it would mount a new /sys without the cgroups.
    start setsid nsenter --net=/run/netns/$namespace dockerd --config-file "$folder/daemon.json"
    ;;
build)
    unpack && write_files && stop
    start setsid dockerd --config-file "$folder/daemon.json" --bridge none --iptables=false --ip6tables=false
    ;;
stop) stop ;;
*) sed -n '2,7s/^# //p' "$0" >&2; exit 2 ;;
esac
