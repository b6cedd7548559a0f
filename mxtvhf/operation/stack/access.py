"""How the command line reaches Airflow: address, user and password of the settings."""

from __future__ import annotations

import json
from pathlib import Path

from mxtvhf.errors import InvalidInput
from mxtvhf.operation.stack.airflow_config import password_file
from mxtvhf.settings import Settings
from mxtvhf.workflow.airflow_api import AirflowApi


def airflow_api(settings: Settings) -> AirflowApi:
    """Return Airflow as the settings name it; by default the embedded stack of the state folder.

    Raises
    ------
    InvalidInput
        The password file cannot be read, or has no password of the user.
    """
    path = settings.airflow_password_file or password_file(settings.home)
    return AirflowApi(settings.airflow_url, settings.airflow_user, password_of(settings.airflow_user, path))


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
        raise InvalidInput(f"{path}: the password cannot be read: {cause}") from None
    if text.startswith("{"):
        try:
            text = str(json.loads(text)[user])
        except (ValueError, KeyError):
            raise InvalidInput(f"{path}: no password of user {user!r}") from None
    if not text or "\n" in text:
        raise InvalidInput(f"{path}: want one line with the password")
    return text
