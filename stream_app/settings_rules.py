"""Settings that are each possible but do not go together: refused before connecting.

Decides the combinations; knows nothing of files and environment. Each fault names its settings
and the way out.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from stream_app.errors import ConfigError
from stream_app.settings_security import registry_faults, security_faults, webhook_faults

if TYPE_CHECKING:
    from stream_app.settings import Settings

MAX_TRANSACTION_TIMEOUT_S = 900.0
"""The broker's default ``transaction.max.timeout.ms``."""


GREATEST_PORT = 65_535

_LEAST_TARGET_S = 0.01
"""A commit was measured at 1 to 5 ms, and a record waits for up to one before its own."""


def contradictions(settings: "Settings") -> list[str]:
    """What single values cannot show: settings that do not go together."""
    kafka, batch = settings.kafka, settings.batch
    faults = _topic_collisions(settings)
    if kafka.transaction_timeout_s > MAX_TRANSACTION_TIMEOUT_S:
        faults.append(
            f"kafka.transaction_timeout_s is {kafka.transaction_timeout_s:g}; brokers accept at "
            f"most {MAX_TRANSACTION_TIMEOUT_S:g} (transaction.max.timeout.ms)"
        )
    if kafka.request_timeout_s > kafka.transaction_timeout_s:
        faults.append(
            f"kafka.request_timeout_s ({kafka.request_timeout_s:g}) must be at most "
            f"kafka.transaction_timeout_s ({kafka.transaction_timeout_s:g})"
        )
    if kafka.max_poll_interval_s < kafka.session_timeout_s:
        faults.append(
            f"kafka.max_poll_interval_s ({kafka.max_poll_interval_s:g}) must be at least "
            f"kafka.session_timeout_s ({kafka.session_timeout_s:g})"
        )
    if batch.transaction_time_s > 0.2 * kafka.max_poll_interval_s:
        faults.append(
            f"batch.transaction_time_s ({batch.transaction_time_s:g}) must be at most a fifth of "
            f"kafka.max_poll_interval_s ({kafka.max_poll_interval_s:g})"
        )
    if batch.transaction_time_s > 0.5 * kafka.transaction_timeout_s:
        faults.append(
            f"batch.transaction_time_s ({batch.transaction_time_s:g}) must be at most half of "
            f"kafka.transaction_timeout_s ({kafka.transaction_timeout_s:g})"
        )
    if batch.latency_target_s and batch.latency_target_s < _LEAST_TARGET_S:
        faults.append(
            f"batch.latency_target_s ({batch.latency_target_s:g}) is shorter than a commit takes; "
            f"set at least {_LEAST_TARGET_S:g}, or 0 for no target"
        )
    if batch.buckets and max(batch.buckets) > batch.max_records:
        faults.append(
            f"batch.buckets: the greatest, {max(batch.buckets)}, is more than batch.max_records "
            f"({batch.max_records}); raise the one or leave the other out"
        )
    drift = settings.drift
    if drift.retention_s < drift.allowed_lateness_s:
        faults.append(
            f"drift.retention_s ({drift.retention_s:g}) must be at least drift.allowed_lateness_s "
            f"({drift.allowed_lateness_s:g}): a window's counts are kept until it is closed"
        )
    faults += _role_faults(settings)
    faults += [*security_faults(kafka), *registry_faults(settings.registry)]
    faults += webhook_faults(settings.monitor)
    if kafka.group_instance_id and kafka.group_protocol == "consumer":
        faults.append(
            "kafka.group_instance_id cannot go with kafka.group_protocol = consumer: a killed "
            "member's restart would be refused until its session expires; leave it empty"
        )
    for name, path in (
        ("input.schema_dir", settings.input.schema_dir),
        ("output.prediction_schema", settings.output.prediction_schema),
        ("kafka.ssl_ca_file", kafka.ssl_ca_file),
        ("kafka.ssl_certificate_file", kafka.ssl_certificate_file),
        ("kafka.ssl_key_file", kafka.ssl_key_file),
        ("kafka.sasl_password_file", kafka.sasl_password_file),
        ("kafka.oauth_client_secret_file", kafka.oauth_client_secret_file),
        ("kafka.oauth_ca_file", kafka.oauth_ca_file),
        ("registry.password_file", settings.registry.password_file),
        ("registry.ssl_ca_file", settings.registry.ssl_ca_file),
        ("monitor.webhook_token_file", settings.monitor.webhook_token_file),
    ):
        problem = None if path is None else _unreachable(path)
        if problem:
            faults.append(f"{name}: {path} {problem}")
    return faults


def _role_faults(settings: "Settings") -> list[str]:
    """Scorers, aggregators and the monitor of one file must not get into each other's way."""
    faults = []
    if settings.drift_group == settings.kafka.group:
        faults.append(
            f"drift.group and kafka.group are both {settings.drift_group!r}; scorers and "
            "aggregators read other topics, give them different groups"
        )
    if settings.monitor_group in {settings.kafka.group, settings.drift_group}:
        faults.append(
            f"monitor.group is {settings.monitor_group!r}, as kafka.group or drift.group; "
            "scorers, aggregators and the monitor read other topics, give them different groups"
        )
    ports = {
        "drift.http_port": settings.aggregator_port,
        "monitor.http_port": settings.monitor_port,
    }
    faults += [
        f"{name} would be {port}, beside http.port; set it to a free port"
        for name, port in ports.items()
        if port > GREATEST_PORT
    ]
    return faults


def _unreachable(path: Path) -> str | None:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return "does not exist"
    except OSError as exc:  # a name too long, a folder that we may not enter
        return f"cannot be found ({exc.strerror}); correct it"
    return None


def missing_for_scoring(settings: "Settings") -> list[str]:
    """What a scorer cannot be without, though a tool can."""
    wanted = {
        "kafka.bootstrap_servers": settings.kafka.bootstrap_servers,
        "input.topic": settings.input.topic,
        "model.name": settings.model.name,
    }
    if settings.input.framing == "single-object":
        wanted["input.schema_dir"] = str(settings.input.schema_dir or "")
    if "confluent" in {settings.input.framing, settings.output_framing}:
        wanted["registry.url"] = settings.registry.url
    return _missing(wanted)


def missing_for_aggregating(settings: "Settings") -> list[str]:
    """What a drift aggregator cannot be without."""
    wanted = {
        "kafka.bootstrap_servers": settings.kafka.bootstrap_servers,
        "input.topic": settings.input.topic,
    }
    return _missing(wanted)


def _missing(wanted: Mapping[str, str]) -> list[str]:
    return [
        f"{name} is not set; give it in the file, with --set {name}=..., or as "
        f"STREAM_APP_{name.replace('.', '__').upper()}"
        for name, value in wanted.items()
        if not value
    ]


def require_for_scoring(settings: "Settings") -> None:
    """Refuse settings with which a scorer cannot work.

    Raises:
        ConfigError: every setting that is missing, one a line.
    """
    missing = missing_for_scoring(settings)
    if missing:
        raise ConfigError("\n".join(missing))


def _topic_collisions(settings: "Settings") -> list[str]:
    if not settings.input.topic:
        return []
    topics = {
        "input.topic": settings.input.topic,
        "output.predictions_topic": settings.predictions_topic,
        "output.dlq_topic": settings.dlq_topic,
        "drift.partials_topic": settings.partials_topic,
        "drift.partials_topic (its dead letters)": settings.partials_dlq_topic,
        "drift.windows_topic": settings.windows_topic,
        "drift.alerts_topic": settings.alerts_topic,
        "drift.changelog_topic": settings.changelog_topic,
        "monitor.changelog_topic": settings.monitor_topic,
    }
    names = list(topics)
    return [
        f"{first} and {second} are both {topics[first]!r}; give them different names"
        for position, first in enumerate(names)
        for second in names[position + 1 :]
        if topics[first] == topics[second]
    ]
