from io import BytesIO

import pytest
from PIL import Image

from mxtvhf.errors import InvalidInput
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


@pytest.mark.parametrize("name", sorted(FOLLOWUP_FILES))
def test_a_report_without_a_position_has_no_files(name):
    made = report().model_copy(update={"best_position": None})
    with pytest.raises(InvalidInput, match="no position, so there is no"):
        followup_file(made, name, T0)


def test_an_unknown_file_is_refused():
    with pytest.raises(InvalidInput, match=r"unknown file 'x\.png'; expected one of finding_chart"):
        followup_file(report(), "x.png", T0)
