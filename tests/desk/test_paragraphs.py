"""No paragraph of the desk or of the report has more than three sentences, whatever a run found."""

import json

import pytest

from mxtvhf.catalogues.model import CatalogueSource
from mxtvhf.crosscheck.crosscheck import crosscheck
from mxtvhf.crosscheck.model import GpOutcome, MeasuredFlux
from mxtvhf.models.position import Origin
from mxtvhf.reporting.report.model import Report
from support.desk import BURST, answer, html_of, run
from support.paragraphs import long_paragraphs
from support.reports import ECLAIRS, GRM, VHF, checked, localisation, page_of, position, record, report
from support.sources import field

NO_GP = GpOutcome(available=False, reason="HTTP 503: no answer. It was asked 3 times.")
FAR = position(Origin.MXT_VHF, "photons", -12.2, 48.0)
ONBOARD = position(Origin.MXT_ONBOARD, "mxt-initial_qf2", -12.72, 60.0)
GP = position(Origin.GP, "GP", -12.731, 40.0)


def known_source() -> Report:
    here = {"ra_deg": VHF.ra_deg, "dec_deg": VHF.dec_deg}
    source = CatalogueSource(
        catalogue="bright", name="4U 1702-429", r90_arcsec=5.0, flux=1e-9, flux_band_kev=(0.3, 10.0),
        reference="a test", **here,
    )  # fmt: skip
    found = answer(sources=(source,)).model_copy(update=here | {"density_per_deg2": 0.003})
    missing = answer("4xmm", checked=False, reason="no answer within 5 s").model_copy(update=here)
    flux = MeasuredFlux(label=VHF.label, flux=2.3e-11, relative_error=0.2, band_kev=(0.3, 10.0))
    check = crosscheck(
        (ECLAIRS, ONBOARD, VHF, GP), [], NO_GP, catalogues=[found, missing], fluxes=[flux]
    )  # fmt: skip
    return report(check=check)


VARIANTS = {
    "agreeing": lambda: report(check=checked(ECLAIRS, ONBOARD, VHF, GP)),
    "reference GP": lambda: report(
        check=checked(ECLAIRS, VHF, GP, gp=GpOutcome(available=True, position=GP, is_reference=True))
    ),
    "inconsistent": lambda: report(record(FAR), checked(GRM, ECLAIRS, ONBOARD, FAR, GP)),
    "known source": known_source,
    "no detection": lambda: report(record(None), checked(ECLAIRS)),
    "no detection, upper limit": lambda: report(
        record(None, localisation=localisation(None).model_copy(update={"upper_limit_photons": 19.0})),
        checked(ECLAIRS, ONBOARD),
    ),
    "no position": lambda: report(record(None), checked()),
    "several sources": lambda: report(record(localisation=field()), checked(ECLAIRS, VHF)),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_paragraph_has_more_than_three_sentences(settings, put, variant):
    made = VARIANTS[variant]()
    assert long_paragraphs(page_of(made)) == []
    fields = json.loads(made.to_json()) | {"burst_id": BURST, "run_id": f"{BURST}__1"}
    put(**fields)
    assert long_paragraphs(html_of(settings, [run()])) == []


def test_no_paragraph_of_a_processed_burst_has_more_than_three_sentences(settings, put, processed):
    put(f"{BURST}__1")
    assert long_paragraphs(html_of(settings, [run()])) == []
    assert long_paragraphs((processed / "products" / "report.html").read_text()) == []


def test_a_long_paragraph_is_found():
    assert long_paragraphs("<p>One. Two. Three. Four.</p><p>R.A. 3.5 deg. Fine.</p>") == [
        "One. Two. Three. Four."
    ]
