"""Flag unphysical published values and exclude them from all results."""

from __future__ import annotations

from collections.abc import Sequence

from mxtvhf.catalogues.model import CatalogueAnswer, CatalogueSource
from mxtvhf.crosscheck.settings import crosscheck_settings
from mxtvhf.notices.alert import Alert


def without_impossible(
    catalogues: Sequence[CatalogueAnswer], alerts: Sequence[Alert]
) -> tuple[tuple[CatalogueAnswer, ...], tuple[str, ...]]:
    """Remove unphysical values from catalogue results, and list them and those of the notices.

    Parameters
    ----------
    catalogues
        Answers of the catalogues.
    alerts
        Notices of the burst.

    Returns
    -------
    answers, flags
        The results without the values, and one sentence for each distinct value.
    """
    flags = [
        f"{alert.notice_type}: Mean_Flux {alert.mean_flux:g} erg/cm2/s is unphysical and ignored."
        for alert in alerts
        if alert.mean_flux is not None and not alert.flux_credible
    ]
    limit = crosscheck_settings().impossible.catalogue_flux_above
    bad = [source for answer in catalogues for source in answer.sources if (source.flux or 0.0) > limit]
    flags += [
        f"{source.catalogue}: flux {source.flux:g} erg/cm2/s of {source.name} is unphysical and ignored."
        for source in bad
    ]
    answers = tuple(
        answer.model_copy(update={"sources": tuple(_sound(source, limit) for source in answer.sources)})
        for answer in catalogues
    )
    return answers, tuple(dict.fromkeys(flags))


def _sound(source: CatalogueSource, limit: float) -> CatalogueSource:
    return source.model_copy(update={"flux": None}) if (source.flux or 0.0) > limit else source
