import sqlite3
from contextlib import closing

import pytest

from mxtvhf.catalogues import search
from mxtvhf.catalogues.ingest import add_catalogue
from mxtvhf.catalogues.version import data_file, version_file
from support.catalogues import ask, write_csv


class TestVersions:
    def test_the_newest_is_in_use_and_the_old_can_be_asked(self, tmp_path, small):
        file = write_csv(tmp_path / "new.csv", "name,ra,dec,r90", "B,10,20,5")
        add_catalogue(tmp_path / "store", file, "small", reference="The second edition")
        new, old = (
            ask(small, 10.0, 20.0, 1.0, catalogue="small"),
            ask(small, 10.0, 20.0, 1.0, catalogue="small@1"),
        )
        assert (new.version, new.sources[0].name, new.sources[0].reference) == (
            "2",
            "B",
            "The second edition",
        )
        assert (old.version, old.sources[0].name) == ("1", "A")
        assert [version.version for version in small.versions()] == [1, 2]

    def test_killed_in_the_middle(self, tmp_path, small):
        """A data file without its description is not a version, and leftover files are removed."""
        folder = small.folder / "small"
        (folder / "2.sqlite").write_bytes(b"half")
        (folder / ".adding-killed").mkdir()
        (folder / ".adding-killed" / "staging").write_bytes(b"half")
        assert ask(small, 10.0, 20.0, 1.0, catalogue="small").version == "1"
        add_catalogue(small.folder, write_csv(tmp_path / "b.csv", "ra,dec,r90", "10,20,5"), "small")
        assert sorted(path.name for path in folder.iterdir()) == [
            ".lock",
            "1.json",
            "1.sqlite",
            "2.json",
            "2.sqlite",
        ]
        assert ask(small, 10.0, 20.0, 1.0, catalogue="small").checked

    @pytest.mark.parametrize("damage", ["gone", "cut", "empty", "flipped", "zeroed", "about"])
    @pytest.mark.parametrize("small_enough_to_hash", [True, False])
    def test_damage_is_reported_and_affects_no_other_catalogue(
        self, tmp_path, small, damage, small_enough_to_hash, monkeypatch
    ):
        if not small_enough_to_hash:
            monkeypatch.setattr(search, "HASHED_BYTES", 0)
        file = write_csv(tmp_path / "b.csv", "name,ra,dec,r90", *(f"N{i},10,{i % 90},5" for i in range(500)))
        add_catalogue(small.folder, file, "damaged")
        path = data_file(small.folder, "damaged", 1)
        path.chmod(0o644)
        content = bytearray(path.read_bytes())
        if damage == "gone":
            path.unlink()
        elif damage == "about":
            version_file(small.folder, "damaged", 1).write_text('{"catalogue": "damaged"')
        elif damage == "flipped":
            content[50] ^= 0xFF  # in the header: the schema cookie and the bytes next to it
            content[100] ^= 0xFF  # the type of the first page
            path.write_bytes(content)
        else:
            path.write_bytes({"cut": content[:5000], "empty": b"", "zeroed": bytes(len(content))}[damage])
        bright, damaged, whole = small.cone(10.0, 20.0, 60.0)
        assert (bright.checked, damaged.checked, whole.checked) == (True, False, True)
        assert damaged.catalogue == "damaged"
        assert damaged.reason
        assert damaged.density_per_deg2 is None
        assert "\n" not in damaged.reason

    def test_check_of_all_bytes(self, small):
        (version,) = small.versions()
        assert small.fault(version) is None
        path = data_file(small.folder, "small", 1)
        path.chmod(0o644)
        content = bytearray(path.read_bytes())
        content[-10] ^= 0x01
        path.write_bytes(content)
        assert "damaged" in small.fault(version)

    def test_format_is_what_the_documentation_says(self, small):
        with closing(sqlite3.connect(data_file(small.folder, "small", 1))) as database:
            assert database.execute("SELECT ra, dec, r90, name FROM source").fetchall() == [
                (10.0, 20.0, 5.0, "A")
            ]
