"""Access of the command line to Airflow: address, user and password from the settings."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path

from mxtvhf.errors import InvalidInput
from mxtvhf.models.addresses import http_url
from mxtvhf.operation.stack.airflow_config import loopback_without_proxy, password_file
from mxtvhf.settings import Settings
from mxtvhf.workflow.airflow_api import AirflowApi


def airflow_api(settings: Settings, user: str | None = None) -> AirflowApi:
    """Return a client of the Airflow named by the settings, by default the embedded stack.

    Parameters
    ----------
    settings
        Settings with address and password file.
    user
        Login name; by default ``airflow_user``.

    Raises
    ------
    InvalidInput
        The password file cannot be read or lacks the user, or the stack's address file is damaged.
    """
    path = settings.airflow_password_file or password_file(settings.home)
    # A proxy named by the environment cannot reach our loopback and must not get the password.
    os.environ.update(loopback_without_proxy())
    user = user or settings.airflow_user
    password = partial(password_of, user, path)
    password()  # report an invalid file at once
    return AirflowApi(airflow_url(settings), user, password, ca=settings.airflow_ca)


def address_file(state: Path) -> Path:
    """Return the path of the file with the address of the embedded stack of a state folder."""
    return state / "airflow-url"


def airflow_url(settings: Settings) -> str:
    """Return Airflow's address from the settings, or else from the running embedded stack.

    Raises
    ------
    InvalidInput
        The stack's address file is damaged.
    """
    if "airflow_url" in settings.model_fields_set:
        return settings.airflow_url
    path = address_file(settings.home)
    try:
        return http_url(path.read_text().strip())
    except FileNotFoundError:
        return settings.airflow_url
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path}: {error}; set MXTVHF_AIRFLOW_URL") from None


def password_of(user: str, path: Path) -> str:
    """Return the password of a user from a file with one line or with JSON ``{user: password}``.

    Raises
    ------
    InvalidInput
        The file cannot be read or lacks the user. The message never shows its content.
    """
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "not a text file"
        advice = "start `make run` on this state folder, or set MXTVHF_AIRFLOW_PASSWORD_FILE"
        raise InvalidInput(f"{path}: the password cannot be read: {cause}; {advice}") from None
    if text.startswith("{"):
        try:
            text = str(json.loads(text)[user])
        except (ValueError, KeyError):
            raise InvalidInput(
                f"{path}: no password of user {user!r}; expected JSON {{user: password}} with this user"
            ) from None
    if not text or "\n" in text:
        raise InvalidInput(f"{path}: invalid password file; expected one line with the password")
    return text
