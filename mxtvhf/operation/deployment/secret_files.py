"""The files with secrets that are named by a configuration file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from pydantic import AfterValidator, BaseModel
from pydantic.fields import FieldInfo

from mxtvhf.operation.backup_file import SECRETS
from mxtvhf.operation.deployment.checks import SecretFile, readable_secret
from mxtvhf.operation.deployment.configuration import Deployment


def secret_parts(deployment: Deployment) -> dict[str, Path]:
    """Return the secrets of an installation by the names of their parts in a backup.

    The name is ``secrets/`` plus the path relative to the common folder of all secrets.
    """
    paths = sorted(set(_secret_files(deployment)))
    common = os.path.commonpath([path.parent for path in paths])
    return {f"{SECRETS}/{path.relative_to(common)}": path for path in paths}


def _secret_files(model: BaseModel) -> Iterator[Path]:
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _secret_files(value)
        elif value is not None and _is_secret(field):
            yield value.absolute()


def _is_secret(field: FieldInfo) -> bool:
    return AfterValidator(readable_secret) in field.metadata or SecretFile in get_args(field.annotation)
