"""``docker-compose.yaml`` against the compose specification, and against what we promise of it."""

import json
import re
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from mxtvhf.operation.deployment.health_target import TARGETS
from mxtvhf.operation.deployment.services import SERVICES
from support.project import PROJECT

# Fetched by tools/test-schemas.sh.
SCHEMA = Path(sys.prefix) / "compose-schema/src/compose-spec/schema/compose-spec.json"
COMPOSE = yaml.safe_load((PROJECT / "docker-compose.yaml").read_text())
OURS = sorted(COMPOSE["services"].keys() - {"postgres"})
ONE_SHOT = {"migrate"}
EVERY = pytest.mark.parametrize("service", COMPOSE["services"].values(), ids=COMPOSE["services"])


@pytest.mark.service
def test_the_file_fits_the_compose_specification():
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft201909Validator.check_schema(schema)
    jsonschema.Draft201909Validator(schema).validate(COMPOSE)


@EVERY
def test_images_have_a_version(service):
    assert re.fullmatch(r"[a-z0-9./-]+:\d[\w.-]*", service["image"])


def test_the_images_of_the_dockerfile_have_a_version():
    text = (PROJECT / "Dockerfile").read_text()
    images = dict(re.findall(r"^ARG (\w+)=(\S+)", text, re.MULTILINE))
    bases, stages = (
        set(re.findall(pattern, text, re.MULTILINE)) for pattern in (r"^FROM (\S+)", r" AS (\w+)$")
    )
    assert bases - stages == {f"${{{name}}}" for name in images}
    assert all(re.fullmatch(r"[a-z]+:\d[\w.-]+", image) for image in images.values())


@EVERY
def test_no_service_is_root_or_can_write_to_its_image(service):
    assert not service["user"].startswith("0")
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@EVERY
def test_all_services_have_limits_and_are_restarted(service):
    assert {"cpus", "memory"} <= service["deploy"]["resources"]["limits"].keys()
    assert service["deploy"]["restart_policy"]["condition"] in ("any", "on-failure")


@pytest.mark.parametrize("kind", ["secrets", "configs"])
def test_all_definitions_exist_and_are_used(kind):
    used = {item["source"] for service in COMPOSE["services"].values() for item in service.get(kind, [])}
    assert used == set(COMPOSE[kind])
    assert all(set(item) == {"file"} for item in COMPOSE[kind].values())


def test_volumes_are_named_ones():
    volumes = [volume for service in COMPOSE["services"].values() for volume in service["volumes"]]
    assert {name.split(":")[0] for name in volumes if isinstance(name, str)} == set(COMPOSE["volumes"])


@EVERY
def test_temporary_folders_have_the_form_for_swarm(service):
    assert not {"tmpfs", "shm_size"} & service.keys()
    targets = {volume["target"] for volume in service["volumes"] if isinstance(volume, dict)}
    assert "/tmp" in targets


@EVERY
def test_logs_are_bounded(service):
    assert {"max-size", "max-file"} <= service["logging"]["options"].keys()


def test_the_web_interface_is_reachable_only_from_this_host():
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:8080:8080"]


def test_no_secret_is_readable_by_everybody():
    modes = [item["mode"] for service in COMPOSE["services"].values() for item in service["secrets"]]
    assert modes
    assert all(mode & 0o007 == 0 for mode in modes)


def test_no_environment_variable_must_be_set():
    text = (PROJECT / "docker-compose.yaml").read_text()
    assert "${" not in text
    fixed = {"MXTVHF_CONFIG": "/etc/mxtvhf/mxtvhf.toml"}
    assert all(COMPOSE["services"][name]["environment"] == fixed for name in OURS)


def test_every_service_of_the_entrypoint_is_defined_once():
    commands = [COMPOSE["services"][name]["command"] for name in OURS]
    assert commands == [[name] for name in OURS]
    assert set(OURS) == set(SERVICES)


def test_every_long_running_service_has_a_health_check():
    checks = {name: COMPOSE["services"][name]["healthcheck"] for name in OURS}
    assert {name for name, check in checks.items() if check.get("disable")} == ONE_SHOT
    for name in checks.keys() - ONE_SHOT:
        assert checks[name]["test"] == ["CMD", "mxtvhf-health", "--end-after", "4", name]
        assert name in TARGETS
    assert "pg_isready" in COMPOSE["services"]["postgres"]["healthcheck"]["test"]


def test_swarm_reads_the_order_of_starts_as_a_list():
    assert all(isinstance(service.get("depends_on", []), list) for service in COMPOSE["services"].values())


def test_several_workers_can_finish_their_tasks():
    worker = COMPOSE["services"]["worker"]
    assert worker["deploy"]["replicas"] >= 2
    assert worker["deploy"]["update_config"]["parallelism"] == 1
    assert worker["stop_grace_period"] == "2m"
