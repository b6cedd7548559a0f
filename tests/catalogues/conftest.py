"""A catalogue of one source."""

import pytest

from mxtvhf.catalogues.ingest import add_catalogue
from mxtvhf.catalogues.store import CatalogueStore
from support.catalogues import write_csv


@pytest.fixture
def small(tmp_path):
    """Return a catalogue of one source, and its files."""
    file = write_csv(tmp_path / "small.csv", "name,ra,dec,r90", "A,10,20,5")
    add_catalogue(tmp_path / "store", file, "small")
    return CatalogueStore(tmp_path / "store")
