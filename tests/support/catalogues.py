"""Small catalogues: written, added and asked."""

from mxtvhf.catalogues.columns import Choice
from mxtvhf.catalogues.ingest import add_catalogue
from mxtvhf.catalogues.store import CatalogueStore


def write_csv(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def ask(store, *cone, catalogue, **options):
    (answer,) = store.cone(*cone, catalogue=catalogue, **options)
    return answer


def added(tmp_path, table, **choice):
    table.write(tmp_path / "table.fits", overwrite=True)
    version = add_catalogue(tmp_path / "store", tmp_path / "table.fits", "made", Choice(**choice))
    return version, CatalogueStore(tmp_path / "store")
