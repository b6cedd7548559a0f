"""Run configuration: accepted input, and incomplete identifiers of an observation."""

from mxtvhf.models.run_conf import Observation, RunConf

CONF = {"burst_id": "sb26112901", "alert": "alert.xml"}


def test_a_run_that_names_no_observation_has_none():
    assert RunConf(**CONF).observation is None


def test_an_observation_is_named_by_all_three():
    conf = RunConf(**CONF, apid="00810300005", target="7", orbit="12")
    assert conf.observation == Observation(apid="00810300005", target="7", orbit="12")
    assert conf.observation.obs_id == "00810300005_7_12"


def test_an_incomplete_observation_is_ignored_and_the_run_continues():
    assert RunConf(**CONF, target="7").observation is None
