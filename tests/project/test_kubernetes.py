"""``deploy/kubernetes``: against Kubernetes' schemas, and that it starts what compose starts."""

import re

import kubernetes_validate
import pytest
import yaml

from mxtvhf.operation.deployment.health_target import TARGETS
from support.project import PROJECT

FOLDER = PROJECT / "deploy" / "kubernetes"
KUBERNETES = "1.34"
COMPOSE = yaml.safe_load((PROJECT / "docker-compose.yaml").read_text())["services"]
VALUES = yaml.safe_load((FOLDER / "values.yaml").read_text())
OBJECTS = list(yaml.safe_load_all((FOLDER / "services.yaml").read_text()))
WORKLOADS = {
    item["metadata"]["name"]: item for item in OBJECTS if item["kind"] in ("Deployment", "StatefulSet")
}
COMPONENTS = {
    "migrate": VALUES["migrateDatabaseJob"],
    "api-server": VALUES["apiServer"],
    "scheduler": VALUES["scheduler"],
    "dag-processor": VALUES["dagProcessor"],
    "triggerer": VALUES["triggerer"],
    "worker": VALUES["workers"]["celery"],
}
BY_HTTP = {"api-server"}
"""Of which the chart asks the health itself."""


def pod_of(name, component):
    """Return the part of a pod that the chart copies from a component's values."""
    probes = {
        kind: {
            **{key: value for key, value in component[kind].items() if key not in ("command", "enabled")},
            "exec": {"command": component[kind]["command"]},
        }
        for kind in ("startupProbe", "livenessProbe")
        if "command" in component.get(kind, {})
    }
    container = {
        "name": name,
        "image": "{repository}:{tag}".format(**VALUES["images"]["airflow"]),
        "command": component["command"],
        "args": component["args"],
        "securityContext": component["securityContexts"]["container"],
        "resources": component.get("resources", {}),
        "volumeMounts": VALUES["volumeMounts"],
        **probes,
    }
    return {
        "containers": [container],
        "securityContext": component["securityContexts"]["pod"],
        "volumes": VALUES["volumes"],
        "terminationGracePeriodSeconds": component.get("terminationGracePeriodSeconds", 30),
    }


PODS = {name: pod_of(name, component) for name, component in COMPONENTS.items()} | {
    name: workload["spec"]["template"]["spec"] for name, workload in WORKLOADS.items()
}
EVERY = pytest.mark.parametrize(("name", "pod"), PODS.items(), ids=PODS)


@pytest.mark.parametrize("item", OBJECTS, ids=lambda item: f"{item['kind']} {item['metadata']['name']}")
def test_our_objects_fit_the_schemas(item):
    kubernetes_validate.validate(item, KUBERNETES, strict=True)


@pytest.mark.parametrize("name", COMPONENTS)
def test_the_pod_settings_of_the_chart_fit_the_schemas(name):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": PODS[name]}
    kubernetes_validate.validate(pod, KUBERNETES, strict=True)


def test_a_misspelt_key_would_be_found():
    bad = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {**PODS["gp"], "volume": []}}
    with pytest.raises(kubernetes_validate.ValidationError, match="volume"):
        kubernetes_validate.validate(bad, KUBERNETES, strict=True)


def test_the_same_services_run_as_by_compose():
    assert set(PODS) == set(COMPOSE)
    assert not COMPONENTS.keys() & WORKLOADS.keys()


@EVERY
def test_each_service_has_the_image_and_command_of_compose(name, pod):
    (container,) = pod["containers"]
    assert container["image"] == COMPOSE[name]["image"]
    assert container.get("args") == COMPOSE[name].get("command")
    if name in COMPONENTS:
        # The chart's own command is in the way of the image's entrypoint.
        assert container["command"] == ["mxtvhf", "service"]


@EVERY
def test_no_service_is_root_or_can_write_to_its_image(name, pod):
    user = pod["securityContext"]
    assert f"{user['runAsUser']}:{user['runAsGroup']}" == COMPOSE[name]["user"]
    assert user["runAsNonRoot"] is True
    assert pod["containers"][0]["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }


@EVERY
def test_all_long_running_services_have_limits_and_probes(name, pod):
    (container,) = pod["containers"]
    if name in BY_HTTP or COMPOSE[name]["healthcheck"].get("disable"):
        return
    assert {"cpu", "memory"} <= container["resources"]["limits"].keys()
    asked = container["livenessProbe"]["exec"]["command"]
    assert asked == (["mxtvhf-health", name] if name in TARGETS else asked)
    assert asked[:1] in (["mxtvhf-health"], ["pg_isready"])


@EVERY
def test_mounts_exist_and_secrets_are_not_readable_by_everybody(name, pod):
    claims = WORKLOADS.get(name, {}).get("spec", {}).get("volumeClaimTemplates", [])
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = {mount["name"]: mount for mount in pod["containers"][0]["volumeMounts"]}
    assert mounts.keys() == volumes.keys() | {claim["metadata"]["name"] for claim in claims}
    assert volumes["secrets"]["secret"]["defaultMode"] & 0o007 == 0
    assert mounts["secrets"] == {"name": "secrets", "mountPath": "/run/secrets", "readOnly": True}


def test_the_names_of_the_configuration_file_are_those_of_the_services():
    services = {item["metadata"]["name"] for item in OBJECTS if item["kind"] == "Service"}
    text = (PROJECT / "mxtvhf.toml").read_text()
    wanted = set(re.findall(r'(?:host = "|//)([a-z-]+)(?:"|:\d)', text))
    assert wanted >= {"postgres", "redis", "nats", "gp", "api-server"}
    assert wanted == services


def test_a_service_finds_its_pods_and_the_port_of_its_program():
    selected = {
        item["metadata"]["name"]: item["spec"]["selector"] for item in OBJECTS if item["kind"] == "Service"
    }
    # The labels that the chart gives its API server.
    assert selected.pop("api-server") == {"tier": "airflow", "component": "api-server"}
    for name, selector in selected.items():
        assert WORKLOADS[name]["spec"]["template"]["metadata"]["labels"] == selector


def test_single_instance_services_never_run_twice():
    for workload in WORKLOADS.values():
        assert workload["spec"]["replicas"] == 1
        assert workload["kind"] == "StatefulSet" or workload["spec"]["strategy"] == {"type": "Recreate"}


def test_workers_finish_their_tasks():
    worker = COMPONENTS["worker"]
    assert worker["replicas"] == COMPOSE["worker"]["deploy"]["replicas"]
    assert worker["terminationGracePeriodSeconds"] == 120
    assert not worker["persistence"]["enabled"]
