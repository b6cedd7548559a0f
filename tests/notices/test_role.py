import pytest

from mxtvhf.notices.role import is_test_notice


@pytest.mark.parametrize(
    ("alert", "expected"),
    [
        ('<voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" role="test">', True),
        ('<?xml version="1.0"?>\n<voe:VOEvent xmlns:voe="http://x" role="observation"><Who>', False),
        ("<VOEvent>", None),
        ("<html role='test'>", None),
        ("<", None),
        ('<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><VOEvent role="test">', True),
    ],
)
def test_the_root_element_identifies_a_test(alert, expected):
    assert is_test_notice(alert.encode()) is expected
