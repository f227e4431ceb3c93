"""What all sections of the settings are made of: kinds of values, and the section itself."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0, le=86_400)]
"""Seconds: more than a day is a mistake, and in milliseconds more than the Kafka client takes."""
PositiveInt = Annotated[int, Field(gt=0)]
Port = Annotated[int, Field(ge=0, le=65535)]


class Section(BaseModel):
    """A group of settings; one that is not known is refused, and none is shown in an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
