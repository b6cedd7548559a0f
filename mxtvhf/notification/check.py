"""Validation of the notification settings: channels, rota and rules."""

from __future__ import annotations

from mxtvhf.errors import InvalidInput, SeveralFaults
from mxtvhf.notification.channels import Channel, check_channels
from mxtvhf.notification.rota import Rota, read_rota
from mxtvhf.settings import NotificationPolicy


def check_policy(policy: NotificationPolicy) -> None:
    """Check the channels, the rota and the rules of a policy against each other. Nothing is sent.

    Raises
    ------
    SeveralFaults
        The settings are invalid. The message has one line for each fault and shows no URL.
    """
    faults: list[str] = []
    channels: list[Channel] = []
    rota: Rota | None = None
    try:
        channels = check_channels(policy.channels)
    except InvalidInput as error:
        faults += str(error).splitlines()
    try:
        rota = read_rota(policy.rota) if policy.rota else None
    except InvalidInput as error:
        faults += str(error).splitlines()
    tags = {tag for channel in channels for tag in channel.tags}
    wanted = {rule.to for rule in policy.rules} - {"duty", "all"} | set(rota.people if rota else ())
    if channels:
        faults += [
            f"{policy.channels}: no channel has the tag {tag}; add one" for tag in sorted(wanted - tags)
        ]
    if faults:
        raise SeveralFaults("\n".join(faults))
