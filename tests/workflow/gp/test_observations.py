"""The table of GP's observations."""

import pytest

from mxtvhf.errors import InvalidInput
from mxtvhf.models.run_conf import Observation
from mxtvhf.workflow.gp.observations import observation_of

BURST = "sb26112901"
ENTRY = '[sb26112901]\napid = "00810300005"\ntarget = "7"\norbit = "12"\n'


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "observations.toml"
        path.write_text(text)
        return path

    return write


def test_the_observation_of_a_burst(table):
    assert observation_of(BURST, table(ENTRY)) == Observation(apid="00810300005", target="7", orbit="12")


def test_a_burst_that_is_not_named_has_none(table, tmp_path):
    assert observation_of("sb26112905", table(ENTRY)) is None
    assert observation_of(BURST, tmp_path / "missing.toml") is None


def test_a_fault_in_another_entry_does_no_harm(table):
    assert observation_of(BURST, table(f"sb26112905 = 3\n{ENTRY}")) is not None


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("[sb26112901", "not TOML"),
        ("sb26112901 = 3", "sb26112901: expected a table with apid, target and orbit"),
        (ENTRY.replace('"12"', "12"), "sb26112901: orbit: found 12, expected a valid string"),
        (ENTRY.replace('orbit = "12"\n', ""), "sb26112901: orbit: missing"),
    ],
)
def test_what_is_wrong_is_named(table, text, cause):
    with pytest.raises(InvalidInput, match=cause):
        observation_of(BURST, table(text))
