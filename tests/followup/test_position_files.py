"""The files read back by the libraries that their users have."""

import csv
from datetime import UTC, datetime
from io import BytesIO, StringIO

import numpy as np
import pytest
from astropy.io import fits
from astropy.io.votable import parse, validate
from astropy.table import Table
from astropy.time import Time

from mxtvhf.followup.position_files import TARGET_COLUMNS, ds9_regions, fits_table, target_list, votable
from mxtvhf.followup.visibility import visibility
from mxtvhf.models.position import Origin
from support.positions import place

T0 = datetime(2026, 2, 28, 12, 0, 0, 123_000, tzinfo=UTC)
BEST = place(150.1, 2.2, 45.0, label="photons", reference="events.fits")
ECLAIRS = place(150.2, 2.1, 600.0, Origin.ECLAIRS, "eclairs-wakeup", time=T0)
VT = place(359.9999999, -90.0, None, Origin.VT, "vt & <1>")
POSITIONS = [ECLAIRS, BEST, VT]


def check(table):
    assert list(table["label"]) == ["eclairs-wakeup", "photons", "vt & <1>"]
    assert list(table["ra"]) == [150.2, 150.1, 359.9999999]
    assert table["r90"].unit == "arcsec"
    assert table["ra"].unit == "deg"
    assert np.isnan(np.asarray(table["r90"], float)).tolist() == [False, False, True]
    assert list(table["is_best"]) == [False, True, False]
    assert list(table["time"]) == ["2026-02-28T12:00:00.123Z", "", ""]


def test_the_votable_is_valid_and_has_ucds_and_the_frame():
    content = votable("sb26022802", POSITIONS, BEST)
    file = StringIO()
    assert validate(BytesIO(content), output=file), file.getvalue()
    document = parse(BytesIO(content), verify="exception")
    (system,) = document.resources[0].coordinate_systems
    table = document.get_first_table()
    assert (system.system, table.get_field_by_id_or_name("ra").ref) == ("ICRS", system.ID)
    assert table.get_field_by_id_or_name("dec").ucd == "pos.eq.dec;meta.main"
    read = Table.read(BytesIO(content), format="votable")
    read["r90"] = read["r90"].filled(np.nan) if hasattr(read["r90"], "filled") else read["r90"]
    check(read)


def test_the_fits_table_has_units_ucds_frame_and_checksum():
    with fits.open(BytesIO(fits_table("sb26022802", POSITIONS, BEST)), checksum=True) as hdus:
        hdus.verify("exception")
        header = hdus["POSITIONS"].header
        assert (header["RADESYS"], header["TIMESYS"], header["OBJECT"]) == ("ICRS", "UTC", "sb26022802")
        assert header["TUCD3"] == "pos.eq.ra;meta.main"
        table = Table.read(hdus["POSITIONS"])
    for name in ("label", "time"):
        table[name] = (
            [str(one) for one in table[name].astype(str).filled("")]
            if hasattr(table[name], "filled")
            else table[name].astype(str)
        )
    check(table)


def test_a_burst_without_positions_gives_empty_files():
    assert len(Table.read(BytesIO(votable("sb26022802", [], None)), format="votable")) == 0
    with fits.open(BytesIO(fits_table("sb26022802", [], None))) as hdus:
        assert len(hdus["POSITIONS"].data) == 0
    assert b"circle(" not in ds9_regions("sb26022802", [], None)


def test_the_regions_are_read_by_astropy_regions_and_the_best_is_marked():
    from regions import Regions

    content = ds9_regions("sb26022802", POSITIONS, BEST).decode()
    found = Regions.parse(content, format="ds9")
    assert [round(one.radius.to_value("arcsec"), 2) for one in found[:2]] == [600.0, 45.0]
    assert found[1].center.ra.deg == pytest.approx(150.1)
    assert "color=magenta width=3" in content.splitlines()[5]
    assert "point(0.000000,-90.000000) # point=cross" in content, "a right ascension that rounds to 360 is 0"


def test_the_targets_are_the_windows_with_the_columns_of_obsloctap():
    seen = visibility(150.1, 2.2, T0)
    rows = list(csv.DictReader(StringIO(target_list("sb26022802", BEST, seen).decode())))
    windows = [(one.telescope, window) for one in seen.telescopes for window in one.windows]
    assert tuple(rows[0]) == TARGET_COLUMNS
    assert len(rows) == len(windows) > 5
    for row, (telescope, window) in zip(rows, windows, strict=True):
        assert row["facility_name"] == telescope
        assert Time(float(row["t_min"]), format="mjd").unix == pytest.approx(
            window.start.timestamp(), abs=0.1
        )
        assert row["s_region"] == "CIRCLE ICRS 150.100000 2.200000 0.012500"
        assert (float(row["s_ra"]), float(row["s_fov"])) == (150.1, 0.025)
