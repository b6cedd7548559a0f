"""Choose the position that is recommended to observers.

ECLAIRs finds the burst, MXT observes the ECLAIRs error circle, and VT that of MXT. The positions are
processed in this order (for MXT: first GP's, then ours, then the on-board one), and each is compared with the
previous ones:

- a position that contradicts one of the chain is excluded from the chain;
- a position that may belong to another source (verdict "unclear", probability of one source below
  ``agrees_from``) stays in the chain *in doubt*: neither it nor a position that contradicts it is recommended
  until another measurement confirms it;
- a position from the same data as another one adds no evidence. It replaces the other one only if it is more
  precise and lies inside the other's 90 % error circle, or if the photons support it; otherwise it is treated
  like the other one;
- all other positions agree.

The agreeing position with the smallest total 90 % radius is recommended. The position of the reference GP
takes no part, since it is never announced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mxtvhf.crosscheck.model import PositionPair, Verdict
from mxtvhf.crosscheck.pairs import compare, name
from mxtvhf.crosscheck.settings import crosscheck_settings
from mxtvhf.crosscheck.shared_data import XBAND, share_data
from mxtvhf.models.angles import radius_text
from mxtvhf.models.position import Origin, Position, current_positions

CHAIN = (
    Origin.ECLAIRS,
    Origin.GP,
    Origin.MXT_VHF,
    Origin.MXT_ONBOARD,
    Origin.VT,
    Origin.GRM,
    Origin.OTHER,
)
"""Order of comparison: each position is compared with those before it. GRM rarely gives an error radius."""

PREFERENCE = (
    Origin.VT,
    Origin.GP,
    Origin.MXT_VHF,
    Origin.MXT_ONBOARD,
    Origin.ECLAIRS,
    Origin.GRM,
    Origin.OTHER,
)
"""Preference among equally precise positions: that of the better or later analysis."""

REFERENCE = "it is from the reference GP, which uses our method and is never announced."
"""Reason why the position of the reference GP is not recommended."""

Comparison = Callable[[Position, Position], PositionPair]
"""Function that compares two positions of the burst."""


@dataclass
class Chain:
    """Positions that may belong to the burst, in the order of ``CHAIN``."""

    comparison: Comparison
    agreeing: list[Position] = field(default_factory=list)
    repeated: list[Position] = field(default_factory=list)
    """Agreeing positions that are from the same data as a better one and therefore not counted."""
    doubtful: list[tuple[Position, PositionPair]] = field(default_factory=list)
    """Positions in doubt, with the comparison that causes the doubt."""
    contradicted: list[tuple[Position, PositionPair]] = field(default_factory=list)

    def add(self, position: Position) -> None:
        """Compare a position with those before it and add it to its group.

        Parameters
        ----------
        position
            Next position, in the order of ``CHAIN``.
        """
        agreeing = [self.comparison(one, position) for one in self.agreeing]
        if against := _first(agreeing, Verdict.INCONSISTENT):
            self.contradicted.append((position, against))
        elif doubt := next(filter(_leaves_doubt, agreeing), None) or self._doubt(position):
            self.doubtful.append((position, doubt))
        elif any(self._is_repeated(one, position) for one in self.agreeing):
            self.repeated.append(position)
        else:
            self.agreeing.append(position)

    def _doubt(self, position: Position) -> PositionPair | None:
        """Return the comparison that leaves a position in doubt although it agrees with all others."""
        refused = (*self.doubtful, *self.contradicted)
        repeats = (pair for one, pair in refused if self._is_repeated(one, position))
        return next(repeats, None) or _first(
            [self.comparison(one, position) for one, _ in self.doubtful], Verdict.INCONSISTENT
        )

    def _is_repeated(self, better: Position, position: Position) -> bool:
        """Return True if a position has the data and source of a better one and cannot replace it."""
        if not share_data(better, position):
            return False
        pair = self.comparison(better, position)
        if pair.verdict is Verdict.INCONSISTENT:
            return False
        is_supported = pair.verdict is Verdict.CONSISTENT or pair.separation_arcsec <= (
            better.r90_arcsec or 0.0
        )
        return not is_supported or (position.r90_arcsec or 0.0) >= (better.r90_arcsec or 0.0)

    @property
    def best(self) -> Position:
        """Recommended position; it always exists, because the first position agrees."""
        return min(
            self.agreeing, key=lambda position: (position.r90_arcsec, PREFERENCE.index(position.origin))
        )

    @property
    def reason(self) -> str:
        """Reason for the recommendation, in sentences with numbers."""
        best = self.best
        radius = radius_text(best.r90_arcsec or 0.0)
        independent = self._independent()
        if independent > 1:
            first = f"{name(best)} is the most precise of {independent} independent positions that agree"
        elif len(self.agreeing) > 1:
            first = f"{name(best)} is the most precise position; no independent one confirms it"
        else:
            first = f"{name(best)} is the only credible position"
        sentences = [f"{first} (R90 {radius})."]
        sentences += [
            self._not_counted(one) for one in self.agreeing if one is not best and share_data(one, best)
        ]
        sentences += [self._not_counted(one) for one in self.repeated]
        sentences += [
            f"{name(other)} is not recommended: it is in doubt until another measurement confirms it. "
            f"{pair.explanation}"
            for other, pair in self.doubtful
        ]
        sentences += [
            f"{name(other)} is not recommended: it is contradicted. {pair.explanation}"
            for other, pair in self.contradicted
        ]
        return " ".join(sentences)

    def _independent(self) -> int:
        """Count the agreeing positions that are independent of the best one and of each other."""
        counted = [self.best]
        for position in self.agreeing:
            if position is not self.best and all(
                self.comparison(one, position).independent for one in counted
            ):
                counted.append(position)
        return len(counted)

    def _not_counted(self, position: Position) -> str:
        """Explain that a position adds no evidence, and mention a contradiction with the best one."""
        best, pair = self.best, self.comparison(self.best, position)
        beside = (
            best
            if share_data(best, position)
            else next(one for one in self.agreeing if share_data(one, position))
        )
        sentence = f"{name(position)} is from the same data as {name(beside)} and not counted separately."
        return f"{sentence} {pair.explanation}" if pair.verdict is Verdict.INCONSISTENT else sentence


def recommend(
    positions: Sequence[Position],
    comparison: Comparison = compare,
    *,
    gp_is_reference: bool = False,
) -> tuple[Position | None, str]:
    """Choose the position for observers.

    Parameters
    ----------
    positions
        All positions in order of publication; only the last one of each origin is used.
    comparison
        Function that compares two of them.
    gp_is_reference
        True if GP's position comes from the reference GP, which is never recommended.

    Returns
    -------
    position, reason
        The position, None if none has an error radius, and the reason in sentences.
    """
    latest = {origin: one for origin, one in current_positions(positions).items() if one.r90_arcsec}
    reference = latest.pop(Origin.GP, None) if gp_is_reference else None
    remark = f" {name(reference)} is not recommended: {REFERENCE}" if reference else ""
    if not latest:
        return None, f"No position {'can be announced' if reference else 'has an error radius'}.{remark}"
    chain = Chain(comparison)
    for position in sorted(latest.values(), key=lambda one: CHAIN.index(one.origin)):
        chain.add(position)
    return chain.best, chain.reason + remark


def latest_of_origins(positions: Sequence[Position], *, gp_is_reference: bool = False) -> list[Position]:
    """Return the last position of each origin, preferably one with an error radius.

    A position of the reference GP does not count in addition to our own, unless it is from the X band.

    Parameters
    ----------
    positions
        Positions of the burst, in order of time.
    gp_is_reference
        True if GP's position is from the reference GP.
    """
    latest = current_positions(positions)
    gp = latest.get(Origin.GP)
    if gp_is_reference and Origin.MXT_VHF in latest and gp is not None and gp.data_stream != XBAND:
        del latest[Origin.GP]
    return list(latest.values())


def _first(pairs: Sequence[PositionPair], verdict: Verdict) -> PositionPair | None:
    return next((pair for pair in pairs if pair.verdict is verdict), None)


def _leaves_doubt(pair: PositionPair) -> bool:
    """Return True if two positions may belong to different sources without contradicting each other."""
    agrees_from = crosscheck_settings().recommendation.agrees_from
    return pair.verdict is Verdict.UNCLEAR and (pair.probability or 0.0) < agrees_from
