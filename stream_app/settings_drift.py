"""The section ``drift`` of the settings: windows, their topics, and when they close.

Decides what there is to set, as ``settings_sections.py`` does for the others.
"""

from typing import Literal

from pydantic import Field, field_validator

from stream_app.settings_sections import MAX_TIME_DIFFERENCE_S
from stream_app.settings_values import Port, Positive, PositiveInt, Section

_DAY_S = 86_400


class DriftSettings(Section):
    """Windows of statistics, beside the reference of the model's version."""

    counting: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Whether scorers count drift: `auto` where the model's version has a "
        "reference, `on` refuses to start without one.",
    )
    window_s: PositiveInt = Field(
        300, description="Length of a window of event time; a divisor of a day, or whole days."
    )
    allowed_lateness_s: float = Field(
        60.0, ge=0, description="A window waits so long, in event time, for events that are late."
    )
    idle_after_s: Positive = Field(
        30.0, description="A partition that brings nothing for so long keeps no window open."
    )
    retention_s: float = Field(
        604_800.0,
        gt=0,
        le=MAX_TIME_DIFFERENCE_S,
        description="For so long, in event time, a closed window is revised by late events.",
    )
    min_rows: PositiveInt = Field(30, description="Windows with fewer predictions raise no alert.")
    max_windows: PositiveInt = Field(
        1_024, description="A transaction that has touched so many windows ends."
    )
    reference_wait_s: float = Field(
        600.0,
        ge=0,
        description="For so long the aggregator waits for a reference that partials name and "
        "`model.repository` does not have; then they become dead letters.",
    )
    partials_topic: str = Field("", description="Default: `<input>.drift.partials`.")
    windows_topic: str = Field("", description="Default: `<input>.drift.windows`.")
    alerts_topic: str = Field("", description="Default: `<input>.drift.alerts`.")
    changelog_topic: str = Field(
        "", description="State of the aggregator. Default: `<input>.drift.changelog`."
    )
    group: str = Field("", description="Of aggregators. Default: `<kafka.group>.drift`.")
    http_port: Port | None = Field(
        None,
        description="Port of the aggregator's operations; 0 takes a free one. Default: `http.port` "
        "+ 1.",
    )

    @field_validator("window_s")
    @classmethod
    def _fits_days(cls, seconds: int) -> int:
        if seconds % _DAY_S and _DAY_S % seconds:
            message = "does not divide a day of 86400 s and is no number of days; e.g. 300 or 3600"
            raise ValueError(message)
        return seconds
