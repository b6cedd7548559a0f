"""Search for all sources of a field, one after the other, with the sources found before in the model.

At the end every source is fitted again with all others in the model, and tested for extent. See section
"Several and extended sources" of ``docs/explanation/localisation.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mxtvhf.instrument.psf import LobsterEyePsf, SeparablePsf, VariableWidthPsf
from mxtvhf.localisation.constants import detection_constants
from mxtvhf.localisation.counts import Counts
from mxtvhf.localisation.extent import wider_fits
from mxtvhf.localisation.likelihood import (
    CELL,
    FAINT_LOG_RATIO,
    FLARE_LOG_RATIO,
    SourceFit,
    best_log_likelihood,
    free_width,
    limits,
    log_prior_of_cells,
    maximise,
    positional_log_likelihood,
    starting_points,
    whole_field,
    with_fitted_templates,
    with_likely_templates,
    with_template_evidence,
)
from mxtvhf.localisation.mixture import mixture_fractions
from mxtvhf.localisation.prior import PositionPrior
from mxtvhf.localisation.scene import Scene, SceneSource
from mxtvhf.localisation.shape import with_free_shape
from mxtvhf.models.arrays import Floats

_WIDE = 1.12
"""Ratio of the PSF peaks for the calibrated and the fitted core width above which the brightest source is
tried as two."""
_APART = 20.0
"""Smallest distance of two sources, pixels: half the core width."""
_ANGLES = 4
"""Directions in which a pair is tried."""
_HALF_WAY = 22.0
"""Distance of each source of a pair from its middle at the start, pixels: half the core width."""
_NEAR = 100.0
"""Distance in pixels beyond which two sources hardly share photons: two core widths."""
_KNOWN_WITHIN = 10.0
"""Largest distance of a known source from its maximum, pixels: a few times the alignment error."""
_SAME = np.array([1.0, 1.0, 0.3])
"""Differences of x, y (pixels) and ln r below which two climbs have reached the same maximum."""
_PROMISING = 1.5
"""Largest difference of the log evidence from the best climb at which the templates of a climb are fitted:
the fit gains 0.1 to 0.5 in most cases."""
_ROUNDS = 2
"""Number of times that the position of a source and the fractions of all components are fitted in turn."""


@dataclass(frozen=True, eq=False)
class FoundSource:
    """A maximum of the likelihood with everything else in the model.

    Attributes
    ----------
    counts
        Photons with their weights relative to everything but this source.
    psf
        PSF with the fitted core width; for an extended source its image.
    fit
        Position and ratio, relative to ``counts``.
    photons
        Number of its photons on good pixels.
    ts
        2 (ln L with it - ln L without it), the other components fitted in both cases.
    places_ts
        The same for the position-only likelihood.
    ts_over_free
        ``ts`` relative to a background of free spectrum without the source; ``ts`` if no spectrum is known.
    prior
        Prior of its position; None: flat.
    """

    counts: Counts
    psf: SeparablePsf
    fit: SourceFit
    photons: float
    ts: float
    places_ts: float
    ts_over_free: float
    prior: PositionPrior | None

    @property
    def detected(self) -> bool:
        """Return whether the source reaches the thresholds of ``detection.toml``; a prior adds to the TS."""
        limits, gained = detection_constants(), 2.0 * self.fit.log_prior
        return (
            self.ts + gained >= needed_ts(self.counts)
            and self.places_ts + gained >= limits.source.places_ts_threshold
            and self.ts_over_free + gained >= limits.known_background.ts_over_free
            and self.photons >= limits.source.least_photons
        )


def needed_ts(counts: Counts) -> float:
    """Return the detection threshold of the TS for these photons.

    Parameters
    ----------
    counts
        Photons of the field.
    """
    return detection_constants().known_background.ts_threshold if counts.well_known else usual_ts(counts)


def usual_ts(counts: Counts) -> float:
    """Return the detection threshold of the TS without a known background spectrum.

    Parameters
    ----------
    counts
        Photons of the field.
    """
    limits = detection_constants().source
    return limits.ts_threshold_alone if counts.spectra is None else limits.ts_threshold


def find_sources(
    counts: Counts,
    psf: SeparablePsf,
    prior: PositionPrior | None,
    known: Sequence[tuple[float, float]] = (),
    circle: PositionPrior | None = None,
    candidates: Sequence[tuple[float, float]] = (),
) -> tuple[tuple[FoundSource, ...], Scene]:
    """Return all sources of a field, and the scene of the background without sources.

    If the field disagrees with the known background spectrum and no source explains the disagreement, the
    search is repeated without that knowledge; ``counts.known`` of the results is then None.

    Parameters
    ----------
    counts
        Photons, at least one, with their weights relative to a density flat in position, energy and time.
    psf
        PSF of the sources; a core width with ``width_sigma`` is fitted to the brightest source.
    prior
        Prior of the position of each source; None: flat.
    known
        Positions (x, y) of possible sources, such as bright catalogued ones, pixels: they are fitted first.
    circle
        Prior of one expected source: if no source lies there, one more is searched with this prior. None: no
        expectation.
    candidates
        Positions (x, y), pixels, from which the search starts in addition to the maxima of its maps, such as
        that of a flare.

    Returns
    -------
    sources, scene
        The detected sources by decreasing TS, or the best maximum if none is detected; the fitted background.
    """
    empty = Scene.of_background(counts)
    sources, scene = _known_sources(empty, psf, known)
    if not sources:
        found, scene = _next(empty, psf, prior, candidates)
        if circle is not None and not found.detected:
            found, scene = _next(empty, psf, circle, candidates)
        if _is_unlike_known(empty, found):
            return find_sources(replace(counts, known=None), psf, prior, known, circle, candidates)
        if not found.detected:
            return (found,), empty
        sources = [found]
    kept = sources, scene = _with_own_width(scene, sources, psf)
    while len(sources) < detection_constants().further.most:
        more = _one_more(scene, sources, psf, prior, candidates)
        if more is None:
            break
        sources, scene = more
        # An extended source may look like two, but many sources may look like an extended one, too.
        if _better_than_extended(kept[1], scene, psf, sources[-1].fit):
            kept = more
    sources, scene = kept
    if circle is not None and not any(circle.holds(one.fit.x, one.fit.y, one.fit.sigma) for one in sources):
        sources, scene = _one_more(scene, sources, psf, circle, candidates) or (sources, scene)
    sources = _with_extents(scene, sources, psf)
    return tuple(sorted(sources, key=lambda source: -source.ts)), empty


def _is_unlike_known(empty: Scene, found: FoundSource) -> bool:
    """Return whether the field disagrees with the known background spectrum and no source explains it."""
    limits = detection_constants().known_background
    return empty.gain_when_free >= limits.disagreement and found.ts_over_free < limits.ts_over_disagreement


def _known_sources(
    scene: Scene, psf: SeparablePsf, known: Sequence[tuple[float, float]]
) -> tuple[list[FoundSource], Scene]:
    """Return the known sources that are detected, and the scene with them."""
    sources: list[FoundSource] = []
    for x, y in known:
        start = maximise(scene.photons_to_explain, psf, (x, y, FAINT_LOG_RATIO))
        found, trial = _fitted(scene, len(sources), psf, None, start)
        if found.detected and np.hypot(found.fit.x - x, found.fit.y - y) <= _KNOWN_WITHIN:
            sources.append(found)
            scene = trial
    return sources, scene


def _one_more(
    scene: Scene,
    sources: list[FoundSource],
    psf: SeparablePsf,
    prior: PositionPrior | None,
    candidates: Sequence[tuple[float, float]],
) -> tuple[list[FoundSource], Scene] | None:
    """Return the sources with one more, all fitted again, and their scene; None if there is no other."""
    further, photons = detection_constants().further, scene.photons_to_explain
    best = _best_place(photons, sources[0].psf, prior, candidates, on_map=psf)
    # A single source fitted to two lies between them and is too wide, so all sources are fitted again.
    for trial_psf in dict.fromkeys((sources[0].psf, psf)):
        fit = best if trial_psf == sources[0].psf else _from_fit(photons, trial_psf, prior, best)
        if 2.0 * (fit.log_evidence + fit.log_prior) < further.ts_to_try:
            continue
        candidate, trial = _fitted(scene, len(sources), trial_psf, prior, fit)
        more = _accepted(scene, trial, [*sources, candidate], trial_psf, psf)
        if more is not None:
            return more
    return _split(scene, sources, psf)


def _split(
    scene: Scene, sources: list[FoundSource], psf: SeparablePsf
) -> tuple[list[FoundSource], Scene] | None:
    """Return the sources with the brightest one replaced by two; None if one of normal width is as good."""
    index = int(np.argmax([source.photons for source in sources]))
    brightest, rest = sources[index], scene.without(index)
    if psf.fractions(0.0, 1)[0] < _WIDE * brightest.psf.fractions(0.0, 1)[0]:
        return None
    pairs = []
    for angle in np.pi * np.arange(_ANGLES) / _ANGLES:
        offset = _HALF_WAY * np.array([np.cos(angle), np.sin(angle)])
        moved = (_moved(brightest.fit, sign * offset, scene.counts) for sign in (1.0, -1.0))
        pairs.append(tuple(SceneSource.of(scene.counts, psf, fit) for fit in moved))
    seen = max(pairs, key=rest.log_likelihood_with)
    part = scene.source_fractions[index]
    parts = np.append((1.0 - part) * rest.source_fractions, [0.5 * part, 0.5 * part])
    trial = rest.with_sources((*rest.sources, *seen), parts)
    others = [source for source in sources if source is not brightest]
    pair = tuple(source.fit for source in trial.sources[-2:])
    return _accepted(scene, trial, [*others, *(replace(brightest, fit=fit) for fit in pair)], psf, psf)


def _moved(fit: SourceFit, offset: Floats, counts: Counts) -> SourceFit:
    low, high = limits(counts)
    x, y = np.clip(np.array([fit.x, fit.y]) + offset, low[:2], high[:2])
    return replace(fit, x=float(x), y=float(y))


def _accepted(
    scene: Scene,
    trial: Scene,
    sources: Sequence[FoundSource],
    trial_psf: SeparablePsf,
    psf: SeparablePsf,
) -> tuple[list[FoundSource], Scene] | None:
    """Return the fit with one more source; None if the gain is too small or a source is not significant."""
    fitted, trial = _refined(trial, trial_psf, sources)
    fitted, trial = _with_own_width(trial, fitted, psf)
    if not all(source.detected and _is_apart(source, fitted) for source in fitted):
        return None
    needed = needed_ts(scene.counts)
    gained = 2.0 * (trial.log_likelihood - scene.log_likelihood + fitted[-1].fit.log_prior)
    # The tests below cost further fits, so they are made only if the gain could suffice.
    if gained < needed:
        return None
    # A mixture of templates gains a little by chance in any scene: only the gain that it loses by one more
    # source is subtracted.
    by_mixture = max(0.0, _gain_by_template_mixture(scene) - _gain_by_template_mixture(trial))
    if gained - 2.0 * (_gain_by_shape(scene, psf) + by_mixture) < needed:
        return None
    return fitted, trial


def _better_than_extended(fewer: Scene, more: Scene, psf: SeparablePsf, newest: SourceFit) -> bool:
    """Return whether more sources explain the photons better than a wider image of the nearest one."""
    gained = 2.0 * (more.log_likelihood - fewer.log_likelihood - _gain_by_extent(fewer, psf, newest))
    added = len(more.sources) - len(fewer.sources)
    return gained >= added * detection_constants().further.ts_over_extended


def _gain_by_extent(scene: Scene, psf: SeparablePsf, place: SourceFit) -> float:
    """Return the gain of ln L if the source nearest to a position is extended or has a wider core."""
    offsets = [np.hypot(source.fit.x - place.x, source.fit.y - place.y) for source in scene.sources]
    index = int(np.argmin(offsets))
    if offsets[index] > _NEAR:
        return 0.0
    counts, source = _photons_of(scene, index), scene.sources[index]
    return max(
        0.0, wider_fits(counts, psf, source.fit).best - best_log_likelihood(counts, source.psf, source.fit)
    )


def _gain_by_shape(scene: Scene, psf: SeparablePsf) -> float:
    """Return the gain of ln L by another shape of the PSF for the brightest source.

    The rotated arms of a bright source look like further sources.
    """
    index, bright = int(scene.source_fractions.argmax()), detection_constants().further.bright
    if not isinstance(psf, LobsterEyePsf) or scene.source_fractions[index] * scene.counts.total < bright:
        return 0.0
    source = scene.sources[index]
    stretch = float(np.log(psf.fractions(0.0, 1)[0] / source.psf.fractions(0.0, 1)[0]))
    return max(0.0, with_free_shape(_photons_of(scene, index), psf, source.fit, stretch).gain)


def _photons_of(scene: Scene, index: int) -> Counts:
    """Return the photons with their weights relative to all but one source, averaged over its templates."""
    counts, probabilities = (
        scene.without(index).photons_to_explain,
        scene.sources[index].fit.template_probabilities,
    )
    return counts if probabilities is None else counts.averaged_over_templates(probabilities)


def _gain_by_template_mixture(scene: Scene) -> float:
    """Return the gain of ln L if the brightest source has a mixture of templates instead of one."""
    index = int(scene.source_fractions.argmax())
    source, rest = scene.sources[index], scene.without(index)
    if source.fit.template_probabilities is None:
        return 0.0
    fit = _with_own_spectrum(rest.photons_to_explain, source.psf, source.fit)
    mixed = SceneSource.of(scene.counts, source.psf, fit)
    sources = (*scene.sources[:index], mixed, *scene.sources[index + 1 :])
    return max(0.0, scene.with_sources(sources, scene.source_fractions).log_likelihood - scene.log_likelihood)


def _is_apart(source: FoundSource, sources: Sequence[FoundSource]) -> bool:
    """Return whether a source is separate from the others, and brighter than an error of their PSF.

    A source whose light curve or spectrum matches no template would otherwise become two at one position.
    """
    others = [other.fit for other in sources if other is not source]
    if any(np.hypot(source.fit.x - fit.x, source.fit.y - fit.y) < _APART for fit in others):
        return False
    light = 0.0
    for other in sources:
        if other.photons > source.photons:
            offset = np.array([[0.0, 0.0], [source.fit.x - other.fit.x, source.fit.y - other.fit.y]])
            peak, place = other.psf.fractions(-offset, 1)[..., 0].prod(axis=-1)
            light += other.photons * place / peak
    return source.photons >= detection_constants().further.least_ratio * light


def _next(
    scene: Scene, psf: SeparablePsf, prior: PositionPrior | None, candidates: Sequence[tuple[float, float]]
) -> tuple[FoundSource, Scene]:
    """Return the best maximum beside the sources of the scene, and the scene with it."""
    fit = _best_place(scene.photons_to_explain, psf, prior, candidates, on_map=psf)
    return _fitted(scene, len(scene.sources), psf, prior, fit)


def _best_place(
    counts: Counts,
    psf: SeparablePsf,
    prior: PositionPrior | None,
    candidates: Sequence[tuple[float, float]],
    *,
    on_map: SeparablePsf,
) -> SourceFit:
    """Return the highest maximum over the field relative to everything in the model so far.

    Starting points come from three maps: with the mean weight of the templates by their prior probabilities,
    with equal probabilities, and with positions only; a source unlike the average template stands out in the
    latter two. The maps use the PSF ``on_map``, whose transforms are cached. A short flare stands out in none
    of them; the search reaches it from its candidate position, with the templates that fit there.
    """
    starts: list[tuple[float, float, float]] = []
    views = [counts]
    if counts.template_weights is not None:
        views += [
            counts.averaged_over_templates(
                np.full(len(counts.template_weights), 1.0 / len(counts.template_weights))
            ),
            counts.positions_only,
        ]
    for view in views:
        log_likelihood = whole_field(view, on_map)[0]
        if prior is not None:
            log_likelihood = log_likelihood + log_prior_of_cells(prior)
        for x, y, log_ratio in starting_points(log_likelihood):
            # Maxima in adjacent cells of two maps are the same maximum.
            if all(max(abs(x - other[0]), abs(y - other[1])) > CELL for other in starts):
                starts.append((x, y, log_ratio))
    climbs = [maximise(counts, psf, start, prior) for start in starts]
    for x, y in candidates:
        start = (x, y, FLARE_LOG_RATIO)
        climbs.append(maximise(with_likely_templates(counts, psf, start), psf, start, prior))
    fits = [with_template_evidence(counts, psf, climb) for climb in _distinct(climbs)]
    lowest = max(fit.log_evidence + fit.log_prior for fit in fits) - _PROMISING
    fits = [
        with_fitted_templates(counts, psf, fit, prior)
        for fit in fits
        if fit.log_evidence + fit.log_prior >= lowest
    ]
    return max(fits, key=lambda fit: fit.log_evidence + fit.log_prior)


def _distinct(fits: Sequence[SourceFit]) -> list[SourceFit]:
    """Return the fits that are not the same maximum as an earlier one."""
    found: list[SourceFit] = []
    for fit in fits:
        moves = [np.array([fit.x - one.x, fit.y - one.y, fit.log_ratio - one.log_ratio]) for one in found]
        if not any((np.abs(move) < _SAME).all() for move in moves):
            found.append(fit)
    return found


def _from_fit(counts: Counts, psf: SeparablePsf, prior: PositionPrior | None, fit: SourceFit) -> SourceFit:
    """Return the maximum for another PSF that is reached from a fit."""
    if fit.template_probabilities is not None:
        counts = counts.averaged_over_templates(fit.template_probabilities)
    fit = maximise(counts, psf, (fit.x, fit.y, fit.log_ratio), prior)
    return with_fitted_templates(counts, psf, with_template_evidence(counts, psf, fit), prior)


def _fitted(
    without: Scene,
    index: int,
    psf: SeparablePsf,
    prior: PositionPrior | None,
    fit: SourceFit,
    start: Scene | None = None,
) -> tuple[FoundSource, Scene]:
    """Return one more source, fitted from ``fit`` together with all components, as number ``index``.

    The fractions of the other components start from ``start``, by default from ``without``.
    """
    rest, part = start or without, fit.source_fraction
    for attempt in range(_ROUNDS):
        source = SceneSource.of(without.counts, psf, fit)
        trial = (*rest.sources[:index], source, *rest.sources[index:])
        whole = rest.with_sources(trial, np.insert((1.0 - part) * rest.source_fractions, index, part))
        part, rest = float(whole.source_fractions[index]), whole.without(index)
        counts = rest.photons_to_explain
        if fit.template_probabilities is not None:
            counts = counts.averaged_over_templates(fit.template_probabilities)
        placed = with_template_evidence(
            counts, psf, maximise(counts, psf, (fit.x, fit.y, fit.log_ratio), prior)
        )
        bright = placed.source_fraction * counts.total >= detection_constants().further.bright
        if bright and attempt == 0:
            fit = _with_own_spectrum(counts, psf, placed)
        else:
            fit = replace(placed, template_probabilities=fit.template_probabilities) if bright else placed
    places = positional_log_likelihood(counts, psf, fit)
    ts = max(0.0, 2.0 * (fit.log_evidence + rest.log_likelihood - without.log_likelihood))
    places_ts = 2.0 * (places + rest.positional_log_likelihood - without.positional_log_likelihood)
    if without.counts.spectra is None:
        # Without a model of the background spectrum the energies alone must not make a source.
        ts = max(0.0, min(ts, places_ts))
    over_free = ts - max(0.0, without.gain_when_free)
    found = FoundSource(counts, psf, fit, fit.source_fraction * counts.total, ts, places_ts, over_free, prior)
    return found, whole


def _with_own_spectrum(counts: Counts, psf: SeparablePsf, fit: SourceFit) -> SourceFit:
    """Return the fit with a fitted mixture of the templates in place of their probabilities.

    A bright source determines its spectrum better than a choice among templates does; the difference would
    look like another source.
    """
    if counts.template_weights is None:
        return fit
    place = counts.profile(psf, (fit.x, fit.y))
    densities = np.vstack([counts.template_weights * place, np.ones(place.size)])
    equal = np.full(len(counts.template_weights), 1.0 / len(counts.template_weights))
    expected = equal if counts.shares is None else counts.shares
    start = np.append(
        fit.source_fraction * (equal if fit.template_probabilities is None else fit.template_probabilities),
        1.0 - fit.source_fraction,
    )
    parts = mixture_fractions(densities, counts.number, expected, start)[:-1]
    return replace(fit, template_probabilities=parts / parts.sum())


def _refined(
    scene: Scene, psf: SeparablePsf, sources: Sequence[FoundSource]
) -> tuple[list[FoundSource], Scene]:
    """Return all sources fitted again with the others in the model, those near the last one twice."""
    refined = list(sources)
    last = refined[-1].fit
    for attempt in range(1 if len(refined) == 1 else _ROUNDS):
        for index, source in enumerate(refined):
            if attempt == 0 or np.hypot(source.fit.x - last.x, source.fit.y - last.y) <= _NEAR:
                rest, start = scene.refitted_without(index), scene.without(index)
                refined[index], scene = _fitted(rest, index, psf, source.prior, source.fit, start)
    return refined, scene


def _with_own_width(
    scene: Scene, sources: Sequence[FoundSource], psf: SeparablePsf
) -> tuple[list[FoundSource], Scene]:
    """Return the sources fitted with the most probable core width for the brightest one."""
    if not isinstance(psf, VariableWidthPsf) or psf.width_sigma == 0.0:
        return list(sources), scene
    brightest = max(sources, key=lambda source: source.photons)
    return _refined(scene, free_width(brightest.counts, psf, brightest.fit), sources)


def _with_extents(scene: Scene, sources: Sequence[FoundSource], psf: SeparablePsf) -> list[FoundSource]:
    """Return the sources with extended ones fitted as such, and the others fitted again after them."""
    wider = [wider_fits(source.counts, psf, source.fit) for source in sources]
    images = [
        one.extended if one.is_extended else source.psf for one, source in zip(wider, sources, strict=True)
    ]
    if not any(one.is_extended for one in wider):
        return list(sources)
    fitted = list(sources)
    # Extended sources first: the others are fitted to the remaining photons.
    for index in sorted(range(len(sources)), key=lambda index: not wider[index].is_extended):
        rest, start, source = scene.refitted_without(index), scene.without(index), sources[index]
        fitted[index], scene = _fitted(rest, index, images[index], source.prior, source.fit, start)
    return fitted
