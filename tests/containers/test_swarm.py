"""The same file with Docker Swarm on one node, by `docker stack deploy`."""

import re

import pytest

from containers.installation import Swarm, docker, started, wait_until


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    yield from started(Swarm, tmp_path_factory.mktemp("stack"))


def test_every_service_comes_up_and_an_alert_becomes_a_report(stack):
    stack.drop_into_inbox(*stack.simulate("sb26112901"))
    stack.wait_for_report("sb26112901")
    assert stack.unhealthy() == {}


def test_commands_work_inside(stack):
    said = stack.exec("listen", "mxtvhf", "backup", "/var/lib/mxtvhf/backup.tar.gz")
    assert int(re.search(r"(\d+) tables", said).group(1)) >= 50


def test_an_upgrade_is_a_migration_between_stop_and_start(stack):
    others = [name for name in stack.services if name not in ("postgres", "redis", "nats")]
    for name in others:
        docker("service", "scale", "--detach", f"{stack.stack}_{name}=0")
    wait_until(lambda: not any(stack.containers(name) for name in others), "end of the services", 180)
    migrate = f"{stack.stack}_migrate"
    docker("service", "update", "--detach", "--force", "--no-resolve-image", migrate)
    wait_until(lambda: stack.is_complete("migrate"), "migration", 180)
    stack.deploy()
    stack.wait_until_healthy()
    assert stack.runs("sb26112901")
