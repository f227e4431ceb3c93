"""References in the model repository, for the aggregator: those of all versions that it meets.

Decides that a version is looked for again and again, since the scorers of a rollout may have it
before this machine has. A reference is small and never changes under its id, so each is read once.
"""

from pathlib import Path

from stream_app.adapters.drift.reference_file import REFERENCE_FILE, read_reference
from stream_app.adapters.model.repository import check_name
from stream_app.core.drift.layout import Layout
from stream_app.core.drift.partial import Stream
from stream_app.errors import ConfigError, RetriableError


class RepositoryReferences:
    """See :class:`~stream_app.ports_drift.References`."""

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        self._layouts: dict[str, Layout] = {}

    def of(self, stream: Stream) -> Layout:
        """See the port."""
        if stream.reference_id not in self._layouts:
            self._layouts[stream.reference_id] = self._read(stream)
        return self._layouts[stream.reference_id]

    def _read(self, stream: Stream) -> Layout:
        wanted = f"partials of {stream.model_name} {stream.model_version} need reference "
        wanted += stream.reference_id
        try:
            for part in (stream.model_name, stream.model_version):
                check_name("a partial's model", part)
            folder = self._repository / stream.model_name / stream.model_version
            stored = read_reference(folder / REFERENCE_FILE)
        except ConfigError as exc:
            raise RetriableError(f"{wanted}: {exc}") from exc
        if stored.id != stream.reference_id:
            raise RetriableError(
                f"{wanted}, {folder} has {stored.id}: bring the one back with which scorers "
                "count, or restart them so that they count with this one"
            )
        return Layout(stored.reference)
