"""What the verifier asks of a cluster and when, on a cluster made by hand: nothing waits."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from stream_app.adapters.verifier import reader
from stream_app.adapters.verifier.kafka import Ends
from stream_app.settings import load_settings
from stream_app.verify import Report
from tests.verify_kit import found


@dataclass
class Cluster:
    """One partition of each topic, all empty; and the clock.

    Attributes:
        begin: Of the input.
        committed_offset: Of the group; ``None`` where it has none.
        open_until_s: An output's transaction is open so long.
        now_s: The time.
    """

    begin: int = 0
    committed_offset: int | None = 0
    open_until_s: float = 0.0
    now_s: float = 0.0
    patience_s: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def partitions(self, _topic: str) -> list[int]:
        return [0]

    def has_topic(self, topic: str) -> bool:
        return topic == "loans"

    def ends(self, topic: str, _partitions: Iterable[int]) -> dict[int, Ends]:
        if topic == "loans":
            return {0: Ends(self.begin, self.begin, self.begin)}
        return {0: Ends(0, 0 if self.now_s < self.open_until_s else 4, 4)}

    def readable_end(self, ends: Ends) -> int:
        return ends.stable

    def committed(self, _topic: str, _asked: Any, patience_s: float) -> dict[int, int | None]:
        self.patience_s.append(patience_s)
        return {0: self.committed_offset}

    def read(self, *_: Any) -> None:
        """Nothing is there."""

    def members(self) -> int:
        return 0

    def close(self) -> None:
        """Nothing to close."""


def verdict(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, **more: str) -> Report:
    told = {"input.topic": "loans", "kafka.bootstrap_servers": "x:1"}
    overrides = told | {name.replace("__", "."): value for name, value in more.items()}
    monkeypatch.setattr(reader, "VerifyKafka", lambda *_, **__: cluster)
    monkeypatch.setattr(reader, "time", cluster)
    return reader.verify(load_settings(overrides=overrides))


@pytest.mark.parametrize("timeout_s", [10, 40])
def test_what_the_broker_will_end_by_itself_is_not_called_hanging(
    monkeypatch: pytest.MonkeyPatch, timeout_s: int
) -> None:
    """A coordinator looks for transactions that are over every ten seconds."""
    swept = Cluster(open_until_s=timeout_s + 10.5)
    setting = {"kafka__transaction_timeout_s": str(timeout_s)}
    assert found(verdict(swept, monkeypatch, **setting)) == {}
    assert min(swept.patience_s) >= timeout_s + 10, "its offsets are held back as long"
    left = Cluster(open_until_s=1e9)
    assert found(verdict(left, monkeypatch, **setting)) == {"hanging": 2}


def test_a_group_without_an_offset_has_missed_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(verdict(Cluster(begin=10, committed_offset=None), monkeypatch)) == {}
    assert found(verdict(Cluster(begin=10, committed_offset=10), monkeypatch)) == {}
    missed = verdict(Cluster(begin=10, committed_offset=5), monkeypatch)
    assert found(missed) == {"deleted_unread": 5}
    beyond = verdict(Cluster(begin=10, committed_offset=11), monkeypatch)
    assert found(beyond) == {"beyond_end": 1}
