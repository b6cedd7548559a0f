"""Our notice in GCN's unified schema (https://github.com/nasa-gcn/gcn-schema, version 7.2.3, ``core``)."""

from __future__ import annotations

import json
from typing import Any

from mxtvhf.instrument.constants import instrument
from mxtvhf.reporting.announcement.content import (
    Announcement,
    cited_notices,
    iso_utc,
    names,
    triggered_by,
    trusted_fit,
)


def gcn_notice(announced: Announcement) -> bytes:
    """Write an announcement as JSON of GCN's core schema.

    Angles are ICRS degrees, ``ra_dec_error`` is the radius of the 90 % circle with the systematic error,
    times are UTC. Its topic would be that of ``announcement.toml``: MXT-VHF itself sends nothing to
    GCN.
    """
    report = announced.report
    said = (report.headline, report.best_reason, report.verdict_reason, announced.comment)
    fields = {
        **_alert(announced),
        **_event(announced),
        **_localisation(announced),
        **_flux(announced),
        "additional_info": " ".join(part for part in said if part),
    }
    given = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(given, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _alert(announced: Announcement) -> dict[str, Any]:
    gcn = names().gcn
    return {
        "alert_datetime": iso_utc(announced.moment),
        "alert_tense": "test" if announced.report.is_test else "current",
        "alert_type": "update" if announced.supersedes else "initial",
        "mission": gcn.mission,
        "instrument": gcn.instrument,
        "record_number": announced.number,
        "messenger": "EM",
        "spectral_band": instrument().energy.band_kev,
        "spectral_band_units": "keV",
    }


def _event(announced: Announcement) -> dict[str, Any]:
    report = announced.report
    photons, trigger, found_by = report.photons, report.trigger_time, triggered_by(report)
    return {
        "id": [report.burst_id],
        "trigger_time": iso_utc(trigger) if trigger else None,
        "observation_start": iso_utc(photons.first) if photons and photons.first else None,
        "observation_stop": iso_utc(photons.last) if photons and photons.last else None,
        "observation_livetime": report.localisation.exposure_s if report.localisation else None,
        "ref_type": "GRB",
        "ref_instrument": f"SVOM-{found_by}" if found_by else "SVOM",
        "ref_ID": report.burst_id,
        "reference": {f"ivorn {number}": ivorn for number, ivorn in enumerate(cited_notices(report), 1)},
    }


def _localisation(announced: Announcement) -> dict[str, Any]:
    position = announced.position
    return {
        "ra": position.ra_deg,
        "dec": position.dec_deg,
        "ra_dec_error": (position.r90_arcsec or 0.0) / 3600,
        "containment_probability": 0.9,
        "systematic_included": True,
    }


def _flux(announced: Announcement) -> dict[str, Any]:
    """Give the mean flux over the exposure, when its fit can be trusted; its error when it has both sides."""
    fit = trusted_fit(announced.report)
    if fit is None:
        return {}
    low, high = fit.flux.error_low, fit.flux.error_high
    return {
        "flux": fit.flux.value,
        "flux_error": None if low is None or high is None else max(low, high),
        "flux_unit": "erg/cm2/s",
        "flux_spectral_band": fit.flux_band_kev,
        "flux_spectral_unit": "keV",
    }
