"""Runs, pages and what they show, for the tests of the desk."""

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

from mxtvhf.catalogues.model import CatalogueAnswer, CatalogueSource
from mxtvhf.desk.burst_page import burst_page
from mxtvhf.desk.files import DeskFiles
from mxtvhf.desk.render import render_burst
from mxtvhf.models.position import Origin
from mxtvhf.reporting.announcement.model import Decision, Delivery, Release
from mxtvhf.workflow.runs import Run
from support.positions import place

BURST = "sb26022802"
NOW = datetime(2026, 2, 28, 12, 0, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>"


def run(run_id=f"{BURST}__1", state="success", minutes=0, **more):
    created = NOW + timedelta(minutes=minutes)
    ended = None if state in ("queued", "running") else created + timedelta(seconds=9)
    fields = {"burst_id": BURST, "sequence": 1, "created": created, "ended": ended, **more}
    return Run(run_id=run_id, state=state, **fields)


def page_of(settings, runs, shown=None, questions=None, now=NOW):
    return burst_page(
        BURST,
        runs,
        shown or (runs[0] if runs else None),
        questions or {},
        DeskFiles(settings),
        airflow="/air",
        now=now,
    )


def html_of(settings, *arguments, **options):
    return render_burst(page_of(settings, *arguments, **options), base="/air/mxtvhf")


def decision(choice):
    return Decision(
        run_id=f"{BURST}__1", burst_id=BURST, choice=choice, comment=HOSTILE, decided_by="ann", decided_at=NOW
    )


def position(ra=10.0, dec=20.0, r90=30.0, label="photons", origin=Origin.MXT_VHF):
    return place(ra, dec, r90, origin, label)


def release_of(settings, **more):
    fields = {
        "decision": decision("approve"),
        "number": 1,
        "ivorn": "ivo://x/y#z",
        "is_test": False,
        "position": position(),
        "released": NOW,
        "products": {},
        "deliveries": (Delivery(channel="nats", state="sent", time=NOW),),
    }
    release = Release(**{**fields, **more})
    folder = DeskFiles(settings).release_folder(BURST, f"{BURST}__1")
    folder.mkdir(parents=True)
    (folder / "decision.json").write_text(release.decision.model_dump_json())
    (folder / "release.json").write_text(release.model_dump_json())
    (folder / "circular.txt").write_text(f"TITLE: GCN CIRCULAR {HOSTILE}")
    return release


def answer(catalogue="bright", checked=True, sources=(), **more):
    return CatalogueAnswer(
        catalogue=catalogue,
        checked=checked,
        ra_deg=10.0,
        dec_deg=20.0,
        radius_arcsec=600.0,
        sources=sources,
        **more,
    )


def source(name, ra=10.01, dec=20.0):
    return CatalogueSource(
        catalogue="bright", name=name, ra_deg=ra, dec_deg=dec, r90_arcsec=5.0, reference="none"
    )


class Elements(HTMLParser):
    """The elements of a page: (name, attributes)."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def named(self, tag):
        return [attributes for name, attributes in self.found if name == tag]
