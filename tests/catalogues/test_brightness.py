"""Number of catalogue sources at least as bright as a given one."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.catalogues.bright import bright_sources
from mxtvhf.catalogues.brightness import as_bright, flux_ladder
from mxtvhf.catalogues.columns import Choice
from mxtvhf.catalogues.ingest import add_catalogue
from mxtvhf.catalogues.store import CatalogueStore

FLUXES = st.lists(st.floats(1e-16, 1e-6), min_size=1, max_size=100)


@given(FLUXES)
def test_the_count_is_right_within_the_rungs(fluxes: list[float]) -> None:
    ladder = flux_ladder(fluxes)
    for flux in fluxes:
        truth = sum(other >= flux for other in fluxes)
        found = as_bright(flux, ladder)
        assert truth / 2.0 <= found <= 2.0 * truth


@given(FLUXES)
def test_a_fainter_source_has_more_that_are_as_bright(fluxes: list[float]) -> None:
    ladder = flux_ladder(fluxes)
    counts = [as_bright(flux, ladder) for flux in sorted(fluxes, reverse=True)]
    assert counts == sorted(counts)
    assert counts[0] >= 1.0


def test_counts_of_a_power_law_are_exact() -> None:
    ranks = np.arange(1, 100_001)
    ladder = flux_ladder(1e-10 * ranks ** (-1.0 / 1.5))
    assert len(ladder) == 17
    for rank in (1, 3, 100, 60_000):
        assert as_bright(1e-10 * rank ** (-1.0 / 1.5), ladder) == pytest.approx(rank, rel=1e-6)


def test_a_catalogue_counts_its_bright_sources(tmp_path: Path) -> None:
    rows = [f"S{n},{n % 360},{(n * 7) % 120 - 60},5,{1e-10 / (n + 1)}" for n in range(300)]
    file = tmp_path / "made.csv"
    file.write_text("\n".join(["name,ra,dec,r90,flux", *rows]) + "\n")
    choice = Choice(units={"flux": "erg/(s cm2)", "error": "arcsec"})
    version = add_catalogue(tmp_path, file, "made", choice, flux_band_kev=(0.2, 12.0), confirmed=True)
    assert len(version.brightest) == 9
    answer = CatalogueStore(tmp_path).cone(0.0, -60.0, 60.0, catalogue="made")[0]
    brightest = answer.sources[0]
    assert (brightest.name, brightest.flux) == ("S0", 1e-10)
    assert brightest.brighter_per_deg2 == pytest.approx((answer.density_per_deg2 or 0.0) / 300.0)


def test_the_famous_sources_are_counted_by_flux() -> None:
    answer = bright_sources().answer(83.6331, 22.0145, 10.0, 5)
    crab = answer.sources[0]
    assert crab.flux is not None
    assert crab.brighter_per_deg2 is not None
    assert crab.brighter_per_deg2 < 0.05 * (answer.density_per_deg2 or 0.0)
