"""The section ``monitor`` of the settings: what is watched, and who is told.

Decides what there is to set, as ``settings_sections.py`` does for the others.
"""

from pathlib import Path
from typing import Final, Literal

from pydantic import Field, SecretStr

from stream_app.settings_values import Port, Positive, Section

LEAST_KEPT: Final = 32


class MonitorSettings(Section):
    """Alerts of drift."""

    group: str = Field("", description="Consumer group. Default: `<kafka.group>.monitor`.")
    changelog_topic: str = Field(
        "", description="State of the monitor. Default: `<input>.drift.monitor`."
    )
    keep_windows: int = Field(
        288,
        ge=LEAST_KEPT,
        le=100_000,
        description="Windows of a stream that late revisions may change alerts by; of those before "
        "only what judging needs is remembered. 288 of 5 minutes are a day.",
    )
    roll_ups: bool = Field(
        True, description="Judge hours and days too, each as a series of its own."
    )
    webhook_url: SecretStr | None = Field(
        None,
        description="Where alerts are posted as JSON, at least once. A secret: many hold a token.",
    )
    webhook_token_file: Path | None = Field(
        None, description="File that holds a bearer token for the webhook; read at each attempt."
    )
    webhook_level: Literal["warn", "alert", "critical"] = Field(
        "alert", description="Least level that is posted; the log has all."
    )
    webhook_timeout_s: Positive = Field(10.0, description="Longest wait for an answer.")
    http_port: Port | None = Field(
        None,
        description="Port of the monitor's operations and of `/drift`; 0 takes a free one. "
        "Default: `http.port` + 2.",
    )
