"""All settings: names, defaults, meaning, and what is refused before anything is connected.

A setting comes, in this order of precedence, from ``--set section.name=value``, from the
environment (``STREAM_APP_SECTION__NAME``), from the TOML file given with ``--config``, from the
default here. Secrets may also be given as files (``*_file``), which are read again whenever a
client is made, so that a rotated one is taken up.

The table in docs/settings.md is made from this module by ``stream-app settings``.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from stream_app.errors import ConfigError
from stream_app.settings_drift import DriftSettings
from stream_app.settings_kafka import AUTO_INSTANCE_ID, KafkaSettings
from stream_app.settings_monitor import MonitorSettings
from stream_app.settings_rules import contradictions
from stream_app.settings_sections import (
    BatchSettings,
    DeadLetterSettings,
    Delivery,
    Framing,
    HttpSettings,
    InputSettings,
    LogSettings,
    ModelSettings,
    OutputSettings,
    RegistrySettings,
    StartAt,
    StartSettings,
    WorkerSettings,
)

__all__ = [
    "AUTO_INSTANCE_ID",
    "ENV_PREFIX",
    "Settings",
    "load_settings",
    "BatchSettings",
    "DeadLetterSettings",
    "Delivery",
    "Framing",
    "HttpSettings",
    "InputSettings",
    "KafkaSettings",
    "LogSettings",
    "ModelSettings",
    "OutputSettings",
    "RegistrySettings",
    "StartAt",
    "StartSettings",
    "WorkerSettings",
]

ENV_PREFIX = "STREAM_APP_"
AGGREGATOR_PORT_STEP, MONITOR_PORT_STEP = 1, 2
"""So that a scorer, an aggregator and a monitor of one file live on one machine."""

_PROPERTIES = "kafka.properties."


class Settings(BaseSettings):
    """All settings; construct with :func:`load_settings`, which explains what is wrong."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,  # it may be a secret, and a traceback shows the error's text
    )

    delivery: Delivery = Field(
        Delivery.EXACTLY_ONCE,
        description="`exactly_once`, or `at_least_once` without transactions.",
    )
    kafka: KafkaSettings = KafkaSettings()
    input: InputSettings = InputSettings()
    output: OutputSettings = OutputSettings()
    registry: RegistrySettings = RegistrySettings()
    model: ModelSettings = ModelSettings()
    batch: BatchSettings = BatchSettings()
    start: StartSettings = StartSettings()
    dead_letters: DeadLetterSettings = DeadLetterSettings()
    drift: DriftSettings = DriftSettings()
    monitor: MonitorSettings = MonitorSettings()
    http: HttpSettings = HttpSettings()
    worker: WorkerSettings = WorkerSettings()
    log: LogSettings = LogSettings()

    @property
    def predictions_topic(self) -> str:
        """The topic of predictions, by setting or by convention."""
        return self.output.predictions_topic or f"{self.input.topic}.predictions"

    @property
    def dlq_topic(self) -> str:
        """The topic of dead letters, by setting or by convention."""
        return self.output.dlq_topic or f"{self.input.topic}.dlq"

    @property
    def partials_topic(self) -> str:
        """The topic of drift partials, by setting or by convention."""
        return self.drift.partials_topic or f"{self.input.topic}.drift.partials"

    @property
    def partials_dlq_topic(self) -> str:
        """The topic of partials that cannot be read."""
        return f"{self.partials_topic}.dlq"

    @property
    def windows_topic(self) -> str:
        """The topic of drift windows, by setting or by convention."""
        return self.drift.windows_topic or f"{self.input.topic}.drift.windows"

    @property
    def alerts_topic(self) -> str:
        """The topic of drift alerts, by setting or by convention."""
        return self.drift.alerts_topic or f"{self.input.topic}.drift.alerts"

    @property
    def changelog_topic(self) -> str:
        """The topic of the drift aggregator's state, by setting or by convention."""
        return self.drift.changelog_topic or f"{self.input.topic}.drift.changelog"

    @property
    def drift_group(self) -> str:
        """The consumer group of drift aggregators, by setting or by convention."""
        return self.drift.group or f"{self.kafka.group}.drift"

    @property
    def aggregator_port(self) -> int:
        """The drift aggregator's port, by setting or beside the scorer's; 0: any free one."""
        return self._port_beside(self.drift.http_port, AGGREGATOR_PORT_STEP)

    @property
    def monitor_group(self) -> str:
        """The consumer group of the drift monitor, by setting or by convention."""
        return self.monitor.group or f"{self.kafka.group}.monitor"

    @property
    def monitor_topic(self) -> str:
        """The topic of the drift monitor's state, by setting or by convention."""
        return self.monitor.changelog_topic or f"{self.input.topic}.drift.monitor"

    @property
    def monitor_port(self) -> int:
        """The drift monitor's port, by setting or beside the scorer's; 0: any free one."""
        return self._port_beside(self.monitor.http_port, MONITOR_PORT_STEP)

    def _port_beside(self, given: int | None, step: int) -> int:
        if given is not None:
            return given
        return self.http.port + step if self.http.port else 0

    @property
    def output_framing(self) -> Framing:
        """The framing of predictions."""
        return self.output.framing or self.input.framing

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        faults = contradictions(self)
        if faults:
            raise ValueError("\n".join(faults))
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources; the file's content arrives among the initial values."""
        del dotenv_settings, file_secret_settings
        given = init_settings() if isinstance(init_settings, InitSettingsSource) else {}
        return (
            InitSettingsSource(settings_cls, given.get("overrides", {})),
            env_settings,
            InitSettingsSource(settings_cls, given.get("file", {})),
        )


def load_settings(path: Path | None = None, overrides: Mapping[str, str] | None = None) -> Settings:
    """Read all sources.

    Args:
        path: TOML file, or none.
        overrides: By dotted name (``kafka.group``), as given with ``--set``.

    Raises:
        ConfigError: every fault found, one a line, each naming its setting.
    """
    _refuse_unknown_variables()
    try:
        # The two keywords are taken apart again in settings_customise_sources.
        return Settings(file=_read_file(path), overrides=_nest(overrides or {}))  # type: ignore[call-arg]  # sources, not fields
    except ValidationError as exc:
        raise ConfigError("\n".join(_explain(exc))) from exc
    except (SettingsError, RecursionError) as exc:
        # Its text names the section and the kind of source, and shows no value.
        raise ConfigError(
            f"{exc}; as a variable, a list or a table is JSON: "
            f"""{ENV_PREFIX}REGISTRY__SUBJECTS='["loans-value"]'"""
        ) from exc


def _refuse_unknown_variables() -> None:
    """Refuse a section that does not exist; the library passes over its variables."""
    unknown = [
        f"{name}: no such setting; `stream-app settings` lists them all"
        for name in sorted(os.environ)
        if name.upper().startswith(ENV_PREFIX) and "__" in name
        if name[len(ENV_PREFIX) :].lower().partition("__")[0] not in _sections()
    ]
    if unknown:
        raise ConfigError("\n".join(unknown))


def _sections() -> frozenset[str]:
    return frozenset(
        name
        for name, declared in Settings.model_fields.items()
        if isinstance(declared.default, BaseModel)
    )


def _read_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(
            f"--config {path}: cannot be read ({exc.strerror}); give the path of a TOML file"
        ) from exc
    except (ValueError, RecursionError) as exc:  # also of numbers, and of tables, without end
        raise ConfigError(f"--config {path}: not valid TOML: {exc}") from exc


def _nest(overrides: Mapping[str, str]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for dotted, value in overrides.items():
        # A client's property has dots of its own.
        depth = 2 if dotted.startswith(_PROPERTIES) else -1
        *sections, name = dotted.split(".", depth)
        target = nested
        for section in sections:
            target = target.setdefault(section, {})
            if not isinstance(target, dict):
                raise ConfigError(f"{dotted}: {section} is given a value of its own too; remove it")
        if isinstance(target.get(name), dict):
            raise ConfigError(f"{dotted}: a section, whose settings are given too; remove it")
        target[name] = value
    return nested


def _explain(exc: ValidationError) -> list[str]:
    lines = []
    for error in exc.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in error["loc"])
        if error["type"] == "extra_forbidden":
            lines.append(f"{where}: no such setting; `stream-app settings` lists them all")
        else:
            text = error["msg"].removeprefix("Value error, ")
            lines.extend(f"{where}: {text}" if where else part for part in text.split("\n"))
    return lines
