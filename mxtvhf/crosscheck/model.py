"""Results of the cross-check."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from mxtvhf.catalogues.model import CatalogueAnswer
from mxtvhf.models.base import Model
from mxtvhf.models.position import Position


class Verdict(StrEnum):
    """Result of the comparison of two positions."""

    CONSISTENT = "consistent"
    INCONSISTENT = "inconsistent"
    UNCLEAR = "unclear"
    NOT_INDEPENDENT = "not independent"
    """Both are from the same data, so that their distance is not a test."""


class PhotonEvidence(Model):
    """Evidence of the VHF photons about a position that was measured from the same photons.

    It is based on their likelihood at that position, not on its distance from ours.
    """

    label: str
    """Label of the tested position."""
    supported: bool | None
    """True if the photons support the position, False if they contradict it, None if undecided."""
    p_value: float | None = Field(default=None, ge=0.0, le=1.0)
    """Probability of a likelihood ratio at least this large if the position is right."""
    other_source: str | None = None
    """Name of the source to which the position belongs, if that is not the burst."""


class MeasuredFlux(Model):
    """Measured flux of the source at one of the positions."""

    label: str
    """Label of the position."""
    flux: float = Field(gt=0.0, allow_inf_nan=False)
    """Mean observed (absorbed) flux, erg/cm2/s."""
    relative_error: float = Field(ge=0.0, allow_inf_nan=False)
    """1 sigma error, erg/cm2/s."""
    band_kev: tuple[float, float]


class PositionPair(Model):
    """Comparison of two positions of one burst."""

    first: str
    """Label of the first position."""
    second: str
    separation_arcsec: float
    combined_r90_arcsec: float | None
    """Expected 90 % radius of the separation of two measurements of one source, arcsec."""
    p_value: float | None
    """Probability of a disagreement at least this large if both positions have the same source: of the
    separation, or of the likelihood ratio for positions from the same photons. None if neither can be
    tested."""
    log10_bayes_factor: float | None = None
    """Decimal logarithm of the Bayes factor of one source against two unrelated ones; None if an error radius
    is unknown or the positions are not independent."""
    probability: float | None = None
    """Probability of one source, with the priors of ``crosscheck/crosscheck.toml``; None as above."""
    probability_unrelated: float | None = None
    """Probability that the more precise one is an unrelated source; None also in older reports."""
    probability_no_source: float | None = None
    """Probability that the more precise one belongs to no source."""
    independent: bool = True
    """False if both are from the same data or one was found with the help of the other."""
    verdict: Verdict
    explanation: str
    """Explanation in one sentence, with the numbers."""


NOTHING_RECOMPUTED = "-"
"""Result for a claim that could not be recomputed."""


class ClaimCheck(Model):
    """Check of a claim of a notice."""

    ivorn: str
    claim: str
    published: str
    recomputed: str
    agrees: bool | None
    """None if the claim could not be checked or the numbers do not decide it; ``explanation`` gives the
    reason."""
    explanation: str

    @property
    def word(self) -> str:
        """Return the result of the check: ``agrees``, ``contradicted``, ``unclear`` or ``not checked``."""
        if self.agrees is not None:
            return "agrees" if self.agrees else "contradicted"
        return "not checked" if self.recomputed == NOTHING_RECOMPUTED else "unclear"


class GpProgress(StrEnum):
    """Progress of GP's analysis of a burst."""

    RUNNING = "running"
    """Requested, and not ended yet."""
    RECEIVED = "received"
    """GP gave a position."""
    NO_DETECTION = "no detection"
    """GP found no source, which is a valid result."""
    FAILED = "failed"
    """GP ended with an error or gave an invalid answer."""
    TIMED_OUT = "timed out"
    NOT_REACHED = "not reached"
    NOT_ASKED = "not asked"
    """The observation of the burst is unknown, or GP was not requested."""


class GpOutcome(Model):
    """Outcome of GP: its result, or the reason why there is none."""

    available: bool
    """True if GP gave a result: a position, or no detection."""
    progress: GpProgress | None = None
    """None in reports of version 0.2.0; `word` also covers these."""
    reason: str | None = None
    """Reason why there is no result or no position."""
    process_id: str | None = None
    position: Position | None = None
    is_reference: bool = False
    """True if the reference GP answered, which uses our method, and our photons unless its data are XBand."""

    @property
    def word(self) -> GpProgress:
        """Progress of the analysis, also for older reports."""
        return self.progress or (GpProgress.RECEIVED if self.available else GpProgress.FAILED)


class BurstVerdict(StrEnum):
    """Overall verdict from all positions and catalogues."""

    KNOWN_SOURCE = "known source"
    """The best position is that of a catalogued source."""
    INCONSISTENT = "inconsistent"
    """Positions of the burst are inconsistent with one source."""
    UNCATALOGUED = "uncatalogued"
    """The positions agree, and no searched catalogue has a source there."""
    NO_MXT_SOURCE = "no MXT source"
    """MXT detected nothing; the best position is that of another instrument."""
    CONSISTENT = "consistent"
    """The positions agree; no catalogue could be searched."""
    UNCLEAR = "unclear"

    @classmethod
    def _missing_(cls, value: object) -> BurstVerdict | None:
        # Reports of versions 0.1 and 0.2.0 use this value.
        return cls.UNCATALOGUED if value == "new source" else None


class SourceMatch(Model):
    """Comparison of a position of the burst with a catalogued source."""

    position: str
    """Label of the position."""
    catalogue: str
    source: str
    """Name in the catalogue."""
    separation_arcsec: float
    combined_r90_arcsec: float
    """Expected 90 % radius of the separation of two measurements of one source, arcsec."""
    log10_bayes_factor: float
    """Decimal logarithm of the Bayes factor of one source against two unrelated ones."""
    flux_ratio: float | None = None
    """Ratio of measured to catalogued flux, in the band of the measurement; None if not compared."""
    probability: float = Field(ge=0.0, le=1.0)
    """Probability that the position belongs to this source, given the priors of ``crosscheck.toml``, the
    other sources of the catalogue and, if known, the fluxes."""
    explanation: str


class SourceIdentity(Model):
    """Comparison of one detected source with the catalogues."""

    name: str
    """Name given by the localisation, e.g. ``S1``."""
    checked: bool
    """True if at least one catalogue was searched completely around it."""
    matches: tuple[SourceMatch, ...] = ()
    """Catalogued sources near it, the most probable first; ``position`` is the source's name."""

    @property
    def known(self) -> SourceMatch | None:
        """Catalogued source that it is with more than 50 % probability; None if there is none."""
        return next((match for match in self.matches if match.probability > 0.5), None)


class CrossCheck(Model):
    """Comparison of all positions of the burst with each other and with catalogues."""

    positions: tuple[Position, ...]
    pairs: tuple[PositionPair, ...]
    claims: tuple[ClaimCheck, ...]
    gp: GpOutcome
    best: Position | None
    best_reason: str
    verdict: BurstVerdict = BurstVerdict.UNCLEAR
    verdict_reason: str = ""
    """Reason in sentences, with the numbers."""
    catalogues: tuple[CatalogueAnswer, ...] = ()
    """Result of each catalogue search around each position, including failed searches."""
    associations: tuple[SourceMatch, ...] = ()
    """Comparison of every position with every catalogued source near it, the most probable first."""
    flags: tuple[str, ...] = ()
    """Unphysical published values, which are excluded from all results."""
    identities: tuple[SourceIdentity, ...] = ()
    """Identification of each detected source; empty if there is only one."""
