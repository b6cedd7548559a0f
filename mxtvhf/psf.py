"""The PSF under the name by which notebooks know it; it is defined in `mxtvhf.instrument.psf`."""

from mxtvhf.instrument.psf import LobsterEyePsf

__all__ = ["LobsterEyePsf"]
