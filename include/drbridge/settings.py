"""Small settings of `systems.toml` that larger ones are made of: other systems' words, and what a release changes."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Frozen(BaseModel):
    """A table of systems.toml: never changed once it is read, and with no setting that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Lookups(Frozen):
    """The other systems' own words for what a message says in ours; what is not listed goes as it came.

    Attributes:
        asset_specification: DACS's word for a make and model, as in `ECOBEE!EB-STATE5`.
        asset_type: DACS's word for a type of device.
        allow_event_days: the DERMS's word for a day of the week.
        cycle_frequency: the DERMS's word for how often.
    """

    asset_specification: dict[str, str] = Field(default_factory=dict)
    asset_type: dict[str, str] = Field(default_factory=dict)
    allow_event_days: dict[str, str] = Field(default_factory=dict)
    cycle_frequency: dict[str, str] = Field(default_factory=dict)


class Difference(Frozen):
    """What is different at an endpoint in one release; what is not said stays.

    Attributes:
        operation: how its requests are built there.
        method: `POST`, `PUT` or `PATCH`.
        path: comes after the connection's address.
    """

    operation: str = ""
    method: Literal["POST", "PUT", "PATCH"] | None = None
    path: str = ""
