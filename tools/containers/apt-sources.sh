#!/bin/sh
# Write the apt sources of a Debian release into a folder like /etc/apt, with the mirrors and settings of this machine:
#   apt-sources.sh RELEASE FOLDER
set -eu
release=$1 folder=$2
mkdir -p "$folder/sources.list.d" "$folder/apt.conf.d"
. /etc/os-release
: >"$folder/sources.list"
for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
    [ ! -f "$file" ] || sed "s/\b$VERSION_CODENAME\b/$release/g" "$file" >"$folder${file#/etc/apt}"
done
# Proxies, certificates and date checks, but not the hooks of other packages of this machine.
for file in /etc/apt/apt.conf.d/*; do
    grep -q '^ *\(DPkg\|APT::Update\|APT *$\)' "$file" || cp "$file" "$folder/apt.conf.d/"
done
