"""Settings of an installation, from environment variables with the prefix ``MXTVHF_``.

Read at the edges only (command line, operators, services); the science never looks here.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

if TYPE_CHECKING:
    from mxtvhf.calibration import CalibrationStore


class Settings(BaseSettings):
    """Where an installation keeps its things and what it may read."""

    model_config = SettingsConfigDict(env_prefix="MXTVHF_", frozen=True)

    state: Path = Field(default=Path("var"), description="folder of all state; git-ignored")
    input_roots: tuple[Path, ...] = Field(
        default=(Path.home(), Path(tempfile.gettempdir())),
        description="folders from which a run may read its alert and packets (JSON list)",
    )
    calibration: Path | None = Field(
        default=None, description="folder of calibration files to be used before those of the package"
    )
    airflow_url: str = Field(
        default="http://127.0.0.1:8080", description="Airflow's address, for `mxtvhf start` and `info`"
    )
    airflow_user: str = Field(default="admin", description="whom they log in as")
    airflow_password_file: Path | None = Field(
        default=None,
        description="file with their password, plain or JSON {user: password}; default: the embedded stack's",
    )
    statsd: str | None = Field(
        default=None, description="host:port of a StatsD server that gets Airflow's metrics"
    )
    otlp: str | None = Field(
        default=None, description="URL of an OpenTelemetry collector (OTLP over HTTP) that gets them"
    )

    @property
    def home(self) -> Path:
        """The state folder as an absolute path."""
        return self.state.resolve()

    @property
    def archive(self) -> Path:
        """Raw inputs as received, by burst; append-only."""
        return self.home / "archive"

    @property
    def products(self) -> Path:
        """Products, ``<burst>/<run>/``."""
        return self.home / "products"

    @property
    def inbox(self) -> Path:
        """Where alerts and packets may be laid for a run."""
        return self.home / "inbox"

    def readable_roots(self) -> tuple[Path, ...]:
        """All folders from which inputs may be read, resolved.

        Of the state only the archive and the inbox: beside them lie its secrets.
        """
        return tuple(root.resolve() for root in (self.archive, self.inbox, *self.input_roots))

    def calibration_store(self) -> CalibrationStore:
        """Return the package's calibration files, and those of the installation's own folder before them.

        Raises
        ------
        InvalidInput
            A file of the folder is no calibration file, or there is none in it.
        """
        # Imported when used: every Airflow process imports this module, and few need numpy.
        from mxtvhf.calibration import CalibrationStore, packaged_folder, packaged_store

        if self.calibration is None:
            return packaged_store()
        return CalibrationStore(packaged_folder(), self.calibration.resolve())
