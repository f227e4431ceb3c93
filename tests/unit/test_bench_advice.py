"""Laws of the bench's advice: a default stays unless a measured figure speaks against it."""

from dataclasses import replace

import pytest

from stream_app.bench.advice import (
    COMMIT_SHARE,
    Situation,
    advise,
    batch_size,
    threads,
    transaction_time,
    workers,
)
from stream_app.bench.figures import CurvePoint, Figures, Result

FLAT = {64: 5e6, 512: 6e6, 1024: 6e6}


def worker(
    per_second: float = 500_000, score: float = 0.1, cores: float = 1.0, commit_s: float = 0.004
) -> Result:
    steps = {"score": score, "commit": commit_s * 10, "other": 0.9 - score}
    run = Figures(int(per_second), 0, 1.0, cores, 0.9, steps, 100, 10, 0, 10**8)
    return Result((run,))


def situation(
    one: dict[int, float], two: dict[int, float] | None = None, **changed: object
) -> Situation:
    curve = [CurvePoint(batch, 1, rows) for batch, rows in one.items()]
    curve += [CurvePoint(batch, 2, rows) for batch, rows in (two or {}).items()]
    base = Situation(
        curve, worker(), cores=2, partitions=4, batch=512, transaction_s=0.1, threads=1
    )
    return replace(base, **changed)  # type: ignore[arg-type]  # fields by name


def test_a_batch_size_that_costs_little_stays() -> None:
    """The model alone would be a fifth faster; of the whole path that is next to nothing."""
    found = batch_size(situation({64: 5e6, 512: 5e6, 1024: 6e6}))
    assert found.value == found.now == "512"
    assert "not worth a change" in found.reason


def test_a_model_that_is_dear_in_large_batches_gets_smaller_ones() -> None:
    heavy = worker(per_second=80_000, score=0.85)
    found = batch_size(situation({64: 126_000, 512: 100_000}, worker=heavy))
    assert found.value == "64"
    assert "faster" in found.reason


def test_a_batch_size_of_ones_own_is_held_against_the_nearest_measured() -> None:
    found = batch_size(situation(FLAT, batch=500))
    assert found.value == found.now == "500"


@pytest.mark.parametrize(
    ("commit_s", "value"),
    [(0.0005, "0.02"), (0.002, "0.05"), (0.004, "0.1"), (0.02, "0.5"), (3.0, "1")],
)
def test_a_transaction_is_as_short_as_commits_allow(commit_s: float, value: str) -> None:
    found = transaction_time(situation(FLAT, worker=worker(commit_s=commit_s)))
    assert found.value == value
    assert commit_s / float(value) <= COMMIT_SHARE or value == "1"


def test_a_thread_more_needs_a_model_that_gains_and_a_core_that_no_worker_could_use() -> None:
    heavy, gains = worker(score=0.9), {512: 1.8e5}
    few = situation({512: 1e5}, gains, worker=heavy, partitions=1)
    assert threads(few).value == "2"
    assert threads(replace(few, partitions=4)).value == "1"
    assert threads(replace(few, worker=worker(score=0.1))).value == "1"
    assert threads(situation({512: 1e5}, {512: 1.1e5}, worker=heavy, partitions=1)).value == "1"


def test_one_core_has_no_second_thread() -> None:
    assert threads(situation(FLAT)).reason == "there is one core"


@pytest.mark.parametrize(
    ("cores", "partitions", "used", "value"),
    [(8, 4, 1.0, "4"), (8, 16, 1.6, "5"), (2, 4, 1.6, "1"), (2, 4, 0.3, "2"), (1, 4, 1.0, "1")],
)
def test_workers_are_as_many_as_cores_and_partitions_have_use_for(
    cores: int, partitions: int, used: float, value: str
) -> None:
    given = situation(FLAT, worker=worker(cores=used), cores=cores, partitions=partitions)
    assert workers(given).value == value


def test_every_advice_names_a_measured_number() -> None:
    for advice in advise(situation(FLAT, {512: 9e6})):
        assert advice.setting
        assert any(letter.isdigit() for letter in advice.reason), advice
