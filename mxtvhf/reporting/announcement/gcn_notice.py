"""The notice in GCN's unified schema (https://github.com/nasa-gcn/gcn-schema, version 7.2.3, ``core``)."""

from __future__ import annotations

import json
from typing import Any

from mxtvhf.instrument.constants import instrument
from mxtvhf.localisation.model import Localisation
from mxtvhf.models.rounding import rounded
from mxtvhf.reporting.announcement.content import (
    Announcement,
    cited_notices,
    iso_utc,
    names,
    triggered_by,
)

SIGMAS_OF_LIMIT = 1.28
"""Standard deviations below which 90 % of a normal distribution lie."""


def gcn_notice(announced: Announcement) -> bytes:
    """Return an announcement as JSON in GCN's core schema.

    Angles are ICRS degrees, ``ra_dec_error`` is R90 including the systematic error, times are UTC. A
    retraction names the retracted announcement and the reason. MXT-VHF itself sends nothing to GCN; topic and
    schema are in ``announcement.toml``.
    """
    sentences = [f"{announced.headline}.", announced.comment]
    fields = {"$schema": names().gcn.schema_url, **_alert(announced), **_event(announced)}
    if not announced.is_retraction:
        fields |= {
            **_observation(announced),
            **_localisation(announced),
            **_statistics(announced),
            **_flux(announced),
        }
        sentences += [announced.choice_words, announced.other_sources_words, announced.stage_words]
    fields["additional_info"] = " ".join(filter(None, sentences))
    given = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(given, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _alert(announced: Announcement) -> dict[str, Any]:
    later = "update" if announced.supersedes else "initial"
    return {
        "alert_datetime": iso_utc(announced.moment),
        "alert_tense": "test" if announced.report.is_test else "current",
        "alert_type": "retraction" if announced.is_retraction else later,
        "mission": names().gcn.mission,
        "instrument": announced.instrument,
        "record_number": announced.number,
        "messenger": "EM",
    }


def _event(announced: Announcement) -> dict[str, Any]:
    report = announced.report
    trigger, found_by = report.trigger_time, triggered_by(report)
    return {
        "event_name": announced.event,
        "id": [report.burst_id],
        "trigger_time": iso_utc(trigger) if trigger else None,
        # A known source is not a burst, and the type of a retracted trigger is unknown.
        "ref_type": None if announced.known_source or announced.is_retraction else "GRB",
        "ref_instrument": f"SVOM-{found_by}" if found_by else "SVOM",
        "ref_ID": report.burst_id,
        "reference": _references(announced),
    }


def _references(announced: Announcement) -> dict[str, str | int]:
    """Return the cited notices, and the superseded or retracted announcement."""
    notices = enumerate(cited_notices(announced.report), 1)
    found: dict[str, str | int] = {f"ivorn {number}": ivorn for number, ivorn in notices}
    how = "retracts" if announced.is_retraction else "supersedes"
    if announced.supersedes:
        found[how] = announced.supersedes
    if announced.supersedes_circular:
        found[f"{how} gcn circular"] = announced.supersedes_circular
    return found


def _observation(announced: Announcement) -> dict[str, Any]:
    start, stop = map(iso_utc, announced.observed) if announced.observed else (None, None)
    is_of_mxt = announced.is_from_photons or announced.is_non_detection
    band = instrument().energy.band_kev if is_of_mxt else None
    return {
        "observation_start": start,
        "observation_stop": stop,
        "observation_livetime": _exposure(announced.observation) if announced.observation else None,
        "spectral_band": band,
        "spectral_band_units": "keV" if band else None,
    }


def _localisation(announced: Announcement) -> dict[str, Any]:
    # Readers would mistake the ECLAIRs position for one of MXT.
    if announced.is_non_detection:
        return {}
    ra, dec = announced.position.degrees
    return {
        "ra": ra,
        "dec": dec,
        "ra_dec_error": announced.position.r90_deg,
        "containment_probability": 0.9,
        "systematic_included": True,
    }


def _statistics(announced: Announcement) -> dict[str, Any]:
    """Return significance and rate of the source, and its classification if it is catalogued."""
    found, analysis, known = announced.localisation, announced.report.analysis, announced.known_source
    fields: dict[str, Any] = {}
    if found is not None and found.detected:
        fields |= {"image_snr": round(found.ts**0.5, 1), "image_duration": _exposure(found)}
        if analysis is not None and (curve := analysis.light_curve) is not None:
            error = max(filter(None, (curve.mean.error_low, curve.mean.error_high)), default=None)
            fields |= {
                "net_count_rate": rounded(curve.mean.value, error),
                "rate_duration": round(curve.exposure_s, 1),
                "rate_energy_range": instrument().energy.band_kev,
            }
    if known is not None:
        fields["classification"] = {
            known.source: round(known.probability, 4),
            "other": round(1.0 - round(known.probability, 4), 4),
        }
    return fields


def _exposure(found: Localisation) -> float | None:
    """Return the exposure rounded to 0.1 s; None if unknown."""
    return None if found.exposure_s is None else round(found.exposure_s, 1)


def _flux(announced: Announcement) -> dict[str, Any]:
    """Return the mean flux from a reliable fit, or the upper limit."""
    found, fit = announced.report.localisation, announced.fit
    if announced.is_non_detection and found is not None and found.upper_limit_flux is not None:
        return {
            "limiting_flux": rounded(found.upper_limit_flux, None),
            "limiting_flux_sigma": SIGMAS_OF_LIMIT,
            "flux_unit": "erg/cm2/s",
            "flux_spectral_band": announced.limit_band_kev,
            "flux_spectral_unit": "keV",
        }
    if fit is None:
        return {}
    low, high = fit.flux.error_low, fit.flux.error_high
    error = None if low is None or high is None else max(low, high)
    return {
        "flux": rounded(fit.flux.value, error),
        "flux_error": None if error is None else rounded(error, error),
        "flux_unit": "erg/cm2/s",
        "flux_spectral_band": fit.flux_band_kev,
        "flux_spectral_unit": "keV",
    }
