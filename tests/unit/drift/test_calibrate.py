"""Laws of calibration: as many false alarms as were allowed, for any size, mix and order."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.random import Generator

from stream_app.core.drift.calibrate import calibrate, sizes_for
from stream_app.core.drift.cusum import LIMIT, MOST_Z, SLACK
from stream_app.core.drift.measures import alerting_tests, measured
from stream_app.core.drift.reference import Calibration, Float64Array, Reference
from stream_app.core.drift.significance import expected, scores, threshold
from stream_app.core.drift.statistics.names import Statistic
from tests.unit.drift.references import Made, Sample

KINDS = (0, 0, 0, 0, 0, 0, 0, 0, 2, 5, 12, 40)
CORRELATED = (0, 1, 2, 3, 4, 5)
PLAIN = (0, 0, 0)


def mixed(generator: Generator, rows: int) -> Float64Array:
    """Twelve columns that depend on each other: smooth, skewed, with many zeros, with gaps."""
    common = generator.normal(size=(rows, 1))
    values = 0.6 * common + 0.8 * generator.normal(size=(rows, 12))
    values[:, 3] = np.exp(values[:, 3])
    values[:, 4] = np.maximum(values[:, 4], 0.0)
    values[:, 5] = generator.poisson(np.exp(0.5 * values[:, 5]))
    values[:, 6] **= 3
    values[generator.random(rows) < 0.1, 7] = np.nan
    for at, known in ((8, 2), (9, 5), (10, 12), (11, 40)):
        values[:, at] = np.floor(np.abs(values[:, at]) * known / 3).clip(0, known - 1)
    return values


def plain(generator: Generator, rows: int) -> Float64Array:
    return generator.normal(size=(rows, 3))


def calibrated(made: Made, *, in_time_order: bool = False, **options: object) -> Calibration:
    settings: dict[str, object] = {"repeats": 500, "sizes": (100, 300, 1_000), **options}
    return calibrate(
        made.columns,
        made.sample.bins,
        made.correlated,
        made.sample.coarse,
        in_time_order=in_time_order,
        **settings,  # type: ignore[arg-type]  # named as the arguments are
    )


def judged(made: Made, calibration: Calibration, sample: Sample) -> float:
    """A window's greatest score, in units of its threshold: drift is above 1."""
    whole, window = made.tally(made.sample), made.tally(sample)
    values = measured(calibration.tests, made.columns, whole, window, made.positions(sample))

    def rows(of: Sample) -> list[int]:
        each = (of.bins >= 0).sum(axis=0)
        usable = int((of.bins[:, made.correlated] >= 0).all(axis=1).sum())
        return [usable if t.column < 0 else int(each[t.column]) for t in calibration.tests]

    found = scores(
        calibration,
        values,
        np.array(rows(sample)),
        np.array(rows(made.sample)),
        len(made.sample.bins),
    )
    return float(np.nanmax(found) / threshold(calibration, len(sample.bins)))


@cache
def mixed_reference(rows: int) -> Made:
    return Made.of(mixed(np.random.default_rng(1), rows), KINDS, CORRELATED)


def test_of_fifteen_hundred_windows_without_drift_about_one_in_a_hundred_alarms() -> None:
    made = mixed_reference(20_000)
    calibration = calibrated(made, repeats=2_000)
    generator = np.random.default_rng(2)
    windows = 1_500
    loud = sum(
        judged(made, calibration, made.coded(mixed(generator, 300))) > 1 for _ in range(windows)
    )
    assert 0.003 * windows <= loud <= 0.025 * windows


def test_a_window_as_large_as_the_reference_does_not_alarm_for_the_reference_s_sake() -> None:
    made = mixed_reference(2_000)
    calibration = calibrated(made, repeats=500, sizes=(1_000, 3_000))
    generator = np.random.default_rng(3)
    found = [judged(made, calibration, made.coded(mixed(generator, 2_000))) for _ in range(150)]
    assert np.mean(np.array(found) > 1) <= 0.05
    assert np.mean(np.array(found) * np.sqrt(2) > 1) > 0.3, "without the factor for its size"


def test_drift_of_one_column_in_twelve_is_seen() -> None:
    made = mixed_reference(20_000)
    calibration = calibrated(made)
    generator = np.random.default_rng(4)
    for column, change in ((0, 0.4), (3, 2.0), (6, 3.0)):
        values = mixed(generator, 300)
        values[:, column] += change
        assert judged(made, calibration, made.coded(values)) > 1, column
    values = mixed(generator, 300)
    values[:60, 10] = 13  # unseen
    assert judged(made, calibration, made.coded(values)) > 1


def test_a_pair_that_parts_is_seen_though_each_column_is_as_ever() -> None:
    made = mixed_reference(20_000)
    calibration = calibrated(made)
    values = mixed(np.random.default_rng(5), 1_000)
    values[:, 1] = np.roll(values[:, 1], 1)
    assert judged(made, calibration, made.coded(values)) > 1


def neighbours_alike(generator: Generator, rows: int, phi: float) -> Float64Array:
    """Three columns of standard normal values, each like the one before it."""
    noise: Float64Array = generator.normal(size=(rows, 3)) * np.sqrt(1 - phi**2)
    noise[0] = generator.normal(size=3)
    values: Float64Array = noise.copy()
    for row in range(1, rows):
        values[row] += phi * values[row - 1]
    return values


def test_where_neighbours_are_alike_kappa_keeps_windows_quiet() -> None:
    generator = np.random.default_rng(6)
    made = Made.of(neighbours_alike(generator, 20_000, 0.9), PLAIN, (0, 1, 2))
    ordered = calibrated(made, in_time_order=True)
    unordered = calibrated(made)
    assert (ordered.kind, unordered.kind) == ("contiguous", "iid")
    assert unordered.kappa.tolist() == [1.0] * 7
    assert ordered.kappa.min() > 1.3
    stream = neighbours_alike(generator, 100_000, 0.9)
    windows = [made.coded(stream[at : at + 1_000]) for at in range(0, len(stream), 1_000)]
    assert np.mean([judged(made, unordered, window) > 1 for window in windows]) > 0.5
    assert np.mean([judged(made, ordered, window) > 1 for window in windows]) < 0.1


def test_where_neighbours_are_like_any_others_kappa_is_close_to_1() -> None:
    made = Made.of(plain(np.random.default_rng(7), 20_000), PLAIN, (0, 1, 2))
    kappa = calibrated(made, in_time_order=True).kappa
    assert kappa.min() >= 1
    assert np.median(kappa) < 1.1
    assert kappa.max() < 1.4


def test_with_fewer_than_twenty_windows_nothing_is_said_of_neighbours() -> None:
    made = Made.of(plain(np.random.default_rng(7), 599), PLAIN, ())
    assert calibrated(made, in_time_order=True, sizes=(30, 100)).kind == "iid"
    made = Made.of(plain(np.random.default_rng(7), 600), PLAIN, ())
    assert calibrated(made, in_time_order=True, sizes=(30, 100)).kind == "contiguous"


def test_the_same_reference_gives_the_same_bytes_whatever_else_was_drawn() -> None:
    made = mixed_reference(2_000)
    first, again = calibrated(made, repeats=50), calibrated(made, repeats=50)
    for name in ("sizes", "q99", "mean", "sd", "threshold", "kappa"):
        assert getattr(first, name).tobytes() == getattr(again, name).tobytes()
    alone = calibrated(made, repeats=50, sizes=(300,))
    assert alone.q99[:, 0].tobytes() == first.q99[:, 1].copy().tobytes()


def test_coarse_values_of_rows_that_lack_one_of_them_are_not_looked_at() -> None:
    values = mixed(np.random.default_rng(1), 2_000)
    made = Made.of(values, KINDS, (0, 1, 7))
    before = calibrated(made, repeats=50)
    made.sample.coarse[made.sample.bins[:, 7] < 0] = 8_000
    assert calibrated(made, repeats=50).q99.tobytes() == before.q99.tobytes()


def test_slices_of_memory_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    made = mixed_reference(2_000)
    whole = calibrated(made, repeats=50)
    monkeypatch.setattr("stream_app.core.drift.calibrate._SLICE_BYTES", 1 << 16)
    assert calibrated(made, repeats=50).q99.tobytes() == whole.q99.tobytes()


KNOWN_Q99 = [
    0.502537966,
    0.216115843,
    0.470778203,
    0.21982291,
    0.466606244,
    0.242834165,
    0.467867545,
    0.23452539,
    0.302505779,
    0.234104329,
]
KNOWN_THRESHOLD = [1.10368079, 1.05631913]


def test_a_known_reference_has_a_known_calibration_on_every_machine() -> None:
    rows = np.arange(1_009)
    values = np.stack([rows * 7 % 1_009, rows * rows % 1_009], axis=1).astype(np.float64)
    made = Made.of(values, (0, 0), (0, 1))
    calibration = calibrated(made, repeats=20, sizes=(30, 100))
    assert calibration.tests == alerting_tests(made.columns, made.correlated)
    assert calibration.q99.ravel().tolist() == KNOWN_Q99
    assert calibration.threshold.tolist() == KNOWN_THRESHOLD


def test_chance_falls_by_the_root_of_the_size() -> None:
    made = Made.of(plain(np.random.default_rng(9), 5_000), PLAIN, (0, 1, 2))
    q99 = calibrated(made, repeats=1_000, sizes=(300, 3_000)).q99
    slopes = np.log(q99[:, 1] / q99[:, 0]) / np.log(10)
    assert slopes.tolist() == pytest.approx([-0.5] * 7, abs=0.06)


def test_mean_and_spread_are_those_of_windows_without_drift() -> None:
    made = Made.of(plain(np.random.default_rng(9), 20_000), PLAIN, (0, 1, 2))
    calibration = calibrated(made, repeats=1_000, sizes=(1_000,))
    generator = np.random.default_rng(13)
    whole = made.tally(made.sample)
    windows = [made.coded(plain(generator, 1_000)) for _ in range(200)]
    values = np.array(
        [
            measured(calibration.tests, made.columns, whole, made.tally(w), made.positions(w))
            for w in windows
        ]
    )
    widened = np.sqrt(1.05)
    assert values.mean(axis=0) == pytest.approx(calibration.mean[:, 0] * widened, rel=0.1)
    assert values.std(axis=0) == pytest.approx(calibration.sd[:, 0] * widened, rel=0.25)


def summed_up(made: Made, calibration: Calibration, windows: list[Sample]) -> list[float]:
    """Of each test, the greatest cumulative sum over the windows, however small each change."""
    whole, tests = made.tally(made.sample), len(calibration.tests)
    rows, of = np.full(tests, len(windows[0].bins)), np.full(tests, len(made.sample.bins))
    mean, sd = expected(calibration, rows, of, len(made.sample.bins))
    sums, greatest = np.zeros(tests), np.zeros(tests)
    for window in windows:
        positions = made.positions(window)
        values = measured(calibration.tests, made.columns, whole, made.tally(window), positions)
        sums = np.maximum(sums + np.minimum((values - mean) / sd, MOST_Z) - SLACK, 0.0)
        greatest = np.maximum(greatest, sums)
    found: list[float] = greatest.tolist()
    return found


@pytest.mark.parametrize(("rows", "size"), [(20_000, 1_000), (5_000, 3_000)])
def test_sums_over_a_hundred_windows_do_not_add_up_what_the_reference_is_off_by(
    rows: int, size: int
) -> None:
    loud = 0
    for seed in range(4):
        generator = np.random.default_rng(20 + seed)
        made = Made.of(plain(generator, rows), PLAIN, (0, 1, 2))
        calibration = calibrated(made, sizes=(1_000, 3_000, 10_000))
        windows = [made.coded(plain(generator, size)) for _ in range(100)]
        loud += sum(each > LIMIT for each in summed_up(made, calibration, windows))
        moved = [made.coded(plain(generator, size) + 0.2) for _ in range(5)]
        assert max(summed_up(made, calibration, moved)) > LIMIT
    assert loud <= 1


def test_sums_over_windows_of_neighbours_that_are_alike_stay_low_too() -> None:
    loud = 0
    for seed in range(4):
        generator = np.random.default_rng(30 + seed)
        made = Made.of(neighbours_alike(generator, 20_000, 0.9), PLAIN, (0, 1, 2))
        stream = neighbours_alike(generator, 100_000, 0.9)
        windows = [made.coded(stream[at : at + 1_000]) for at in range(0, len(stream), 1_000)]
        for in_order in (True, False):
            calibration = calibrated(made, in_time_order=in_order)
            found = sum(each > LIMIT for each in summed_up(made, calibration, windows))
            if in_order:
                loud += found
            else:
                assert found > 3
    assert loud <= 2


def test_a_constant_column_alarms_at_two_rows_that_differ_and_not_at_one() -> None:
    values = plain(np.random.default_rng(10), 5_000)
    values[:, 1:] = 4.0, 0.0
    made = Made.of(values, (0, 0, 1), ())
    calibration = calibrated(made, sizes=(1_000,))
    names = [test.statistic for test in calibration.tests if test.column == 1]
    assert names == [Statistic.JENSEN_SHANNON_16]
    window = plain(np.random.default_rng(11), 1_000)
    window[:, 1:] = 4.0, 0.0
    found = []
    for differ in range(4):
        window[:differ, 1] = 5.0
        found.append(judged(made, calibration, made.coded(window)))
    assert found[1] < 1 < found[2] < found[3]


def test_where_all_is_constant_one_row_that_differs_is_no_drift_either() -> None:
    made = Made.of(np.full((5_000, 1), 4.0), (0,), ())
    calibration = calibrated(made, sizes=(1_000,), repeats=50)
    window = np.full((1_000, 1), 4.0)
    assert judged(made, calibration, made.coded(window)) == 0
    window[0] = 5.0
    assert 0.5 < judged(made, calibration, made.coded(window)) < 1
    window[1] = 5.0
    assert judged(made, calibration, made.coded(window)) > 1


def test_a_column_without_values_is_not_tested() -> None:
    made = Made.of(plain(np.random.default_rng(12), 500), PLAIN, ())
    empty = replace(made.columns[1], counts=np.zeros(made.columns[1].bins, np.int64))
    assert {test.column for test in alerting_tests((made.columns[0], empty), ())} == {0}


def test_a_column_of_whose_values_none_is_among_the_rows_given_never_alarms() -> None:
    made = Made.of(plain(np.random.default_rng(12), 500), PLAIN, ())
    made.sample.bins[:, 1] = -1
    calibration = calibrated(made, sizes=(100,), repeats=50)
    assert np.isfinite(calibration.q99).all()
    assert np.isfinite(calibration.threshold).all()


def test_without_rows_there_is_nothing_to_draw_from() -> None:
    made = Made.of(plain(np.random.default_rng(12), 500), PLAIN, ())
    nothing = replace(made, sample=made.coded(np.zeros((0, 3))))
    with pytest.raises(ValueError, match="without rows"):
        calibrated(nothing)


def test_progress_rises_to_all_of_it() -> None:
    told: list[float] = []
    calibrated(mixed_reference(2_000), repeats=20, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("rows", "greatest"), [(1, 300), (50, 300), (100, 1_000), (1_000, 10_000), (10**6, 100_000)]
)
def test_windows_are_drawn_up_to_ten_times_the_reference(rows: int, greatest: int) -> None:
    assert sizes_for(rows)[0] == 30
    assert sizes_for(rows)[-1] == greatest


def test_a_reference_holds_a_calibration() -> None:
    made = mixed_reference(2_000)
    products, sums, rows = made.tally(made.sample).together
    reference = Reference(
        "m", "1", 2_000, made.columns, made.correlated, products, sums, int(rows), None,
        calibrated(made, repeats=20),
    )  # fmt: skip
    assert reference.calibration is not None
    assert len(reference.calibration.tests) == 2 * 8 + 4 + 1
