"""Packets and event files that once were read wrongly, or made a run fail."""

import tempfile
from functools import cache
from pathlib import Path

from astropy.io import fits

from mxtvhf.simulator.scenario import scenario_of, write_scenario
from mxtvhf.telemetry.decode import decode_stream
from mxtvhf.telemetry.encode import encode_photons, encode_pointing
from mxtvhf.workflow.local import process_burst

BURST = "sb26060101"


@cache
def burst():
    """An ordinary burst: its inputs and its products."""
    folder = Path(tempfile.mkdtemp())
    write_scenario(scenario_of(BURST, seed=7, ra_deg=40.0, dec_deg=20.0), folder)
    process_burst(folder / "alert.xml", folder / "packets.bin", folder / "out")
    return folder


@cache
def sent():
    return decode_stream((burst() / "packets.bin").read_bytes(), BURST, name="packets.bin")


def events(part=None, **keywords):
    """Make its event file, with some keywords of one part changed."""
    path = burst() / "out" / "events.fits"
    if part is None:
        return path.read_bytes()
    changed = burst() / "changed.fits"
    changed.write_bytes(path.read_bytes())
    with fits.open(changed, mode="update", checksum="remove") as parts:
        parts[part].header.update(keywords)
    return changed.read_bytes()


INPUTS = {
    "alert.xml": lambda: (burst() / "alert.xml").read_bytes(),
    "packets.bin": lambda: (burst() / "packets.bin").read_bytes(),
    "empty.bin": lambda: b"",
    "no_pointing.bin": lambda: b"".join(encode_photons(sent().photons, BURST)),
    "only_pointing.bin": lambda: b"".join(encode_pointing(sent().attitude, BURST)),
    "other_burst.bin": lambda: b"".join(encode_photons(sent().photons, "sb26060102")),
    "noise\x1b[31m.bin": lambda: b"noise",
    "events.fits": events,
    "dec_100.fits": lambda: events("PRIMARY", DEC_PNT=100.0),
    "timezero.fits": lambda: events("EVENTS", TIMEZERO=100.0),
    "mjdreff.fits": lambda: events("PRIMARY", MJDREFF=0.5),
    "days.fits": lambda: events("EVENTS", TIMEUNIT="d"),
    "fk4.fits": lambda: events("PRIMARY", RADESYS="FK4"),
    "tstart.fits": lambda: events("PRIMARY", TSTART=1.0),
}
