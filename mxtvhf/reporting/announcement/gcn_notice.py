"""Our notice in GCN's unified schema (https://github.com/nasa-gcn/gcn-schema, version 7.2.3, ``core``)."""

from __future__ import annotations

import json
from typing import Any

from mxtvhf.instrument.constants import instrument
from mxtvhf.models.rounding import rounded
from mxtvhf.reporting.announcement.content import (
    Announcement,
    cited_notices,
    iso_utc,
    known_sources,
    names,
    triggered_by,
)


def gcn_notice(announced: Announcement) -> bytes:
    """Write an announcement as JSON of GCN's core schema.

    Angles are ICRS degrees, ``ra_dec_error`` is the radius of the 90 % circle with the systematic error,
    times are UTC. Its topic would be that of ``announcement.toml``: MXT-VHF itself sends nothing to
    GCN.
    """
    fields = {
        **_alert(announced),
        **_event(announced),
        **_localisation(announced),
        **_flux(announced),
        "additional_info": " ".join(
            filter(None, [announced.headline, *announced.reasons, announced.other_sources_words])
        ),
    }
    given = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(given, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _alert(announced: Announcement) -> dict[str, Any]:
    is_of_mxt = announced.is_from_photons or announced.is_non_detection
    band = instrument().energy.band_kev if is_of_mxt else None
    return {
        "alert_datetime": iso_utc(announced.moment),
        "alert_tense": "test" if announced.report.is_test else "current",
        "alert_type": "update" if announced.supersedes else "initial",
        "mission": names().gcn.mission,
        "instrument": announced.instrument,
        "record_number": announced.number,
        "messenger": "EM",
        "spectral_band": band,
        "spectral_band_units": "keV" if band else None,
    }


def _event(announced: Announcement) -> dict[str, Any]:
    report, observation = announced.report, announced.observation
    start, stop = map(iso_utc, announced.observed) if announced.observed else (None, None)
    trigger, found_by = report.trigger_time, triggered_by(report)
    exposure = observation.exposure_s if observation else None
    return {
        "id": [report.burst_id],
        "trigger_time": iso_utc(trigger) if trigger else None,
        "observation_start": start,
        "observation_stop": stop,
        "observation_livetime": None if exposure is None else round(exposure, 1),
        # A source of a catalogue is none; the schema has no word for "unknown".
        "ref_type": None if known_sources(report, announced.position) else "GRB",
        "ref_instrument": f"SVOM-{found_by}" if found_by else "SVOM",
        "ref_ID": report.burst_id,
        "reference": {f"ivorn {number}": ivorn for number, ivorn in enumerate(cited_notices(report), 1)},
    }


def _localisation(announced: Announcement) -> dict[str, Any]:
    # A position of MXT that there is none of would be taken for one.
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


def _flux(announced: Announcement) -> dict[str, Any]:
    """Give the mean flux over the exposure, when its fit can be trusted; its error when it has both sides."""
    fit = announced.fit
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
