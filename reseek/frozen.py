"""The base of immutable records that are written as JSON."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """The manner of every record here: frozen, and no field that we don't know."""

    model_config = ConfigDict(frozen=True, extra="forbid")
