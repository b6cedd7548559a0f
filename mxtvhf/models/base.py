"""The messages that travel between the steps: frozen, typed, in ICRS degrees, arcseconds and UTC."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

BURST_ID_PATTERN = r"^sb[0-9]{8}$"
"""SVOM burst identifier ``sbYYMMDDnn`` (SVOM notice documentation); ASCII digits only."""

REPLAY_MARK = "__replay_"
"""In the run id of a replay, before its time."""

TEST_MARK = "__test"
"""End of the run id that the intake gives to a test alert; Airflow lets live ones go first."""

BurstId = Annotated[str, StringConstraints(pattern=BURST_ID_PATTERN)]
RightAscension = Annotated[float, Field(ge=0.0, lt=360.0, allow_inf_nan=False)]
Declination = Annotated[float, Field(ge=-90.0, le=90.0, allow_inf_nan=False)]
Apid = Annotated[str, StringConstraints(pattern=r"^\d{1,16}$")]
TEXT_PATTERN = r"^[^\x00]*$"
"""Any text that a database can hold."""
Target = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=TEXT_PATTERN)]
Orbit = Annotated[str, StringConstraints(pattern=r"^\d{1,8}$")]
Mode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
NonNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class Model(BaseModel):
    """A frozen message; unknown fields are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


class Origin(StrEnum):
    """Who measured a position."""

    ECLAIRS = "ECLAIRs"
    MXT_ONBOARD = "MXT on-board"
    MXT_VHF = "MXT-VHF"
    GP = "MXT GP"
    VT = "VT"
    GRM = "GRM"
    OTHER = "other"
    """An instrument that no published notice type names today."""


class Position(Model):
    """A measured sky position with its 90 % error radius."""

    origin: Origin
    label: str
    """What a person calls it, e.g. ``mxt-initial_qf1`` or ``photons``."""
    ra_deg: RightAscension
    dec_deg: Declination
    r90_stat_arcsec: NonNegative | None
    """Statistical 90 % radius, arcsec; None where the source gives only a total."""
    r90_sys_arcsec: NonNegative
    """Systematic 90 % radius, arcsec."""
    r90_arcsec: NonNegative | None
    """Total 90 % radius (statistical and systematic in quadrature), arcsec; None when unknown."""
    time: AwareDatetime | None = None
    """When the measurement was made or published, UTC."""
    reference: str | None = None
    """Where it was read: an ivorn or a product name."""


class Attitude(Model):
    """Satellite attitude at one moment, degrees ICRS."""

    ra_deg: RightAscension
    dec_deg: Declination
    roll_deg: float


class SatellitePosition(Model):
    """Where the satellite was when the notice was made, geographic."""

    longitude_deg: float
    latitude_deg: float
    altitude_km: float


class Citation(Model):
    """One ``EventIVORN`` of a VOEvent."""

    ivorn: str
    cite: Literal["followup", "supersedes", "retraction"]


class Alert(Model):
    """A SVOM notice, read from its VOEvent."""

    ivorn: str
    burst_id: BurstId
    notice_type: str
    """What follows the burst id in the ivorn: ``eclairs-wakeup``, ``mxt-initial_qf1``, ..."""
    packet_type: int
    """SVOM Packet_Type: 201 grm-trigger ... 219 retraction."""
    notice_level: str
    """N1g, N1e, N2m, N2v, N3e ..."""
    instrument: str
    role: Literal["observation", "prediction", "utility", "test"]
    published: AwareDatetime | None
    """``Who/Date``, UTC; None where the notice has none."""
    event_time: AwareDatetime
    """``ISOTime`` of WhereWhen, UTC. For MXT notices this is the start of the MXT observation."""
    trigger_time: AwareDatetime | None = None
    """T0 of the alert sequence where published (``Alert_Seq_T0``), UTC."""
    time_window: tuple[AwareDatetime, AwareDatetime] | None = None
    """The trigger's time window, UTC."""
    position: Position | None
    """None for a notice without a position (legal for GRM)."""
    attitude: Attitude | None
    """As published; in MXT notices the attitude *before* the slew, not the MXT pointing."""
    satellite: SatellitePosition | None = None
    snr: float | None
    snr_saturated: bool = False
    """True at 255, the largest number the on-board field holds."""
    mean_flux: float | None = None
    """``Mean_Flux`` as published; see ``flux_credible``."""
    flux_error: float | None = None
    flux_credible: bool = True
    """False where the published number cannot be a flux in erg/cm2/s."""
    timescale_s: float | None = None
    """Length of the trigger's time window, s."""
    energy_band_kev: tuple[float, float] | None = None
    trigger_type: str | None = None
    """ECLAIRs: ``CRT`` count-rate trigger or ``IMT`` image trigger."""
    triggered_grds: str | None = None
    """GRM: one digit per detector, 1 where it triggered."""
    use_vt_attitude: bool | None = None
    """MXT: the VT steadied the platform in place of the star trackers (better localisation)."""
    within_eclairs_r90: bool | None = None
    """``Within_ECLAIRs_R90`` as published: not to be trusted, recomputed by the cross-check."""
    eclairs_angle_arcmin: float | None = None
    slew_status: str | None = None
    source_name: str | None = None
    """On-board catalogue's label (eclairs-catalog notices)."""
    catalog_id: int | None = None
    citations: tuple[Citation, ...] = ()

    @property
    def is_test(self) -> bool:
        """True when the notice was sent as a test."""
        return self.role == "test"

    @property
    def is_retraction(self) -> bool:
        """True for Packet_Type 219 or a ``retraction`` citation; the VOEvent role stays ``observation``."""
        return self.packet_type == 219 or any(c.cite == "retraction" for c in self.citations)


class PacketCounts(Model):
    """What became of the packets of one input."""

    received: int
    """Packets found in the stream, good or not."""
    good: int
    """Distinct packets of this burst that passed all checks."""
    repeated: int
    """Further copies of good packets."""
    missing: int
    """Sequence numbers that never came."""
    corrupt: int
    """Wrong CRC, length or content, and stretches of bytes that are no packet."""
    foreign: int
    """Sound packets of other bursts or other APIDs."""
    out_of_order: int
    """Good packets that came after a later one."""


class GpRequest(Model):
    """Body of ``POST {base}/processing`` of the General Program (GP) service."""

    apid: Apid
    target: Target
    orbit: Orbit
    mode: Mode = "GeneralProgram"
    event_file: str | None = None
    """Only for the reference GP service: the event file to analyse, as a path it can read."""


class RunConf(Model):
    """``dag_run.conf`` of ``mxt_vhf``: what a run needs to know, whoever starts it."""

    burst_id: BurstId = Field(description="SVOM burst id, sbYYMMDDnn", examples=["sb26030704"])
    alert: str = Field(
        min_length=1,
        max_length=200_000,
        pattern=TEXT_PATTERN,
        description="The alert: a file URI or path, or the VOEvent XML itself",
        examples=["file:///data/inbox/sb26051102/alert.xml"],
    )
    packets: str | None = Field(
        default=None,
        max_length=4096,
        pattern=TEXT_PATTERN,
        description="The VHF packets received for it: a file URI or path",
        examples=["file:///data/inbox/sb26051102/packets.bin"],
    )
    sequence: int = Field(
        default=1, ge=1, le=9999, description="Number of this input among the inputs of the burst"
    )
    apid: Apid = Field(default="00810300005", description="APID passed to GP")
    target: Target = Field(default="2", description="Target passed to GP")
    orbit: Orbit = Field(default="2", description="Orbit passed to GP")
    mode: Mode = Field(default="GeneralProgram", description="Mode passed to GP")
    gp_timeout_s: float = Field(
        default=1800.0, ge=1.0, le=86_400.0, description="Seconds to wait for GP before the final report"
    )


class Product(Model):
    """One file that a run made."""

    path: str
    """Relative to the run's product folder."""
    sha256: str


class CredibleRegion(Model):
    """The smallest region of the sky that holds a part of the posterior, systematic error included."""

    part: float
    """Of the probability, e.g. 0.9."""
    area_arcmin2: float
    outlines: tuple[tuple[tuple[float, float], ...], ...]
    """Closed lines around its pieces (and around holes in them): right ascension and declination, degrees."""


class Localisation(Model):
    """What the photons say about where the source is."""

    detected: bool
    """False: no significant source; ``position`` is then None and ``reason`` says why."""
    position: Position | None
    r50_arcsec: float | None
    """Radius that holds 50 % of the posterior (statistical only), arcsec."""
    detector_x: float | None
    """Continuous 0-based pixel column of the source."""
    detector_y: float | None
    ts: float
    """Test statistic, 2 (ln L_source - ln L_background)."""
    n_photons: int
    exposure_s: float | None = None
    """Sum of the good times of the photons, seconds."""
    data_stream: str | None = None
    """``VHF`` or ``XBand``: how the photons came to the ground."""
    n_source: float
    n_background: float
    hot_pixels: tuple[tuple[int, int], ...] = ()
    """(column, row) of pixels left out because no source can be so narrow."""
    reason: str | None = None
    uses: tuple[str, ...] = ()
    """What it is made of beside the photons' places: ``energy``, ``time``, ``ECLAIRs`` (its circle, which is
    asked only where the photons alone show no source)."""
    core_fwhm_arcmin: float | None = None
    """Width of the PSF's core by the fit, arcmin."""
    upper_limit_photons: float | None = None
    """90 % upper limit of the expected source photons where no source was found; None where any number
    could be hidden, because hardly a pixel is good."""
    upper_limit_flux: float | None = None
    """The same as a mean flux (0.3-10 keV, absorbed, expected spectrum), erg/cm2/s."""
    regions: tuple[CredibleRegion, ...] = ()
    """With 50 and 90 % of the posterior; empty without a source."""
    products: dict[str, Product] = {}
    """The files with the posterior on the sky: name -> file."""
    calibration: dict[str, str] = {}
    """Calibration item -> version used."""


class Verdict(StrEnum):
    """How two positions compare."""

    CONSISTENT = "consistent"
    INCONSISTENT = "inconsistent"
    UNCLEAR = "unclear"


class PositionPair(Model):
    """Two positions of one burst against each other."""

    first: str
    """Label of the first position."""
    second: str
    separation_arcsec: float
    combined_r90_arcsec: float | None
    """90 % radius expected for the separation of two measurements of one source, arcsec."""
    p_value: float | None
    """Probability of a separation at least this large, were both the same source."""
    log10_bayes_factor: float | None = None
    """Of one source against two unrelated ones; None where an error radius is unknown."""
    probability: float | None = None
    """That both are of one source, by the priors of ``crosscheck/crosscheck.toml``."""
    verdict: Verdict
    explanation: str
    """One sentence with the numbers."""


class ClaimCheck(Model):
    """A statement of a notice, recomputed."""

    ivorn: str
    claim: str
    published: str
    recomputed: str
    agrees: bool | None
    """None: could not be checked, ``explanation`` says why."""
    explanation: str


class GpOutcome(Model):
    """What GP gave, or why it gave nothing."""

    available: bool
    reason: str | None = None
    """Why there is no result."""
    process_id: str | None = None
    position: Position | None = None
    is_reference: bool = False
    """True when the reference service answered: our method, our photons among its own, no independent
    confirmation."""


class TimelineEntry(Model):
    """A moment of the burst's way to the report."""

    name: str
    time: AwareDatetime
    seconds_after_trigger: float | None = None


def utc_text(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and ``Z``, the form used in all reports."""
    from datetime import UTC

    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def safe_name(text: str) -> str:
    """Text as a file name: all but letters, digits and ``._~:+-`` becomes ``_``; never starts with a dot."""
    return re.sub(r"[^A-Za-z0-9._~:+-]", "_", text).lstrip(".")[:200] or "_"
