"""The exposition of one process: complete, parseable, bounded."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stream_app.adapters.process import prometheus_telemetry
from stream_app.adapters.process.prometheus_telemetry import NullTelemetry, PrometheusTelemetry
from stream_app.core.metrics import (
    CONSUMER_LAG,
    DEAD_LETTERS,
    METRICS,
    RECORDS_FETCHED,
    STEP_SECONDS,
    WORKERS_WANTED,
    Merge,
    Metric,
    MetricKind,
)


@pytest.fixture
def telemetry(monkeypatch: pytest.MonkeyPatch) -> PrometheusTelemetry:
    monkeypatch.delenv(prometheus_telemetry.DIRECTORY_VARIABLE, raising=False)
    return PrometheusTelemetry()


def samples(telemetry: PrometheusTelemetry) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """By name and labels; a repeated series or an unparseable line fails."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for family in text_string_to_metric_families(telemetry.render().decode()):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found
            found[key] = sample.value
    return found


def use(telemetry: PrometheusTelemetry, metric: Metric) -> None:
    labels = [f"a-{name}" for name in metric.labels]
    match metric.kind:
        case MetricKind.COUNTER:
            telemetry.count(metric, 2, *labels)
        case MetricKind.GAUGE:
            telemetry.gauge(metric, 2, *labels)
        case MetricKind.HISTOGRAM:
            telemetry.observe(metric, 2, *labels)


def test_every_metric_of_the_table_is_told_with_its_help_before_it_is_used(
    telemetry: PrometheusTelemetry,
) -> None:
    lines = telemetry.render().decode().splitlines()
    for metric in METRICS:
        assert lines.count(f"# HELP {metric.name} {metric.help}") == 1
        assert lines.count(f"# TYPE {metric.name} {metric.kind}") == 1


def test_every_metric_of_the_table_can_be_used(telemetry: PrometheusTelemetry) -> None:
    for metric in METRICS:
        use(telemetry, metric)
    found = samples(telemetry)
    for metric in METRICS:
        labels = tuple(sorted((name, f"a-{name}") for name in metric.labels))
        suffix = "_sum" if metric.kind is MetricKind.HISTOGRAM else ""
        assert found[metric.name + suffix, labels] == 2


def test_a_histogram_has_the_buckets_of_the_table(telemetry: PrometheusTelemetry) -> None:
    telemetry.observe(STEP_SECONDS, 0.02, "decode")
    found = samples(telemetry)
    bounds = [
        float(dict(labels)["le"]) for name, labels in found if name.endswith("step_seconds_bucket")
    ]
    assert bounds == [*STEP_SECONDS.buckets, float("inf")]


def test_a_forgotten_series_is_gone_and_can_come_back(telemetry: PrometheusTelemetry) -> None:
    telemetry.gauge(CONSUMER_LAG, 5, "0")
    telemetry.gauge(CONSUMER_LAG, 7, "1")
    telemetry.forget(CONSUMER_LAG, "0")
    telemetry.forget(CONSUMER_LAG, "never-set")
    name = CONSUMER_LAG.name
    assert (name, (("partition", "0"),)) not in samples(telemetry)
    assert samples(telemetry)[name, (("partition", "1"),)] == 7
    telemetry.gauge(CONSUMER_LAG, 9, "0")
    assert samples(telemetry)[name, (("partition", "0"),)] == 9


def test_forgetting_a_count_changes_nothing(telemetry: PrometheusTelemetry) -> None:
    telemetry.count(DEAD_LETTERS, 3, "decode", "TOO_LARGE")
    before = samples(telemetry)
    telemetry.forget(DEAD_LETTERS, "decode", "TOO_LARGE")
    assert samples(telemetry) == before


def test_label_sets_beyond_the_bound_are_counted_together(
    telemetry: PrometheusTelemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prometheus_telemetry, "MAX_SERIES", 10)
    for code in range(10_000):
        telemetry.count(DEAD_LETTERS, 1, "decode", str(code))
    found = {key: n for key, n in samples(telemetry).items() if key[0] == DEAD_LETTERS.name}
    assert len(found) == 11
    assert sum(found.values()) == 10_000
    assert found[DEAD_LETTERS.name, (("code", "other"), ("stage", "other"))] == 9_990


def test_a_wrong_number_of_labels_is_an_error(telemetry: PrometheusTelemetry) -> None:
    with pytest.raises(ValueError, match="label"):
        telemetry.count(DEAD_LETTERS, 1, "decode")
    with pytest.raises(ValueError, match="label"):
        telemetry.count(RECORDS_FETCHED, 1, "decode")


def test_label_values_are_escaped(telemetry: PrometheusTelemetry) -> None:
    telemetry.count(DEAD_LETTERS, 1, "a\nb", 'say "x"\\')
    assert samples(telemetry)[DEAD_LETTERS.name, (("code", 'say "x"\\'), ("stage", "a\nb"))] == 1


def test_no_time_of_creation_is_told(telemetry: PrometheusTelemetry) -> None:
    assert b"_created" not in telemetry.render()


def test_the_null_telemetry_takes_every_metric() -> None:
    null = NullTelemetry()
    null.count(RECORDS_FETCHED)
    null.gauge(WORKERS_WANTED, 1)
    null.observe(STEP_SECONDS, 1, "decode")
    null.forget(CONSUMER_LAG, "0")
    assert not vars(null)


def test_the_table_is_sound() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert metric.name.startswith("stream_app_")
        assert metric.name.endswith("_total") == (metric.kind is MetricKind.COUNTER)
        assert bool(metric.buckets) == (metric.kind is MetricKind.HISTOGRAM)
        assert list(metric.buckets) == sorted(set(metric.buckets))
        if metric.merge not in {Merge.SUM, Merge.SUPERVISOR}:
            assert metric.kind is MetricKind.GAUGE
