"""Photons whose charge two pixels share, from the event file to the position."""

import numpy as np
import pytest

from mxtvhf.events.event_file import write_event_file
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.pointing import Pointing
from mxtvhf.models.angles import separation_arcsec
from mxtvhf.simulator.photons import simulate_photons
from mxtvhf.workflow.steps.vhf_localisation import vhf_localisation
from support.event_files import HEADER, START

POINTING = Pointing(ra_deg=83.6, dec_deg=22.0, roll_deg=30.0)
X, Y = 110.0, 150.0


def localised(folder, photons):
    time = np.arange(START, START + 301.0, 10.0)
    attitude = AttitudeHistory(time, np.tile(POINTING.quaternion(), (len(time), 1)), np.ones(len(time), bool))
    write_event_file(folder / "events.fits", photons, attitude, header=HEADER)
    return vhf_localisation(folder / "events.fits")


def quarter_split(seed, **changes):
    """Share the charge of one photon in four with the next column, at random."""
    rng = np.random.default_rng(seed)
    case = {"x": X, "y": Y, "start": START, "stop": START + 300.0, "exact": True}
    photons = simulate_photons(**case, **changes, rng=rng)
    split = (rng.random(len(photons)) < 0.25) & (photons.x < 255)
    shared = np.where(split, np.rint(rng.uniform(0.05, 0.95, len(photons)) * photons.pha), 0).astype(np.int32)
    first = PhotonList(photons.time, photons.x, photons.y, photons.pha - shared)
    second = PhotonList(photons.time, np.minimum(photons.x + 1, 255).astype(np.int16), photons.y, shared)
    return first.merged(second.selected(split))


def test_split_events_of_the_background_are_no_source(tmp_path):
    """The parts of a photon are soft and close together, as a source's photons are."""
    found = localised(tmp_path, quarter_split(1, counts=0, background=1000))
    assert not found.detected
    assert found.n_photons == pytest.approx(1000, abs=3)


@pytest.mark.slow
def test_split_events_of_a_source_count_once(tmp_path):
    truth = [float(axis) for axis in POINTING.pixel_to_sky(X, Y)]
    found = [localised(tmp_path, quarter_split(seed, counts=150, background=135)) for seed in range(30)]
    assert np.mean([one.n_source for one in found]) == pytest.approx(150, rel=0.06)
    held = [
        separation_arcsec(one.position.ra_deg, one.position.dec_deg, *truth) < one.position.r90_stat_arcsec
        for one in found
    ]
    assert sum(held) >= 23
