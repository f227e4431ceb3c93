"""The preflight of the drift aggregator: everything that would keep it from working, at once.

Decides what is looked at, as ``preflight.py`` does for the scorer, with whose checks it shares
what both need.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from stream_app.adapters.drift.reference_file import REFERENCE_FILE, read_reference
from stream_app.adapters.kafka.access_check import access_faults
from stream_app.adapters.kafka.admin import KafkaAdmin
from stream_app.adapters.model.repository import resolve_version
from stream_app.errors import ConfigError, ExitStatus
from stream_app.findings import Finding, size_findings, topic_findings
from stream_app.preflight import Preflight
from stream_app.settings_rules import missing_for_aggregating


@dataclass(slots=True)
class DriftPreflight(Preflight):
    """Of settings whose input are partials; see :class:`~stream_app.preflight.Preflight`."""

    def run(self) -> "DriftPreflight":
        """Make every check."""
        self._check("settings", self._settings)
        self._check("client library", self._library)
        self._check("reference", self._reference)
        self._check("brokers", self._brokers)
        self._check("topics", self._topics)
        self._check("access", self._access)
        return self

    @property
    def partition_counts(self) -> dict[str, int]:
        """Of all topics; empty if no broker answered."""
        return self._partition_counts or {}

    def _settings(self) -> Iterator[Finding]:
        missing = missing_for_aggregating(self.settings)
        if missing:
            raise ConfigError("\n".join(missing))
        yield Finding("settings", ok=True, text="complete")

    def _reference(self) -> Iterator[Finding]:
        """That of the model in the settings; partials may name others, which are looked for then.

        One that is not there is no fault: it may come with the version's rollout.
        """
        model = self.settings.model
        if not model.repository.is_dir():
            raise ConfigError(
                f"model.repository {model.repository} is not there; the references of the models "
                "are read from it"
            )
        if not model.name:
            return
        version = resolve_version(model.repository, model.name, model.version)
        path = model.repository / model.name / version / REFERENCE_FILE
        if not path.exists():
            text = f"warning: {model.name} {version} has none; its scorers count no drift"
            yield Finding("reference", ok=True, text=text)
            return
        stored = read_reference(path)
        text = f"{model.name} {version}: {stored.id}, {stored.reference.rows} rows"
        yield Finding("reference", ok=True, text=text)

    def _topics(self) -> Iterator[Finding]:
        settings, found = self.settings, self._partition_counts
        if found is None or not settings.input.topic:
            return
        outputs = [settings.windows_topic, settings.changelog_topic, settings.dlq_topic]
        wanted = [settings.partials_topic, *outputs]
        self.findings += topic_findings(settings, found, wanted)
        partials, changelog = (found.get(topic) for topic in (wanted[0], settings.changelog_topic))
        if partials is not None and changelog is not None and partials != changelog:
            self._fail(
                "topics",
                f"{settings.partials_topic} has {partials} partitions, "
                f"{settings.changelog_topic} {changelog}: the state of each partition of the one "
                "is kept in the same partition of the other; give them the same number",
                ExitStatus.CONFIG,
            )
        there = [topic for topic in outputs if topic in found]
        yield from size_findings(settings, there)

    def _access(self) -> Iterator[Finding]:
        settings = self.settings
        if self._partition_counts is None or not settings.input.topic:
            return
        if any(f.check in {"topics", "access"} and not f.ok for f in self.findings):
            return
        if not KafkaAdmin(settings.kafka).has_controller():
            yield Finding("access", ok=True, text="not checked (the cluster has no controller)")
            return
        faults = access_faults(
            settings,
            [settings.windows_topic, settings.dlq_topic],
            kept_in=settings.changelog_topic,
        )
        if faults:
            raise ConfigError("\n".join(faults))
        yield Finding("access", ok=True, text="reads, writes and transactions are allowed")
