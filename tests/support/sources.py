"""A field with several sources: the burst, a known source far from it and one close to that."""

from mxtvhf.localisation.model import Localisation, LocalisedSource
from support.positions import localisation_of, place


def source(name: str, ra: float, dec: float, r90: float = 40.0, **more: object) -> LocalisedSource:
    """A source in degrees with its 90 % radius in arcsec."""
    fields = {
        "name": name,
        "position": place(ra, dec, r90, label="photons"),
        "r50_arcsec": 0.5 * r90,
        "detector_x": 100.0,
        "detector_y": 110.0,
        "ts": 80.0,
        "places_ts": 60.0,
        "n_source": 120.0,
        "photon_index": 2.0,
        "nh_cm2": 1e21,
    }
    return LocalisedSource.model_validate({**fields, **more})


BRIGHT = source(
    "S1", 212.75, -12.6, 33.0, ts=700.0, n_source=400.0, fading=0.01, decay_index=0.1, in_eclairs=False,
    detector_x=40.0, detector_y=160.0, confused_with=("S3",), known_as="NGC 1",
)  # fmt: skip
BURST = source("S2", 212.5, -12.73, 48.0, fading=0.99, decay_index=1.3, in_eclairs=True)
FAINT = source(
    "S3", 212.72, -12.55, 90.0, ts=30.0, n_source=40.0, fading=0.5, decay_index=0.6, detector_x=50.0,
    detector_y=180.0, confused_with=("S1",),
)  # fmt: skip
FIELD = (BRIGHT, BURST, FAINT)
CHOICE = "S2 lies in the ECLAIRs circle, S1 and S3 do not"


def field(
    sources: tuple[LocalisedSource, ...] = FIELD,
    chosen: LocalisedSource = BURST,
    choice: str | None = CHOICE,
    **more: object,
) -> Localisation:
    """What the localisation gives of such a field."""
    facts = {
        "r50_arcsec": chosen.r50_arcsec,
        "detector_x": chosen.detector_x,
        "detector_y": chosen.detector_y,
        "ts": chosen.ts,
        "n_photons": 900,
        "n_source": chosen.n_source,
        "n_background": 340.0,
        "exposure_s": 300.0,
        "sources": sources,
        "chosen": chosen.name,
        "choice": choice,
    }
    return localisation_of(chosen.position, **{**facts, **more})
