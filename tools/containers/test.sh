#!/bin/bash
# Build the image of this checkout and test it with docker-compose.yaml on a private engine, which stops after the tests:
#   tools/containers/test.sh FOLDER [PYTEST OPTIONS]     FOLDER: folder of the engine, reused at the next call
set -euo pipefail
cd "$(dirname "$0")/../.."
tools=tools/containers folder=$1
shift
python=${VENV:-.venv}/bin/python
argument() { sed -n "s/^ARG $1=//p" Dockerfile; }
image() { sed -n "s/^ *image: \($1:.*\)/\1/p" docker-compose.yaml; }

trap '$tools/engine.sh stop "$folder"' EXIT
$tools/engine.sh build "$folder"
. "$folder/env.sh"
$tools/base-images.sh "$(argument PYTHON)" "$(argument NATS)" "$(image postgres)"
docker build --quiet --network host --tag "$(image mxt-vhf)" .
$tools/engine.sh start "$folder"
inside "$python" -m pytest tests/containers -m containers "$@"
