from .catalogues.store import CatalogueStore as CatalogueStore
from .events.event_file import EventFile as EventFile
from .events.event_file import read_event_file as read_event_file
from .followup.line_of_sight import line_of_sight as line_of_sight
from .followup.visibility import visibility as visibility
from .instrument.calibration import (
    CalibrationStore as CalibrationStore,
)
from .instrument.calibration import (
    default_calibration as default_calibration,
)
from .instrument.psf import LobsterEyePsf as LobsterEyePsf
from .localisation.photon_weights import energy_weights as energy_weights
from .localisation.photon_weights import time_weights as time_weights
from .localisation.position import SourceLocalisation as SourceLocalisation
from .localisation.position import localise as localise
from .notices.alert import Alert as Alert
from .notices.burst import burst_trigger_time as burst_trigger_time
from .notices.voevent import read_alert as read_alert
from .reporting.report.followup_files import write_followup_files as write_followup_files
from .reporting.report.model import Report as Report
from .simulator.scenario import scenario_of as scenario_of
from .simulator.scenario import write_scenario as write_scenario
from .telemetry.decode import decode_stream as decode_stream
from .workflow.local import process_burst as process_burst
from .workflow.steps.crosscheck_positions import crosscheck_positions as crosscheck_positions
from .workflow.steps.fits_feed import fits_feed as fits_feed
from .workflow.steps.photons_extraction import photons_extraction as photons_extraction
from .workflow.steps.source_analysis import source_analysis as source_analysis
from .workflow.steps.vhf_localisation import usable_photons as usable_photons
from .workflow.steps.vhf_localisation import vhf_localisation as vhf_localisation

__version__: str
