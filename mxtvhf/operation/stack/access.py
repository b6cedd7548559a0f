"""How the command line reaches Airflow: address, user and password of the settings."""

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
    """Return Airflow as the settings name it; by default the embedded stack of the state folder.

    Parameters
    ----------
    settings
        Where it is.
    user
        Whom to log in as; by default ``airflow_user``.

    Raises
    ------
    InvalidInput
        The password file cannot be read, or has no password of the user; the stack's address is damaged.
    """
    path = settings.airflow_password_file or password_file(settings.home)
    # A proxy of the environment cannot reach this machine's loopback, and must not get the password.
    os.environ.update(loopback_without_proxy())
    user = user or settings.airflow_user
    password = partial(password_of, user, path)
    password()  # a wrong file is told at once
    return AirflowApi(airflow_url(settings), user, password, ca=settings.airflow_ca)


def address_file(state: Path) -> Path:
    """Return the file with the address of the embedded stack that runs on a state folder."""
    return state / "airflow-url"


def airflow_url(settings: Settings) -> str:
    """Return Airflow's address: the setting's where it is set, else that of the stack that runs here.

    Raises
    ------
    InvalidInput
        The stack's file holds no address.
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
    """Return a user's password from a file: one line, or JSON ``{user: password}``.

    Raises
    ------
    InvalidInput
        As `airflow_api`; the message never holds what is in the file.
    """
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "no text"
        advice = "start `make run` on this state folder, or set MXTVHF_AIRFLOW_PASSWORD_FILE"
        raise InvalidInput(f"{path}: the password cannot be read: {cause}; {advice}") from None
    if text.startswith("{"):
        try:
            text = str(json.loads(text)[user])
        except (ValueError, KeyError):
            raise InvalidInput(f"{path}: no password of user {user!r}") from None
    if not text or "\n" in text:
        raise InvalidInput(f"{path}: want one line with the password")
    return text
