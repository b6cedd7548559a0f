"""Reports to be announced, and decisions about them."""

from datetime import UTC, datetime, timedelta

from mxtvhf.models.position import Origin
from mxtvhf.reporting.announcement.content import Announcement, our_ivorn
from mxtvhf.reporting.announcement.model import Decision
from mxtvhf.reporting.report.model import Report
from support.positions import place

BURST = "sb26051102"
T0 = datetime(2026, 5, 11, 11, 0, 32, 123_456, tzinfo=UTC)
DECIDED = T0 + timedelta(minutes=20)
ECLAIRS = place(
    212.6,
    -12.7,
    299.0,
    Origin.ECLAIRS,
    "eclairs-wakeup",
    r90_stat_arcsec=274.0,
    r90_sys_arcsec=120.0,
    time=T0,
)
VHF = place(212.5, -12.73, 48.0, label="photons", r90_stat_arcsec=41.0, r90_sys_arcsec=25.0, time=T0)


def notice(kind, instrument, role="observation"):
    return {
        "ivorn": f"ivo://org.svom/fsc#{BURST}_{kind}",
        "notice_type": kind,
        "notice_level": "N1e",
        "instrument": instrument,
        "role": role,
        "published": T0 + timedelta(seconds=20),
        "event_time": T0 + timedelta(seconds=60 * (instrument == "MXT")),
        "snr": 9.0,
        "snr_saturated": False,
    }


def report(sequence=1, **changes):
    """A final report with our position and an ECLAIRs one."""
    fields = {
        "burst_id": BURST,
        "run_id": f"{BURST}__{sequence}",
        "sequence": sequence,
        "status": "final",
        "is_test": False,
        "is_retracted": False,
        "is_replay": False,
        "written": T0 + timedelta(minutes=5 * sequence),
        "headline": f"{BURST} #{sequence} · RA 14:10:00.00 Dec -12:43:48.0",
        "best_position": VHF,
        "best_reason": "MXT-VHF photons has the smallest 90 % radius.",
        "positions": (ECLAIRS, VHF),
        "crosscheck": (),
        "claims": (),
        "gp": {"available": False, "reason": "HTTP 503"},
        "localisation": None,
        "analysis": None,
        "packets": None,
        "photons": {
            "count": 40,
            "first": T0 + timedelta(seconds=183.5),
            "last": T0 + timedelta(seconds=400),
        },
        "products": {},
        "timeline": (),
        "trigger_time": T0,
        "alert": notice("mxt-initial_qf2", "MXT"),
        "related": (notice("eclairs-wakeup", "ECLAIRs"),),
        "warnings": (),
        "calibration": {},
        "version": "0.1.0",
    }
    return Report.model_validate({**fields, **changes})


def decision(about, choice="approve", **changes):
    fields = {
        "run_id": about.run_id,
        "burst_id": about.burst_id,
        "choice": choice,
        "decided_by": "Ada Lovelace",
        "decided_at": DECIDED,
    }
    return Decision.model_validate({**fields, **changes})


def announcement(about, **changes):
    fields = {
        "report": about,
        "position": about.best_position,
        "number": 1,
        "ivorn": our_ivorn(about.burst_id, 1, is_test=about.is_test),
        "supersedes": None,
        "moment": DECIDED,
        "author": "Ada Lovelace",
    }
    return Announcement(**{**fields, **changes})
