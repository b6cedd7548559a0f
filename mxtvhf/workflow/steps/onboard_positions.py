"""Collect the positions measured on board, from MXT notices and from position packets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import hypot, nan
from pathlib import Path

from mxtvhf.crosscheck.model import PhotonEvidence
from mxtvhf.events.onboard_file import CARD, OnboardSource, read_onboard_file
from mxtvhf.instrument.pointing import Pointing
from mxtvhf.localisation.model import Localisation, OnboardJudgement, OnboardVerdict
from mxtvhf.localisation.onboard import OnboardClaim
from mxtvhf.models.position import Origin, Position
from mxtvhf.notices.alert import Alert
from mxtvhf.notices.burst import in_order
from mxtvhf.notices.voevent import systematic_r90


def onboard_claims(
    alerts: Sequence[Alert], product: Path | str | None, pointing: Pointing | None = None
) -> tuple[OnboardClaim, ...]:
    """Return the positions of all MXT notices and the sources in the last position packet.

    Parameters
    ----------
    alerts
        Notices of the burst, in any order.
    product
        File QPO_MXT, as written by ``photons_extraction``; None without position packets.
    pointing
        Mean pointing of the photons; None if unknown, which makes all pixel positions NaN.

    Raises
    ------
    InvalidInput
        The product is unreadable.
    """
    positions = [
        (alert.position, False, alert.published or alert.event_time)
        for alert in in_order(alerts)
        if alert.position is not None
        and alert.position.origin is Origin.MXT_ONBOARD
        and not alert.is_retraction
    ]
    results = read_onboard_file(Path(product)) if product is not None else ()
    if results:
        last = results[-1]
        positions += [
            (_position(source, number, last.time), source.known_source, last.time)
            for number, source in enumerate(last.sources, 1)
        ]
    claims = []
    for position, known_source, time in positions:
        x = y = nan
        if pointing is not None:
            x, y = (float(axis) for axis in pointing.sky_to_pixel(position.ra_deg, position.dec_deg))
        claims.append(OnboardClaim(x, y, position, known_source, time))
    return tuple(claims)


def photon_evidence(localisation: Localisation | None) -> tuple[PhotonEvidence, ...]:
    """Return how the photons support the on-board positions as those of the burst, for the cross-check.

    Parameters
    ----------
    localisation
        Result of ``vhf_localisation``; None if the step failed.
    """
    return tuple(map(_evidence, localisation.onboard if localisation else ()))


def _evidence(judged: OnboardJudgement) -> PhotonEvidence:
    label, other = judged.position.label, judged.other_source
    if other is not None:
        return PhotonEvidence(label=label, supported=False, other_source=other)
    supported = {OnboardVerdict.SUPPORTED: True, OnboardVerdict.CONTRADICTED: False}
    return PhotonEvidence(label=label, supported=supported.get(judged.verdict), p_value=judged.p_value)


def packet_position(localisation: Localisation | None) -> Position | None:
    """Return the burst's position in the last position packet: that of its first source that is not known.

    Parameters
    ----------
    localisation
        Result of ``vhf_localisation``; None if the step failed.
    """
    judged = localisation.onboard if localisation else ()
    return next(
        (one.position for one in judged if one.position.reference == CARD and not one.known_source), None
    )


def _position(source: OnboardSource, number: int, time: datetime) -> Position:
    systematic = systematic_r90(Origin.MXT_ONBOARD, time)
    return Position(
        origin=Origin.MXT_ONBOARD,
        label=f"{CARD} S{number}",
        ra_deg=source.ra_deg,
        dec_deg=source.dec_deg,
        r90_stat_arcsec=source.r90_arcsec,
        r90_sys_arcsec=systematic,
        r90_arcsec=hypot(source.r90_arcsec, systematic),
        time=time,
        reference=CARD,
    )
