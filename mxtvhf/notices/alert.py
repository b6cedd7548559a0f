"""Data model of a SVOM notice."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import AwareDatetime

from mxtvhf.models.base import Model
from mxtvhf.models.ids import BurstId
from mxtvhf.models.position import Declination, Position, RightAscension

Role = Literal["observation", "prediction", "utility", "test"]
ROLES: tuple[Role, ...] = get_args(Role)
Cite = Literal["followup", "supersedes", "retraction"]
CITES: tuple[Cite, ...] = get_args(Cite)


class Attitude(Model):
    """Satellite attitude at one time, degrees ICRS."""

    ra_deg: RightAscension
    dec_deg: Declination
    roll_deg: float


class SatellitePosition(Model):
    """Geographic position of the satellite when the notice was made."""

    longitude_deg: float
    latitude_deg: float
    altitude_km: float


class Citation(Model):
    """One ``EventIVORN`` of a VOEvent."""

    ivorn: str
    """Same spelling as `Alert.ivorn`."""
    cite: Cite


class Alert(Model):
    """A SVOM notice, read from a VOEvent."""

    ivorn: str
    """Normalised for comparison: the part before ``#`` is in lower case."""
    burst_id: BurstId
    notice_type: str
    """Notice type, the part of the ivorn after the burst id: ``eclairs-wakeup``, ``mxt-initial_qf1``, ..."""
    packet_type: int | None
    """SVOM Packet_Type: 201 grm-trigger ... 219 retraction; None if missing or unreadable."""
    notice_level: str
    """N1g, N1e, N2m, N2v, N3e ...; ``unknown`` if missing or unreadable."""
    instrument: str
    """``unknown`` if missing or unreadable."""
    role: Role
    published: AwareDatetime | None
    """``Who/Date``, UTC; None if missing."""
    event_time: AwareDatetime
    """``ISOTime`` of WhereWhen, UTC. For MXT notices this is the start of the MXT observation."""
    trigger_time: AwareDatetime | None = None
    """T0 of the alert sequence (``Alert_Seq_T0``), UTC; None if not published."""
    time_window: tuple[AwareDatetime, AwareDatetime] | None = None
    """Time window of the trigger, UTC."""
    position: Position | None
    """None for a notice without a position (allowed for GRM)."""
    attitude: Attitude | None
    """As published; in MXT notices the attitude *before* the slew, not the MXT pointing."""
    satellite: SatellitePosition | None = None
    snr: float | None
    snr_saturated: bool = False
    """True at 255, the largest value of the on-board field."""
    mean_flux: float | None = None
    """``Mean_Flux`` as published; see ``flux_credible``."""
    flux_error: float | None = None
    flux_credible: bool = True
    """False if the published number cannot be a flux in erg/cm2/s."""
    timescale_s: float | None = None
    """Length of the trigger's time window, s."""
    energy_band_kev: tuple[float, float] | None = None
    trigger_type: str | None = None
    """ECLAIRs: ``CRT`` count-rate trigger or ``IMT`` image trigger."""
    triggered_grds: str | None = None
    """GRM: one digit per detector, 1 if it triggered."""
    use_vt_attitude: bool | None = None
    """MXT: the VT steadied the platform in place of the star trackers (better localisation)."""
    within_eclairs_r90: bool | None = None
    """``Within_ECLAIRs_R90`` as published; it is unreliable, so the cross-check recomputes it."""
    eclairs_angle_arcmin: float | None = None
    slew_status: str | None = None
    source_name: str | None = None
    """Name in the on-board catalogue (eclairs-catalog notices)."""
    catalog_id: int | None = None
    citations: tuple[Citation, ...] = ()
    warnings: tuple[str, ...] = ()
    """One clause for each invalid value of the notice that is ignored."""

    @property
    def is_test(self) -> bool:
        """True if the notice was sent as a test."""
        return self.role == "test"

    @property
    def is_retraction(self) -> bool:
        """True for Packet_Type 219, the type ``retraction`` or a retraction citation, whatever the role."""
        return (
            self.packet_type == 219
            or self.notice_type == "retraction"
            or any(citation.cite == "retraction" for citation in self.citations)
        )
