# MXT-VHF. New users need only `make run` and `make test`.
PORT    ?= 8080
GP_PORT ?= 8765
WORKERS ?= 2
BURST   ?= sb26030704
SEED    ?= 7
MINUTES ?= 1
ALERTS  ?= 100
ENGINE  ?= var/engine
export COVERAGE ?=
export VENV ?= .venv
# Bytecode is kept, also where the environment forbids it: else each process compiles all that it imports.
export PYTHONDONTWRITEBYTECODE :=
.DEFAULT_GOAL := help
.PHONY: help install run demo cluster check check-all test test-faults test-containers lint pins bench fuzz audit docs sbom clean clean-state

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

install:  ## create .venv with all run-time packages
	@tools/install.sh

run: install  ## start the stack, process a burst with the DAG, run until Ctrl-C (PORT=, GP_PORT=, BURST=, SEED=)
	@exec $(VENV)/bin/mxtvhf up --port $(PORT) --gp-port $(GP_PORT) --burst $(BURST) --seed $(SEED)

demo: install  ## the same as run, but exit after the report
	@exec $(VENV)/bin/mxtvhf up --demo --port $(PORT) --gp-port $(GP_PORT) --burst $(BURST) --seed $(SEED)

cluster: install  ## run an installation with Celery workers on this machine until Ctrl-C (PORT=, WORKERS=)
	@tools/test-packages.sh redis-server:redis-server nats-server:nats-server
	@exec $(VENV)/bin/mxtvhf cluster --port $(PORT) --workers $(WORKERS)

check:  ## lint and quick unit tests in minutes, without root or system packages (COVERAGE=yes)
	@tools/install.sh check
	@tools/test-sbom.sh
	@$(MAKE) --no-print-directory lint
	@tools/check.sh

check-all:  ## the same as check, with each supported Python of this machine
	@for version in 3.11 3.12 3.13; do \
	    python=$$(PYTHON=python$$version tools/find-python.sh 2>/dev/null) || { echo "Python $$version: not found"; continue; }; \
	    $(MAKE) --no-print-directory check PYTHON="$$python" VENV=.venv-$$version || exit 1; done

ifdef AIRFLOW
test:
	@tools/test-packages.sh
	@tools/test-airflow.sh $(AIRFLOW)
else
test:  ## install test packages and run all tests; AIRFLOW=3.3.1 runs the Airflow tests with this version
	@tools/test-packages.sh
	@tools/install.sh tests
	@tools/test-schemas.sh
	@tools/test-oidc.sh
	@tools/test-sbom.sh
	@tools/run-tests.sh
endif

test-faults:  ## kill each part while alerts arrive, and print the recovery times (ALERTS=)
	@tools/test-packages.sh
	@tools/test-packages.sh faketime:faketime
	@tools/install.sh tests
	@MXTVHF_FAULT_ALERTS=$(ALERTS) $(VENV)/bin/python -m pytest tests/faults

test-containers:  ## build the image and test it with Docker Compose and Swarm; needs root and Debian (ENGINE=)
	@tools/install.sh tests
	@tools/containers/test.sh $(ENGINE)

lint:  ## ruff, mypy and the direction of the dependencies
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	PYTHONPATH=plugins $(VENV)/bin/lint-imports

bench:  ## run the benchmarks and print their tables (ALERTS= of the alert storm)
	@tools/test-packages.sh
	@tools/install.sh tests
	for table in decoding eventfile projection localisation spectrum followup notifier sky_notices scale start latency; do \
	    $(VENV)/bin/python -m benchmarks.$$table || exit 1; done
	$(VENV)/bin/python -m benchmarks.storm --alerts $(ALERTS)

fuzz:  ## test damaged packets, notices, files, messages and the whole intake, MINUTES= each
	@tools/install.sh tests
	@$(VENV)/bin/python -m fuzz --seconds $$(($(MINUTES) * 60))

docs:  ## build the documentation and open it in the browser of a desktop
	@tools/install.sh check
	@$(VENV)/bin/sphinx-build -q -W --keep-going docs build/docs
	@echo 'file://$(CURDIR)/build/docs/index.html'
	@[ -z "$$DISPLAY$$WAYLAND_DISPLAY" ] || xdg-open build/docs/index.html

audit:  ## list known vulnerabilities of the pinned packages (needs the network)
	@tools/install.sh tests
	@$(VENV)/bin/pip-audit --strict --disable-pip --no-deps -r requirements.txt

sbom:  ## write the software bill of materials (CycloneDX) to var/sbom.json
	@tools/install.sh tests
	@tools/test-sbom.sh
	@mkdir -p var
	@$(VENV)/sbom/bin/cyclonedx-py requirements requirements.txt --pyproject pyproject.toml \
	    --output-reproducible --output-file var/sbom.json

pins: install  ## compile the requirements.in files into one requirements.txt for all supported Pythons
	for file in requirements tests/requirements-check tests/requirements tests/requirements-sbom; do \
	    $(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --find-links $(VENV)/wheels \
	        --custom-compile-command "make pins; the reasons stand in $$file.in" \
	        --no-emit-index-url --no-emit-find-links $$file.in -o $$file.txt; done

clean:  ## remove the virtual environment
	rm -rf $(VENV)

clean-state:  ## remove all state: archive, products, database and passwords
	rm -rf var
