"""All notification settings are checked together, with one line for each fault."""

import pytest

from mxtvhf.errors import SeveralFaults
from mxtvhf.notification.check import check_policy
from mxtvhf.settings import NotificationRule

SOUND = "".join(f"{tag} = json://s3cr3t-{tag}@localhost\n" for tag in ("ada", "bob", "eve"))


def faults(policy):
    with pytest.raises(SeveralFaults) as caught:
        check_policy(policy)
    assert "s3cr3t" not in str(caught.value)
    return str(caught.value).splitlines()


def test_a_valid_configuration_passes(installation):
    installation.channels.write_text(SOUND)
    check_policy(installation.policy)


def test_a_person_and_a_rule_without_a_channel_are_named(installation):
    installation.channels.write_text(SOUND.replace("eve =", "adam ="))
    rule = NotificationRule(events=("first_notice",), to="chat")
    policy = installation.policy.model_copy(update={"rules": (rule,)})
    assert faults(policy) == [
        f"{installation.channels}: no channel has the tag {tag}; add one" for tag in ("chat", "eve")
    ]


def test_faults_of_both_files_are_reported_together(installation):
    installation.channels.write_text(f"{SOUND}ada = nothing://s3cr3t\n")
    installation.policy.rota.write_text('[people.ada]\nname = ""\n')
    found = faults(installation.policy)
    assert [line.split(", ")[0].split(":")[0] for line in found] == [
        str(installation.channels), str(installation.policy.rota),
    ]  # fmt: skip
