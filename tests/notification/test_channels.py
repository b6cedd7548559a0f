"""The channels file: faults are reported by line without showing a URL."""

import pytest

from mxtvhf.errors import InvalidInput, SeveralFaults
from mxtvhf.notification.channels import Channel, check_channels, read_channels

SOUND = """
# Ada's mail and phone, the chat of the team
ada, team = mailtos://ada:p4ssw0rd@example.org
ada = ntfy://ada-s3cr3t
ada = ntfy://ada-s3cr3t-2
chat = slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "channels"


def test_a_channel_has_a_name_and_tags(file):
    file.write_text(SOUND)
    channels, faults = read_channels(file)
    assert faults == []
    assert {one.name: one.tags for one in channels} == {
        "ada/mailtos": ("ada", "team"), "ada/ntfy": ("ada",), "ada/ntfy 2": ("ada",), "chat/slack": ("chat",),
    }  # fmt: skip
    assert "s3cr3t" not in repr(channels)


def test_apprise_knows_the_services(file):
    file.write_text(SOUND)
    assert len(check_channels(file)) == 4


def test_invalid_lines_are_reported_by_number_without_their_urls(file):
    file.write_text(
        f"{SOUND}bob = nothing://s3cr3t/x\nslack://s3cr3t/a/b\neve = mailto://\nada ntfy://s3cr3t\n"
    )
    with pytest.raises(SeveralFaults) as caught:
        check_channels(file)
    found = str(caught.value).splitlines()
    assert sorted(line.removeprefix(f"{file}, line ").split(":")[0] for line in found) == [
        "10",
        "7",
        "8",
        "9",
    ]
    assert "s3cr3t" not in str(caught.value)
    channels, faults = read_channels(file)
    assert (len(channels), len(faults)) == (6, 2), "the sound lines are used"


@pytest.mark.parametrize(
    ("content", "cause"), [(None, "cannot be read"), (b"\xff", "not UTF-8"), (b"#\n", "no channel")]
)
def test_a_file_without_channels_is_an_error(file, content, cause):
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidInput, match=cause):
        check_channels(file)


@pytest.mark.parametrize(
    "reason",
    [
        "error at https://hooks.example.org/T00/s3cr3ttoken",
        "user adalovelace refused",
        "s3cr3t%2ftoken and s3cr3t/token",
    ],
)
def test_a_reason_contains_no_part_of_the_url(reason):
    channel = Channel(
        "a/json", ("a",), "json://adalovelace:s3cr3t%2ftoken@hooks.example.org/T00/s3cr3ttoken", 1
    )
    blanked = channel.blanked(reason)
    assert not [word for word in ("s3cr3t", "adalovelace", "hooks.example") if word in blanked]
