#!/bin/sh
# Create the missing secrets of an installation. Existing ones are not changed:
#   deploy/make-secrets.sh FOLDER [GROUP]
# GROUP (default 50000, the group of the containers' users) may read them. Setting the group needs root.
set -eu
folder=${1:?folder of the secrets} group=${2:-50000}
umask 027
mkdir -p "$folder"
new() { python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'; }
keep() { [ -s "$folder/$1" ] || printf '%s\n' "$2" >"$folder/$1"; }
for name in jwt fernet postgres redis; do keep $name "$(new)"; done
keep nats "mxtvhf:$(new)"
keep users "{\"admin\": \"$(new)\", \"intake\": \"$(new)\"}"
keep channels "# Notification channels, one line 'tag[, tag] = URL' each: docs/how-to/notify-people.md"
chgrp "$group" "$folder" "$folder"/*
