"""Measure how often correct and wrong on-board positions are contradicted by the photons.

Run ``python -m benchmarks.onboard``. Each line has a number of source and background photons and the fraction
of them that the on-board software had. The on-board position is the peak of the photons' correlation with
the PSF, with the noise of a star tracker sample; its radius is 1.2 times that of a fit to the same photons. A
wrong position is shifted by 1.5 of these radii, from the on-board position or from the true position.
"""

from __future__ import annotations

import argparse

import numpy as np

from mxtvhf.instrument.constants import pixel_scale_arcsec
from mxtvhf.instrument.psf import detector_pixels
from mxtvhf.localisation.model import OnboardVerdict
from mxtvhf.localisation.onboard import OnboardClaim, judge_onboard
from mxtvhf.localisation.position import SourceLocalisation, default_psf, localise
from mxtvhf.models.position import Origin, Position
from mxtvhf.simulator.onboard import NOISE_ARCSEC, ONBOARD_EXCESS, correlation_peak
from mxtvhf.simulator.photons import draw_pixels

CASES = (
    (30, 135, 1.0),
    (60, 135, 1.0),
    (60, 300, 1.0),
    (150, 135, 1.0),
    (300, 500, 1.0),
    (300, 135, 0.3),
    (1000, 300, 1.0),
    (1000, 300, 0.2),
    (4000, 300, 1.0),
)
"""Source photons, background photons, fraction of them on board."""
WRONG_BY_R90 = 1.5


def trial(
    rng: np.random.Generator, counts: int, background: int, part: float
) -> tuple[OnboardVerdict, ...] | None:
    """Return the verdicts about a correct position and two wrong ones; None without a detected source."""
    x, y = rng.uniform(60.0, 196.0, 2)
    column, row = draw_pixels(rng, counts, x, y, default_psf())
    flat = rng.integers(0, detector_pixels(), (2, background))
    column, row = np.concatenate([column, flat[0]]), np.concatenate([row, flat[1]])
    on_board = rng.random(column.size) < part
    found, theirs = localise(column, row), localise(column[on_board], row[on_board])
    if not (found.detected and theirs.detected):
        return None
    noise = NOISE_ARCSEC / pixel_scale_arcsec() * rng.standard_normal(2)
    measured = np.array(correlation_peak(column[on_board], row[on_board], default_psf())) + noise
    r90, angle = ONBOARD_EXCESS * theirs.r90, rng.uniform(0.0, 2.0 * np.pi)
    shift = WRONG_BY_R90 * r90 / pixel_scale_arcsec() * np.array([np.cos(angle), np.sin(angle)])
    return verdicts(found, r90, [measured, measured + shift, np.array([x, y]) + shift])


def verdicts(found: SourceLocalisation, r90: float, places: list[np.ndarray]) -> tuple[OnboardVerdict, ...]:
    """Return the verdicts about positions with one error radius (arcsec)."""
    position = Position(
        origin=Origin.MXT_ONBOARD, label="-", ra_deg=0.0, dec_deg=0.0,
        r90_stat_arcsec=r90, r90_sys_arcsec=0.0, r90_arcsec=r90,
    )  # fmt: skip
    claims = [OnboardClaim(float(x), float(y), position) for x, y in places]
    return tuple(judged.verdict for judged in judge_onboard(found, claims))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("contradicted / undecidable, % of the bursts with a detected source:")
    print("| source / background | on board | bursts | correct | wrong, from on board | wrong, from truth |")
    print("|---|---|---|---|---|---|")
    for case in CASES:
        rng = np.random.default_rng(options.seed)
        trials = (trial(rng, *case) for _ in range(options.trials))
        found = np.array([one for one in trials if one is not None], dtype=object)
        contradicted = 100.0 * (found == OnboardVerdict.CONTRADICTED).mean(axis=0)
        neither = 100.0 * (found == OnboardVerdict.UNDECIDABLE).mean(axis=0)
        cells = [f"{one:.1f} / {other:.1f}" for one, other in zip(contradicted, neither, strict=True)]
        counts, background, part = case
        print(f"| {counts} / {background} | {part:.0%} | {len(found)} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
