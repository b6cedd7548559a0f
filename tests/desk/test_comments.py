from datetime import timedelta

import pytest
from pydantic import ValidationError

from mxtvhf.archive.archive import Archive
from mxtvhf.desk.comments import MAX_COMMENT, Comments
from mxtvhf.errors import InvalidInput
from support.desk import BURST, HOSTILE, NOW, html_of, page_of, run


def test_comments_have_author_and_time_and_stay_in_their_order(settings, put):
    put(f"{BURST}__1")
    comments = Comments(settings.desk_records / "comments")
    comments.add(BURST, " VT sees it fade.\nAsked for a spectrum. ", author="ada", now=NOW)
    comments.add(BURST, HOSTILE, author="bob", now=NOW + timedelta(minutes=3))
    comments.add("sb26022899", "of another burst", author="ada", now=NOW)
    page = page_of(settings, [run()])
    assert [(one.author, one.text) for one in page.comments] == [
        ("ada", "VT sees it fade.\nAsked for a spectrum."),
        ("bob", HOSTILE),
    ]
    html = html_of(settings, [run()])
    assert HOSTILE not in html
    assert "2026-02-28 12:03:00" in html.split('id="comments"')[1]


def test_a_burst_without_a_run_can_be_commented(settings, processed):
    archive = Archive(settings.archive)
    archive.log_receipt(archive.keep_alert(BURST, (processed / "input" / "alert.xml").read_bytes()), NOW)
    Comments(settings.desk_records / "comments").add(BURST, "seen", author="ada", now=NOW)
    assert [one.text for one in page_of(settings, []).comments] == ["seen"]


@pytest.mark.parametrize("text", ["", "  \n ", "x" * (MAX_COMMENT + 1)])
def test_an_empty_comment_and_one_that_is_too_long_are_refused(tmp_path, text):
    comments = Comments(tmp_path / "comments")
    with pytest.raises(ValidationError):
        comments.add(BURST, text, author="ada", now=NOW)
    assert comments.of(BURST) == []


@pytest.mark.parametrize("text", ["seen\x00", "\x1b[2Jseen", "seen\x9b31m"])
def test_control_characters_are_refused(tmp_path, text):
    comments = Comments(tmp_path / "comments")
    with pytest.raises(InvalidInput, match="control characters"):
        comments.add(BURST, text, author="ada", now=NOW)
    assert comments.of(BURST) == []


def test_the_longest_comment_is_kept_whole(tmp_path):
    comments = Comments(tmp_path / "comments")
    comments.add(BURST, "x" * MAX_COMMENT, author="ada", now=NOW)
    assert comments.of(BURST)[0].text == "x" * MAX_COMMENT
