"""Base class of the models exchanged between the steps: frozen, typed, strict."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

NonNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class Model(BaseModel):
    """A frozen message; unknown fields are an error."""

    # JSON has no NaN and no infinity, so a result that has one is refused where it is made.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
