"""The preflight: everything that would keep the scorer from working, found at once.

Decides what is looked at and in which words it is told. Every check runs whatever the others
found; one that cannot be made because of another's fault says so by saying nothing. ``score``
makes the same checks before it joins.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from stream_app.adapters.avro.parts import output_schema_faults, writer_schemas
from stream_app.adapters.drift.parts import reference_of
from stream_app.adapters.kafka.access_check import access_faults
from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.kafka.client_check import require_accepted
from stream_app.adapters.kafka.clients import why_not_native
from stream_app.adapters.kafka.config import require_librdkafka
from stream_app.adapters.model.contract_file import load_contract
from stream_app.adapters.model.onnx_model import OnnxModel, load_model
from stream_app.adapters.model.repository import ModelRepository, resolve_version
from stream_app.adapters.process.clock import SystemClock
from stream_app.core.avro.gates import Rejection
from stream_app.core.avro.resolve import resolve
from stream_app.core.avro.schema import Schema
from stream_app.core.contract import Contract
from stream_app.core.cost_curve import warm_up_sizes
from stream_app.core.faults import Fault
from stream_app.errors import (
    ConfigError,
    ExitStatus,
    RetriableError,
    StreamAppError,
    UnavailableError,
)
from stream_app.findings import Finding, size_findings, topic_findings
from stream_app.settings import Framing, Settings
from stream_app.settings_rules import missing_for_scoring


@dataclass(slots=True)
class Preflight:
    """All findings, and the model if it could be loaded, so that nobody loads it twice.

    Attributes:
        settings: What is checked.
        findings: So far.
        model: Ready to score.
        model_load_s: How long its loading and warm-up took, without the other checks.
    """

    settings: Settings
    findings: list[Finding] = field(default_factory=list)
    model: OnnxModel | None = None
    model_load_s: float = 0.0
    _contract: Contract | None = None
    _writer_schemas: list[tuple[str, Schema | Rejection]] | None = None
    _partition_counts: dict[str, int] | None = None
    _counts_drift: bool = False

    @property
    def faults(self) -> list[Finding]:
        """What is not as it should be."""
        return [finding for finding in self.findings if not finding.ok]

    @property
    def status(self) -> ExitStatus:
        """``CONFIG`` if anything must be changed; ``UNAVAILABLE`` if waiting may be enough."""
        statuses = {finding.status for finding in self.faults}
        if not statuses:
            return ExitStatus.OK
        return ExitStatus.CONFIG if ExitStatus.CONFIG in statuses else ExitStatus.UNAVAILABLE

    def run(self) -> "Preflight":
        """Make every check."""
        self._check("settings", self._settings)
        self._check("client library", self._library)
        self._check("model", self._model)
        self._check("schemas", self._known_schemas)
        self._check("contract", self._schemas)
        self._check("prediction schema", self._output_schema)
        self._check("brokers", self._brokers)
        self._check("topics", self._topics)
        self._check("access", self._access)
        return self

    def raise_config_faults(self) -> None:
        """Stop for what waiting cannot mend.

        Raises:
            ConfigError: every such fault, one a line.
        """
        lines = [f"{f.check}: {f.text}" for f in self.faults if f.status is ExitStatus.CONFIG]
        if lines:
            raise ConfigError("\n".join(lines))

    def _check(self, name: str, answers: Callable[[], Iterator[Finding]]) -> None:
        try:
            self.findings.extend(answers())
        except RetriableError as exc:
            self._fail(name, str(exc), ExitStatus.UNAVAILABLE)
        except StreamAppError as exc:
            # A check may find several faults, one a line.
            for line in str(exc).split("\n"):
                self._fail(name, line, exc.exit_status)

    def _fail(self, name: str, text: str, status: ExitStatus) -> None:
        self.findings.append(Finding(name, ok=False, text=text, status=status))

    def _settings(self) -> Iterator[Finding]:
        missing = missing_for_scoring(self.settings)
        if missing:
            raise ConfigError("\n".join(missing))
        yield Finding("settings", ok=True, text="complete")

    def _library(self) -> Iterator[Finding]:
        version = require_librdkafka()
        if self.settings.kafka.bootstrap_servers:
            require_accepted(self.settings)
        yield Finding("client library", ok=True, text=f"librdkafka {version}")
        if self.settings.kafka.client == "native":
            fault = why_not_native(self.settings)
            text = (
                "called directly: kafka.client = native passed its self-test"
                if fault is None
                else f"warning: kafka.client = native is not to be had here, so public is used: "
                f"{fault}"
            )
            yield Finding("client library", ok=True, text=text)

    def _model(self) -> Iterator[Finding]:
        settings = self.settings.model
        if not settings.name:
            return
        version = resolve_version(settings.repository, settings.name, settings.version)
        folder = Path(settings.repository) / settings.name / version
        # By itself, so that a model with a flipped bit does not hide a contract's faults.
        self._contract = load_contract(folder / "contract.toml")
        files = ModelRepository(settings.repository).open(settings.name, version)
        clock = SystemClock()
        started_s = clock.now_s()
        batch = self.settings.batch
        sizes = warm_up_sizes(batch.max_records, batch.buckets)
        self.model = load_model(files, settings, sizes, batch.buckets)
        self.model_load_s = clock.now_s() - started_s
        yield Finding(
            "model",
            ok=True,
            text=f"{settings.name} {version} ({self.model.content_hash}) on "
            f"{self.model.execution_provider}; golden vectors as recorded",
        )
        for warning in self.model.warnings:
            yield Finding("model", ok=True, text=f"warning: {warning}")
        stored = reference_of(self.settings, files)
        self._counts_drift = stored is not None
        if stored is not None:
            text = f"counted with reference {stored.id}, {stored.reference.rows} rows"
            yield Finding("drift", ok=True, text=text)

    def _known_schemas(self) -> Iterator[Finding]:
        # By itself, so that a registry that is away is told once, whatever the model is like.
        settings = self.settings
        if settings.input.framing is Framing.CONFLUENT and settings.registry.url:
            self._writer_schemas = list(writer_schemas(settings))
            yield Finding("schemas", ok=True, text="the registry answers")
        elif settings.input.framing is Framing.SINGLE_OBJECT and settings.input.schema_dir:
            self._writer_schemas = list(writer_schemas(settings))
            yield Finding("schemas", ok=True, text=f"in {settings.input.schema_dir}")

    def _schemas(self) -> Iterator[Finding]:
        if self._contract is None or self._writer_schemas is None:
            return
        problems = []
        for name, schema in self._writer_schemas:
            plan = schema if isinstance(schema, Rejection) else resolve(self._contract, schema)
            if isinstance(plan, Rejection):
                problems.append((plan.fault, f"{name}: {plan.fault.name}: {plan.detail}"))
            else:
                yield Finding("contract", ok=True, text=f"reads {name}")
                return
        # A folder may hold schemas of other records; they matter where there is nothing else.
        own = [text for fault, text in problems if fault is not Fault.SCHEMA_NOT_ALLOWED]
        if problems:
            raise ConfigError("\n".join(own or [text for _, text in problems]))
        yield Finding("contract", ok=True, text="no event schema is known yet to compare with")

    def _output_schema(self) -> Iterator[Finding]:
        if self._contract is None:
            return
        try:
            faults = output_schema_faults(self.settings, self._contract)
        except UnavailableError:
            if any(fault.check == "schemas" for fault in self.faults):
                return
            raise
        if faults:
            raise ConfigError("\n".join(faults))
        yield Finding("prediction schema", ok=True, text="fits the contract")

    def _brokers(self) -> Iterator[Finding]:
        kafka = self.settings.kafka
        refused = any(fault.check == "client library" for fault in self.faults)
        if refused or not kafka.bootstrap_servers:
            return
        self._partition_counts = KafkaAdmin(kafka).partition_counts()
        yield Finding("brokers", ok=True, text=f"answer at {kafka.bootstrap_servers}")

    def _topics(self) -> Iterator[Finding]:
        settings, found = self.settings, self._partition_counts
        if found is None or not settings.input.topic:
            return
        outputs = [settings.predictions_topic, settings.dlq_topic]
        partials = [settings.partials_topic] if self._counts_drift else []
        wanted = [settings.input.topic, *outputs, *partials]
        self.findings += topic_findings(settings, found, wanted)
        yield from self._same_counts(found, outputs)
        there = [topic for topic in (*outputs, *partials) if topic in found]
        self.findings += size_findings(settings, there)

    def _same_counts(self, found: dict[str, int], outputs: list[str]) -> Iterator[Finding]:
        source = found.get(self.settings.input.topic)
        for topic in outputs:
            if source is not None and topic in found and found[topic] != source:
                yield Finding(
                    "topics",
                    ok=True,
                    text=f"warning: {topic} has {found[topic]} partitions, the input {source}: "
                    "outcomes go by key, and a partition's order is not kept",
                )

    def _access(self) -> Iterator[Finding]:
        settings = self.settings
        if self._partition_counts is None or not settings.input.topic:
            return
        if any(f.check in {"topics", "access"} and not f.ok for f in self.findings):
            return
        if not KafkaAdmin(settings.kafka).has_controller():
            yield Finding("access", ok=True, text="not checked (the cluster has no controller)")
            return
        outputs = [settings.predictions_topic, settings.dlq_topic]
        partials = [settings.partials_topic] if self._counts_drift else []
        faults = access_faults(settings, [*outputs, *partials])
        if faults:
            raise ConfigError("\n".join(faults))
        yield Finding("access", ok=True, text="reads, writes and transactions are allowed")


def check(settings: Settings) -> Preflight:
    """Make every check of these settings."""
    return Preflight(settings).run()
