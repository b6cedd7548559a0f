from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from mxtvhf.errors import InvalidInput
from mxtvhf.localisation.model import CredibleRegion
from mxtvhf.reporting.report.followup_files import FOLLOWUP_FILES, followup_file, write_followup_files
from support.reports import ECLAIRS, GRM, T0, VHF, checked, report


def test_every_file_is_written_for_a_report(tmp_path):
    made = report()
    written = write_followup_files(made, tmp_path / "out", T0)
    assert {path.name for path in written} == set(FOLLOWUP_FILES)
    assert all(path.stat().st_size > 100 for path in written)


def test_the_finding_chart_is_a_picture_that_describes_every_position():
    content = followup_file(report(check=checked(ECLAIRS, VHF, GRM)), "finding_chart.png", T0)
    with Image.open(BytesIO(content)) as image:
        assert min(image.size) > 600
        text = image.info["Description"]
    for one in (ECLAIRS, VHF, GRM):
        assert one.name in text
    assert "GRM (grm-trigger): 14:10:00.0 +40:00:00, no radius, too large for this chart" in text


def pink(png):
    """Return the number of pixels of the colour of the outlines."""
    with Image.open(BytesIO(png)) as image:
        red, green, blue = (np.asarray(image.convert("RGB"), dtype=int)[..., band] for band in range(3))
    return int(((abs(red - 0xE0) < 30) & (abs(green - 0x55) < 30) & (abs(blue - 0x9A) < 30)).sum())


def square(part, half_deg):
    ends = ((1, 1), (-1, 1), (-1, -1), (1, -1))
    outline = tuple((VHF.ra_deg + half_deg * x, VHF.dec_deg + half_deg * y) for x, y in ends)
    return CredibleRegion(part=part, area_arcmin2=(120.0 * half_deg) ** 2, outlines=(outline,))


def test_the_finding_chart_outlines_the_regions_of_our_posterior():
    made = report()
    regions = square(0.5, 0.01), square(0.9, 0.02)
    found = made.localisation.model_copy(update={"regions": regions})
    chart = followup_file(made.model_copy(update={"localisation": found}), "finding_chart.png", T0)
    with Image.open(BytesIO(chart)) as image:
        assert (
            "MXT (VHF photons) 50 % and 90 % region, 5.76 arcmin\u00b2, outlined" in image.info["Description"]
        )
    assert pink(chart) > pink(followup_file(made, "finding_chart.png", T0)) + 300


@pytest.mark.parametrize("name", sorted(FOLLOWUP_FILES))
def test_a_report_without_a_position_has_no_files(name):
    made = report().model_copy(update={"best_position": None})
    with pytest.raises(InvalidInput, match="no position, so there is no"):
        followup_file(made, name, T0)


def test_an_unknown_file_is_refused():
    with pytest.raises(InvalidInput, match=r"unknown file 'x\.png'; expected one of finding_chart"):
        followup_file(report(), "x.png", T0)
