"""The settings that the demo's workers run with, as the TOML file that a person could write.

Decides the values that make a trial short and clean. Everything the workers are told is in this
file, so that ``--keep`` leaves something that can be run again.
"""

import json
import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from stream_app.demo.options import DemoOptions, KafkaKind
from stream_app.resources import example_dir, schema_path
from stream_app.settings import ENV_PREFIX

EXAMPLE = "car_loan"
STOP_WITHIN_S = 10.0

WINDOW_S = 7 * 86_400
"""Of event time."""

_SESSION_S = 6.0
"""How long a killed worker's partitions wait for another owner."""

_CLUSTER_VARIABLES = ("KAFKA__SECURITY", "KAFKA__SSL", "KAFKA__SASL", "KAFKA__PROPERTIES")

Section = Mapping[str, str | float | bool]


def write_settings(options: DemoOptions, bootstrap_servers: str, name: str, folder: Path) -> Path:
    """Write ``stream-app.toml`` and the schemas beside it; say where it is.

    Args:
        options: Of this run.
        bootstrap_servers: Of the cluster, which is up.
        name: Of the input topic and of the group.
        folder: Of this run.
    """
    schemas = folder / "schemas"
    schemas.mkdir()
    for schema in ("event", "prediction"):
        (schemas / f"{schema}.avsc").write_bytes(schema_path(schema).read_bytes())
    path = folder / "stream-app.toml"
    path.write_text(_toml(_sections(options, bootstrap_servers, name, folder)), encoding="utf-8")
    return path


def leave_out_environment(
    options: DemoOptions, environ: MutableMapping[str, str] = os.environ
) -> list[str]:
    """Remove settings of another job from the environment, which would win over the file.

    How to log in to a cluster of one's own stays.

    Returns:
        The names removed.
    """
    removed = [name for name in environ if _is_setting(name) and not _logs_in(name, options)]
    for name in removed:
        del environ[name]
    return sorted(removed)


def _is_setting(name: str) -> bool:
    own = name.upper().removeprefix(ENV_PREFIX)
    return name.upper().startswith(ENV_PREFIX) and ("__" in own or own == "DELIVERY")


def _logs_in(name: str, options: DemoOptions) -> bool:
    own = name.upper().removeprefix(ENV_PREFIX)
    return options.kafka is KafkaKind.OWN and own.startswith(_CLUSTER_VARIABLES)


def _sections(
    options: DemoOptions, bootstrap_servers: str, name: str, folder: Path
) -> dict[str, Section]:
    kafka: dict[str, str | float | bool] = {"bootstrap_servers": bootstrap_servers, "group": name}
    properties: dict[str, str] = {}
    if options.kafka is KafkaKind.MOCK:
        # The mock makes members of the classic protocol wait three seconds for each other, and
        # answers a fetch when its wait is over, even if records came before.
        kafka["group_protocol"] = "consumer"
        properties["fetch.wait.max.ms"] = "5"
    else:
        kafka["session_timeout_s"] = _SESSION_S
    return {
        "": {"delivery": options.delivery.value},
        "kafka": kafka,
        "kafka.properties": properties,
        "input": {
            "topic": name,
            "framing": "single-object",
            "schema_dir": str(folder / "schemas"),
        },
        # Nobody publishes the missing schema of an event broken on purpose.
        "registry": {"unknown_retry_s": 0},
        "model": {"repository": str(example_dir(EXAMPLE) / "models"), "name": EXAMPLE},
        "start": {"new_group": "earliest", "wait_s": 30},
        # The example has an event every nine minutes: a thousand of them to a window.
        "drift": {"counting": "on", "window_s": WINDOW_S, "idle_after_s": 1.0},
        "http": {"enabled": False},
        "worker": {"state_dir": str(folder / "slots"), "grace_period_s": STOP_WITHIN_S},
        "log": {"format": "json"},
    }


def _toml(sections: Mapping[str, Section]) -> str:
    lines = []
    for name, values in sections.items():
        if name and values:
            lines.append(f"\n[{name}]")
        for key, value in values.items():
            shown = json.dumps(key) if "." in key else key
            # A JSON string, number or boolean is one of TOML too.
            lines.append(f"{shown} = {json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"
