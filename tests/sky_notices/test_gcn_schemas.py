"""The reader of GCN's notices against the public schemas and their examples.

`tools/test-schemas.sh` fetches them; missions.toml names the newest release that was read.
"""

import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from mxtvhf.errors import InvalidInput
from mxtvhf.intake.gcn_kafka import OTHER_MISSIONS
from mxtvhf.sky_notices.gcn_json import _Fields
from mxtvhf.sky_notices.missions import mission_facts
from mxtvhf.sky_notices.reading import read_sky_notices

pytestmark = pytest.mark.service

NOTICES = Path(sys.prefix) / "gcn-schema" / "gcn" / "notices"
NOW = datetime(2030, 1, 1, tzinfo=UTC)
NO_EVENTS = {"heasarc/archive_alert.example.json"}
"""Examples of notices that are about no event: they are kept and counted as unreadable."""


def examples():
    found = {}
    for path in sorted(NOTICES.glob("*/**/*.example.json")):
        name = path.relative_to(NOTICES).as_posix()
        if not name.startswith("core/") and name not in NO_EVENTS:
            found[name] = json.loads(path.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def schemas():
    return {
        one["$id"]: one for path in NOTICES.glob("**/*.schema.json") if (one := json.loads(path.read_text()))
    }


@pytest.fixture(scope="module")
def is_valid(schemas):
    known = Registry().with_resources((name, Resource.from_contents(one)) for name, one in schemas.items())

    def check(notice):
        return Draft202012Validator(schemas[notice["$schema"]], registry=known).is_valid(notice)

    return check


def read(notice):
    return read_sky_notices(json.dumps(notice).encode(), received=NOW)


def complaints(notice):
    try:
        return "; ".join(text for one in read(notice) for text in one.warnings)
    except InvalidInput as error:
        return str(error)


def test_every_public_example_is_read(is_valid):
    assert len(examples()) > 30, "run tools/test-schemas.sh"
    for name, notice in examples().items():
        assert is_valid(notice), name
        for one in read(notice):
            assert one.event_id, name
            assert not [text for text in one.warnings if "invalid" in text], name


def test_what_the_schemas_refuse_is_refused_or_left_out(is_valid):
    """Each used field of each example gets values of a wrong type, a wrong word, and too many entries."""
    refused = 0
    for name, notice in examples().items():
        for field in notice.keys() & _Fields.model_fields.keys():
            for wrong in ({"a": []}, "nonsense", [1, 2, 3, 4, 5], True):
                odd = notice | {field: wrong}
                if is_valid(odd):
                    continue
                refused += 1
                assert field in complaints(odd), (name, field, wrong)
    assert refused > 500


def test_the_topics_that_are_received_have_a_schema(schemas):
    """A renamed or removed schema is found here, before its notices are missed."""
    names = {name.partition("/gcn/notices/")[2].removesuffix(".schema.json") for name in schemas}
    known = {name.replace("/", ".") for name in names}
    topics = {name.removeprefix("gcn.notices.") for name in OTHER_MISSIONS if name.startswith("gcn.notices.")}
    # The alerts of IceCube and of the instruments of SVOM share a schema.
    shared = {"icecube.gold_bronze_track_alerts", "svom.eclairs", "svom.grm", "swift.bat.guano"}
    assert topics - known <= shared
    assert {"icecube/single_neutrino_alerts", "svom/trigger", "swift/bat/Guano"} <= names
    ours = {name for name in mission_facts().names if not name.startswith("ivo:")}
    assert ours <= names


def test_the_fetched_release_has_a_known_major_version(schemas):
    majors = {int(re.search(r"/schema/v(\d+)\.", name)[1]) for name in schemas}
    assert majors == {mission_facts().reading.schema_majors[-1]}
