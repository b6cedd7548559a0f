"""Compare the conversion from pixel to sky with wcslib, and time the drift correction.

Run ``python -m benchmarks.projection [photons]``.
"""

from __future__ import annotations

import sys

import numpy as np
from astropy.wcs import WCS

from benchmarks.timing import in_turn, print_times
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.constants import pixel_scale_arcsec
from mxtvhf.instrument.pointing import Pointing, drift_corrected_pixels
from mxtvhf.simulator.pointing import moving_attitude

POINTING = Pointing(150.0, -30.0, 40.0)


def detector_wcs(pointing: Pointing) -> WCS:
    """Return the WCS of the detector image for wcslib; columns increase to the right of up."""
    roll, scale = np.radians(pointing.roll_deg), pixel_scale_arcsec() / 3600.0
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crpix = pointing.alignment.column + 1.0, pointing.alignment.row + 1.0
    wcs.wcs.crval = pointing.ra_deg, pointing.dec_deg
    wcs.wcs.cd = scale * np.array([[-np.cos(roll), np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    wcs.wcs.set()
    return wcs


def farthest_arcsec(ra: np.ndarray, dec: np.ndarray, others: tuple[np.ndarray, np.ndarray]) -> float:
    """Return the largest separation, accurate for small angles."""
    east = (ra - others[0]) * np.cos(np.radians(dec))
    return float(3600.0 * np.hypot(east, dec - others[1]).max())


def main() -> None:
    """Print times, speed ratios and differences."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-0.5, 255.5, (2, count))
    time = 0.1 * np.sort(rng.integers(0, 3000, count))
    attitude: AttitudeHistory = moving_attitude(POINTING, 0.0, 300.0, drift_arcsec=120.0)
    wcs = detector_wcs(POINTING)
    times = in_turn(
        {
            "pixel_to_sky": lambda: POINTING.pixel_to_sky(x, y),
            "wcslib (astropy.wcs)": lambda: wcs.wcs_pix2world(x, y, 0),
            "drift_corrected_pixels (each photon by its attitude)": lambda: drift_corrected_pixels(
                POINTING, attitude, time, x, y
            ),
        },
        50,
    )
    print(f"{count} photons in {len(np.unique(time))} frames")
    print_times(times)
    print(f"  pixel_to_sky: {times['wcslib (astropy.wcs)'] / times['pixel_to_sky']:.2f} x wcslib's speed")
    difference = farthest_arcsec(*POINTING.pixel_to_sky(x, y), wcs.wcs_pix2world(x, y, 0))
    print(f"  largest difference from wcslib: {difference:.1e} arcsec")


if __name__ == "__main__":
    main()
