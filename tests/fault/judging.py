"""What a run under faults is judged by besides the verifier and the live reader.

Decides which ends of workers are surprises, when a run has proved nothing, and which findings
nobody has declared. Refuses to know any fault.
"""

import signal
from collections.abc import Callable, Iterable

from stream_app.adapters.verifier.kafka import VerifyKafka
from stream_app.settings import Settings
from stream_app.verify import Report
from tests.fault.progress import Reached
from tests.fault.record import RunRecord
from tests.worker import Worker, until


def judge_workers(workers: Iterable[Worker], allowed: set[int]) -> None:
    """No worker ended in a way that nobody asked for, and none met an unknown error.

    Args:
        workers: All of the run.
        allowed: Exit statuses that the test declared.
    """
    for worker in workers:
        status = worker.exit_status
        seen = {0, -signal.SIGKILL} if worker.end_seen else set()
        assert status is None or status in allowed | seen, (
            f"a worker ended with {status}, and nobody ended it:\n{worker.log()[-4000:]}"
        )
        assert "Traceback" not in worker.log(), worker.log()[-4000:]


def judge_client(workers: Iterable[Worker], client: str) -> None:
    """Those who scored did it with the client that the run is counted for."""
    used = {told["client"] for worker in workers for told in worker.events("kafka_client")}
    assert used == {client}, f"meant for the {client} client, run with {sorted(used)}"


def judge_record(record: RunRecord) -> None:
    """A fault fired, and each one while records waited; a control may need none."""
    assert record.fired or record.control, "no fault fired: nothing was proved"
    for fired in record.fired:
        assert fired.lag > 0, f"{fired.what}: nothing waited when it fired"


def judge_findings(report: Report, record: RunRecord) -> None:
    """Whatever was found, the test said beforehand why it is no fault of the worker's."""
    found = {name for name, finding in report.findings.items() if finding.count}
    assert found <= set(record.expected), f"not declared as expected: {report.to_json()}"


def last_before(
    over: Callable[[], bool], look: Callable[[], Reached | None], within_s: float
) -> int:
    """The consumer lag as last seen before something is over; 0 when it was never seen.

    Args:
        over: Whether it is.
        look: At the group; an answer that comes when it is over already does not count.
        within_s: How long to wait for it.
    """
    last = 0

    def ended() -> bool:
        nonlocal last
        seen = look()
        if over():
            return True
        last = last if seen is None else seen.lag
        return False

    until("the worker ends", ended, within_s)
    return last


def aborted_outcomes(settings: Settings) -> int:
    """Outcomes that lie in the log and that no reader of committed records sees."""
    counts = []
    for read_committed in (False, True):
        kafka, seen = VerifyKafka(settings.kafka, read_committed=read_committed), [0]

        def count(_: object, seen: list[int] = seen) -> None:
            seen[0] += 1

        try:
            for topic in (settings.predictions_topic, settings.dlq_topic):
                ends = kafka.ends(topic, kafka.partitions(topic))
                ranges = {p: (e.begin, kafka.readable_end(e)) for p, e in ends.items()}
                kafka.read(topic, ranges, count, lambda done, total: None)
        finally:
            kafka.close()
        counts.append(seen[0])
    return counts[0] - counts[1]
