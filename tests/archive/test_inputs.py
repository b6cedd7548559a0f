import os
from pathlib import Path

import pytest

from mxtvhf.archive.inputs import TooLarge, is_inline, local_path, read_limited, source_bytes, source_name
from mxtvhf.errors import InvalidInput
from mxtvhf.models.input_folders import InputFolders
from mxtvhf.settings import Settings


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "inbox"
    folder.mkdir()
    (folder / "alert one.xml").write_bytes(b"<x/>")
    (tmp_path / "secret").write_bytes(b"no")
    return folder.resolve()


def test_uri_and_path_name_the_same_file(root):
    wanted = root / "alert one.xml"
    assert local_path(str(wanted), InputFolders((root,))) == wanted
    assert local_path(wanted.as_uri(), InputFolders((root,))) == wanted
    assert local_path(f"file://localhost{root}/alert%20one.xml", InputFolders((root,))) == wanted


@pytest.mark.parametrize(
    ("uri", "cause"),
    [
        ("http://169.254.169.254/latest", "only local files"),
        ("file://elsewhere/alert.xml", "only local files"),
        ("ftp://127.0.0.1/alert.xml", "only local files"),
        ("alert.xml", "not an absolute path"),
        ("", "not an absolute path"),
        ("/tmp/a\0b", "not an absolute path"),
        ("{root}/../secret", "outside the folders"),
        ("file://{root}/%2e%2e/secret", "outside the folders"),
        ("/etc/passwd", "outside the folders"),
        ("{root}/none.xml", "no such file"),
        ("{root}", "no such file"),
        ("file://{root}/a%00b", "not an absolute path"),
        ("{root}/" + "a" * 300, "File name too long"),
        ("{root}/\ud800", "invalid path"),
        ("file://[::1/alert.xml", "invalid path"),
    ],
)
def test_a_forbidden_path_is_refused_with_the_cause(root, uri, cause):
    uri = uri.replace("{root}", str(root))
    with pytest.raises(InvalidInput, match=cause) as error:
        local_path(uri, InputFolders((root,)))
    assert repr(uri) in str(error.value)


def test_a_link_out_of_the_roots_is_refused(root):
    (root / "link").symlink_to(root.parent / "secret")
    with pytest.raises(InvalidInput, match="outside the folders"):
        local_path(str(root / "link"), InputFolders((root,)))


def test_a_loop_of_links_is_refused(root):
    (root / "a").symlink_to(root / "b")
    (root / "b").symlink_to(root / "a")
    with pytest.raises(InvalidInput, match=r"/a'.*loop"):
        local_path(str(root / "a"), InputFolders((root,)))


def test_a_pipe_is_refused_without_waiting(root):
    os.mkfifo(root / "pipe.xml")
    with pytest.raises(InvalidInput, match="no such file"):
        local_path(str(root / "pipe.xml"), InputFolders((root,)))


def test_the_message_stays_short_whatever_the_name(root):
    with pytest.raises(InvalidInput) as error:
        local_path("/" + "a" * 100_000, InputFolders((root,)))
    assert len(str(error.value)) < 2000


def test_a_file_that_is_too_large_is_refused_and_its_start_returned(root):
    assert read_limited(root / "alert one.xml", 4) == b"<x/>"
    with pytest.raises(TooLarge, match="too large; expected at most 3 bytes") as error:
        read_limited(root / "alert one.xml", 3)
    assert error.value.start == b"<x/"


@pytest.mark.parametrize("is_in_a_root", [False, True])
def test_of_the_state_only_archive_and_inputs_may_be_read(tmp_path, is_in_a_root):
    """A state folder in the home folder, which may be read, let a run read the passwords."""
    settings = Settings(state=tmp_path / "var", input_roots=(tmp_path,) if is_in_a_root else ())
    readable_ones = ("archive", "inputs")
    for name in (*readable_ones, "inbox", "secrets", "products"):
        path = settings.home / name / "file"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
        if name in readable_ones:
            assert local_path(str(path), settings.input_folders()) == path
        else:
            with pytest.raises(InvalidInput, match="only archive and inputs" if is_in_a_root else "outside"):
                local_path(str(path), settings.input_folders())


def test_inline_xml_is_distinguished_from_a_path():
    assert is_inline("\ufeff  <?xml version='1.0'?>")
    assert not is_inline("/a/path.xml")


def test_a_name_that_is_not_utf8_is_read_by_its_uri(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9t\xe9 1.xml"))
    path.write_bytes(b"x")
    assert local_path(path.as_uri(), InputFolders((tmp_path,))) == path


def test_messages_show_no_control_character_of_a_name(tmp_path):
    name = "\x1b[31m\nalert\udce9.xml"
    folder = tmp_path / name
    folder.mkdir()
    assert source_name(f"/data/{name}") == r"/data/\x1b[31m\nalert\xe9.xml"
    for reading in (
        lambda: read_limited(folder, 1),
        lambda: local_path(f"/data/{name}", InputFolders((tmp_path,))),
    ):
        with pytest.raises(InvalidInput) as caught:
            reading()
        assert str(caught.value).isprintable()


def test_half_a_surrogate_pair_is_refused():
    with pytest.raises(InvalidInput, match="inline alert: character 2 is half of a surrogate pair"):
        source_bytes("<a\ud800/>", 100, InputFolders(()))
