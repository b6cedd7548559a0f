#!/bin/sh
# Write apt's sources for a Debian release into a folder as /etc/apt, with the mirrors and settings of this machine:
#   apt-sources.sh RELEASE FOLDER
set -eu
release=$1 folder=$2
mkdir -p "$folder/sources.list.d" "$folder/apt.conf.d"
. /etc/os-release
: >"$folder/sources.list"
for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
    [ ! -f "$file" ] || sed "s/\b$VERSION_CODENAME\b/$release/g" "$file" >"$folder${file#/etc/apt}"
done
# Proxies, certificates, checks of dates; not the hooks that other packages of this machine bring.
for file in /etc/apt/apt.conf.d/*; do
    grep -q '^ *\(DPkg\|APT::Update\|APT *$\)' "$file" || cp "$file" "$folder/apt.conf.d/"
done
