"""Compare the event file writer with astropy's table writer, and measure the memory of a large burst.

Run ``python -m benchmarks.eventfile`` for the times. Run ``python -m benchmarks.eventfile --memory
[photons]`` for the memory of decoding, event file and localisation input of one burst; each stage reads the
files of the previous one.

All writers write to memory. Astropy writes either the columns of the event table without further keywords,
or the whole file from prepared columns and headers. Our writer makes the whole file: four HDUs with keywords
and checksums, GTIs, and X and Y of each photon from its own attitude.
"""

from __future__ import annotations

import resource
import sys
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from astropy.io import fits
from astropy.table import Table

from benchmarks.decoding import BURST, START, simulated
from benchmarks.timing import in_turn, print_times
from mxtvhf.events.event_file import event_file_bytes, observe, read_event_file, write_event_file
from mxtvhf.events.header import EventHeader
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.calibration import packaged_store
from mxtvhf.instrument.pointing import Pointing
from mxtvhf.simulator.pointing import moving_attitude
from mxtvhf.telemetry.encode import encode_photons, encode_pointing
from mxtvhf.workflow.steps.photons_extraction import photons_extraction

HEADER = EventHeader(burst_id=BURST, ivorn="ivo://x", obs_id="1", date=datetime(2026, 5, 11, tzinfo=UTC))


def rewritten(content: bytes) -> Callable[[], object]:
    """Return a function that lets astropy write a file with checksums from its headers and columns."""
    with fits.open(BytesIO(content)) as parts:
        primary, *tables = [part.header for part in parts]
        columns = [
            [(column.name, column.format, np.array(part.data[column.name])) for column in part.columns]
            for part in parts[1:]
        ]

    def write() -> None:
        parts = [fits.PrimaryHDU(header=primary)]
        for header, table in zip(tables, columns, strict=True):
            made = [fits.Column(name, form, array=values) for name, form, values in table]
            parts.append(fits.BinTableHDU.from_columns(made, header=header))
        fits.HDUList(parts).writeto(BytesIO(), checksum=True)

    return write


def compare(count: int, folder: Path) -> None:
    """Print the times for a number of photons."""
    photons = simulated(count)
    photons = PhotonList(np.linspace(START, START + 299.0, count).round(1), *photons.columns[1:])
    attitude = moving_attitude(Pointing(10.0, 20.0, 30.0), START, START + 300.0, drift_arcsec=120.0)
    observation = observe(photons, attitude, HEADER, packaged_store())
    content = event_file_bytes(observation)
    table = Table(fits.getdata(BytesIO(content), "EVENTS"))
    path = folder / "events.fits"
    times = in_turn(
        {
            "event file": lambda: event_file_bytes(observe(photons, attitude, HEADER, packaged_store())),
            "  of it without intervals and mean": lambda: event_file_bytes(observation),
            "astropy, event table only": lambda: table.write(BytesIO(), format="fits"),
            "astropy, whole file": rewritten(content),
            "event file, durable on disk (fsync)": lambda: write_event_file(
                path, photons, attitude, header=HEADER
            ),
        },
        100 if count < 10_000 else 7,
    )
    print(f"{count} photons, {len(content) / 1e6:.2f} MB")
    print_times(times)
    for rival in ("event table only", "whole file"):
        print(f"  event file: {times[f'astropy, {rival}'] / times['event file']:.1f} x astropy's, {rival}")


def memory(count: int, folder: Path) -> None:
    """Print the peak memory that each stage before the localisation allocates."""
    attitude = moving_attitude(Pointing(10.0, 20.0, 30.0), START, START + 300.0, drift_arcsec=120.0)
    packets = folder / "packets.bin"
    photons = simulated(count)
    photons = PhotonList(START + np.linspace(0.0, 299.0, count).round(1), *photons.columns[1:])
    packets.write_bytes(b"".join(encode_photons(photons, BURST) + encode_pointing(attitude, BURST)))
    del photons
    print(f"{count} photons, packets of {packets.stat().st_size / 1e6:.1f} MB")

    def event_file() -> object:
        return write_event_file(
            folder / "events.fits", PhotonList.load(folder / "photons.npz"), attitude, header=HEADER
        )

    def localisation_input() -> object:
        return read_event_file(folder / "events.fits").drift_corrected_pixels(
            packaged_store().at(HEADER.date).alignment
        )

    for name, stage in (
        ("photons_extraction", lambda: photons_extraction(packets, BURST, folder)),
        ("event file", event_file),
        ("reading and steady addresses", localisation_input),
    ):
        tracemalloc.start()
        stage()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        print(f"  {name:30s} peak {peak / 1e6:7.1f} MB, {peak / count:5.0f} bytes per photon")
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  largest resident size of the whole process {rss:.0f} MiB")


def main() -> None:
    """Print the times, or with ``--memory`` the memory."""
    with TemporaryDirectory() as folder:
        if sys.argv[1:2] == ["--memory"]:
            memory(int(sys.argv[2]) if sys.argv[2:] else 1_000_000, Path(folder))
        else:
            for count in (1_000, 100_000, 1_000_000):
                compare(count, Path(folder))


if __name__ == "__main__":
    main()
