from datetime import UTC, datetime

from mxtvhf.notification.follow_up import follow_up_text
from support.positions import place

MORNING_AT_COLIBRI = datetime(2026, 2, 28, 12, tzinfo=UTC)


def test_the_mission_s_telescopes_are_named_first_and_the_others_counted():
    text = follow_up_text(place(210.1, 54.6, 45.0), MORNING_AT_COLIBRI, None)
    assert text.startswith("visible now from COLIBRI (F-GFT), ")
    assert " more; A_V 0.0" in text


def test_the_next_telescope_is_named_if_none_can_observe_now():
    text = follow_up_text(place(0.0, -80.0, 45.0), datetime(2026, 2, 28, 16, tzinfo=UTC), None)
    assert text.startswith("not visible now; next from ")
    assert " UTC; A_V " in text


def test_an_invalid_file_is_named(tmp_path):
    (tmp_path / "own.toml").write_text("telescopes = 3")
    text = follow_up_text(place(0.0, 0.0, 45.0), MORNING_AT_COLIBRI, tmp_path / "own.toml")
    assert text.startswith(f"not calculated: {tmp_path}/own.toml: limits: missing")


def test_a_position_at_the_sun_is_not_visible():
    text = follow_up_text(place(339.0, -8.0, 45.0), MORNING_AT_COLIBRI, None)
    assert text.startswith("not visible from any telescope in the next 24 h; A_V ")
