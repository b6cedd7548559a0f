import pytest

from mxtvhf.notices.role import is_test_alert


@pytest.mark.parametrize(
    ("alert", "expected"),
    [
        ('<voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" role="test">', True),
        ('<?xml version="1.0"?>\n<voe:VOEvent xmlns:voe="http://x" role="observation"><Who>', False),
        ("<VOEvent>", None),
        ("<html role='test'>", None),
        ("<", None),
        ("/no/such/file.xml", None),
        ('<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><VOEvent role="test">', True),
    ],
)
def test_the_first_tag_tells_a_test(alert, expected):
    assert is_test_alert(alert, ()) is expected


def test_a_test_is_told_from_a_file_inside_the_roots_only(tmp_path):
    file = tmp_path / "alert.xml"
    file.write_text('<VOEvent role="test"/>')
    assert is_test_alert(file.as_uri(), (tmp_path.resolve(),)) is True
    assert is_test_alert(file.as_uri(), (tmp_path.resolve() / "other",)) is None
