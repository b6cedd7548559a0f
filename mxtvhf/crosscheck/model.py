"""What the cross-check finds."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from mxtvhf.catalogues.model import CatalogueAnswer
from mxtvhf.models.base import Model
from mxtvhf.models.position import Position


class Verdict(StrEnum):
    """How two positions compare."""

    CONSISTENT = "consistent"
    INCONSISTENT = "inconsistent"
    UNCLEAR = "unclear"
    NOT_INDEPENDENT = "not independent"
    """Both are from the same data, which allow either: their distance tests nothing."""


class PhotonEvidence(Model):
    """What the VHF photons say about a position that was measured from the same photons.

    By their likelihood at that position, not by its distance from ours.
    """

    label: str
    """Of the position that was judged."""
    supported: bool | None
    """False: the photons contradict it; None: they do not decide."""
    p_value: float | None = Field(default=None, ge=0.0, le=1.0)
    """Probability of a likelihood ratio at least this large, were the position right."""


class MeasuredFlux(Model):
    """The flux of the source at one of the positions."""

    label: str
    """Of the position."""
    flux: float = Field(gt=0.0, allow_inf_nan=False)
    """Mean, as it arrives, erg/cm2/s."""
    relative_error: float = Field(ge=0.0, allow_inf_nan=False)
    """1 sigma."""
    band_kev: tuple[float, float]


class PositionPair(Model):
    """Two positions of one burst against each other."""

    first: str
    """Label of the first position."""
    second: str
    separation_arcsec: float
    combined_r90_arcsec: float | None
    """90 % radius expected for the separation of two measurements of one source, arcsec."""
    p_value: float | None
    """Probability of a disagreement at least this large, were both the same source: of the separation, or of
    the photons' likelihood ratio for positions that share them. None where neither can be tested."""
    log10_bayes_factor: float | None = None
    """Of one source against two unrelated ones; None where an error radius is unknown, or for positions that
    are not independent."""
    probability: float | None = None
    """That both are of one source, by the priors of ``crosscheck/crosscheck.toml``; None as above."""
    probability_unrelated: float | None = None
    """That the finer one is of a source unrelated to the other; None also in older reports."""
    probability_no_source: float | None = None
    """That the finer one is of no source at all."""
    independent: bool = True
    """False: from the same data, or one found with the help of the other."""
    verdict: Verdict
    explanation: str
    """One sentence with the numbers."""


NOTHING_RECOMPUTED = "-"
"""Result of a claim that could not be recomputed."""


class ClaimCheck(Model):
    """A statement of a notice, recomputed."""

    ivorn: str
    claim: str
    published: str
    recomputed: str
    agrees: bool | None
    """None: could not be checked, or the numbers do not decide it; ``explanation`` says why."""
    explanation: str

    @property
    def word(self) -> str:
        """What became of the claim: ``agrees``, ``contradicted``, ``unclear`` or ``not checked``."""
        if self.agrees is not None:
            return "agrees" if self.agrees else "contradicted"
        return "not checked" if self.recomputed == NOTHING_RECOMPUTED else "unclear"


class GpProgress(StrEnum):
    """How far GP's analysis of a burst came."""

    RUNNING = "running"
    """Requested, and not ended yet."""
    RECEIVED = "received"
    """GP gave a position."""
    NO_DETECTION = "no detection"
    """GP found no source: a result."""
    FAILED = "failed"
    """GP ended with an error, or gave an answer that cannot be used."""
    TIMED_OUT = "timed out"
    NOT_REACHED = "not reached"
    NOT_ASKED = "not asked"
    """No observation is known for the burst, or nobody wanted GP."""


class GpOutcome(Model):
    """What GP gave, or why it gave nothing."""

    available: bool
    """True when GP gave a result: a position, or that it found no source."""
    progress: GpProgress | None = None
    """None in reports of version 0.2.0; `word` names it for them, too."""
    reason: str | None = None
    """Why there is no result, or no position."""
    process_id: str | None = None
    position: Position | None = None
    is_reference: bool = False
    """True when the reference service answered: our method, and our photons too unless its data are XBand."""

    @property
    def word(self) -> GpProgress:
        """How far the analysis came."""
        return self.progress or (GpProgress.RECEIVED if self.available else GpProgress.FAILED)


class BurstVerdict(StrEnum):
    """What all positions and catalogues together say, in a word."""

    KNOWN_SOURCE = "known source"
    """The best position is that of a catalogued source."""
    INCONSISTENT = "inconsistent"
    """Positions of the burst that cannot be of one source."""
    UNCATALOGUED = "uncatalogued"
    """The positions agree, and no catalogue that was asked has a source there."""
    NO_MXT_SOURCE = "no MXT source"
    """MXT detected nothing: the best position is another instrument's."""
    CONSISTENT = "consistent"
    """The positions agree; no catalogue could be asked."""
    UNCLEAR = "unclear"

    @classmethod
    def _missing_(cls, value: object) -> BurstVerdict | None:
        # Reports of version 0.1 and 0.2.0 say it so.
        return cls.UNCATALOGUED if value == "new source" else None


class SourceMatch(Model):
    """A position of the burst against a source of a catalogue."""

    position: str
    """Label of the position."""
    catalogue: str
    source: str
    """What the catalogue calls it."""
    separation_arcsec: float
    combined_r90_arcsec: float
    """90 % radius expected for the separation of two measurements of one source, arcsec."""
    log10_bayes_factor: float
    """Of one source against two unrelated ones."""
    flux_ratio: float | None = None
    """Measured over catalogued flux, in the band of the measurement; None where they were not compared."""
    probability: float = Field(ge=0.0, le=1.0)
    """That the position is this source's, the priors of ``crosscheck.toml``, the catalogue's other sources
    and, where they are known, the fluxes considered."""
    explanation: str


class SourceIdentity(Model):
    """One of the sources that the photons show, against the catalogues."""

    name: str
    """``S1``, as the localisation names it."""
    checked: bool
    """True when a catalogue was checked completely around it."""
    matches: tuple[SourceMatch, ...] = ()
    """Catalogued sources near it, the likeliest first; ``position`` is the source's name."""

    @property
    def known(self) -> SourceMatch | None:
        """The catalogued source that it is, likelier than not; None where there is none."""
        return next((match for match in self.matches if match.probability > 0.5), None)


class CrossCheck(Model):
    """Every position of the burst, compared with the others and with catalogues."""

    positions: tuple[Position, ...]
    pairs: tuple[PositionPair, ...]
    claims: tuple[ClaimCheck, ...]
    gp: GpOutcome
    best: Position | None
    best_reason: str
    verdict: BurstVerdict = BurstVerdict.UNCLEAR
    verdict_reason: str = ""
    """In sentences, with the numbers."""
    catalogues: tuple[CatalogueAnswer, ...] = ()
    """What each catalogue gave for each position asked for, also that it could not be asked."""
    associations: tuple[SourceMatch, ...] = ()
    """Every position against every catalogued source near it, the likeliest first."""
    flags: tuple[str, ...] = ()
    """Published values that are impossible: they are in no result."""
    identities: tuple[SourceIdentity, ...] = ()
    """What the catalogues say about each source that the photons show; empty where there is only one."""
