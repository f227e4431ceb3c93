"""The codec of alerts: what was written is what is read, by us and by others."""

import json
from io import BytesIO
from pathlib import Path

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.adapters.drift.alert_codec import AlertCodec, alert_record
from stream_app.core.drift.alerts import Alert, Ground, Level, Reason, State
from stream_app.core.drift.partial import Stream
from stream_app.core.drift.series import Series
from stream_app.core.faults import Fault
from stream_app.ports_drift import Unreadable
from tests.contract.test_drift_codecs import NAMES, unexplained

SCHEMA = Path(__file__).parents[2] / "schemas" / "drift_alert.avsc"
FRAMING_BYTES = 10
INTS = st.integers(0, (1 << 31) - 1)
LONGS = st.integers(-(1 << 62), (1 << 62) - 1)
WORDS = st.text(st.characters(blacklist_categories=["Cs"]))
NUMBERS = st.floats(allow_nan=False)

series = st.builds(
    Series, st.builds(Stream, NAMES, NAMES, NAMES, NAMES, st.integers(1, 1 << 40)), LONGS
)
alerts = st.builds(
    Alert,
    id=WORDS,
    sequence=INTS,
    state=st.sampled_from(State),
    level=st.sampled_from(Level),
    reason=st.sampled_from(Reason),
    stream=series.map(lambda each: each.name),
    rule=WORDS,
    column=WORDS,
    statistic=WORDS,
    value=NUMBERS,
    score=NUMBERS,
    threshold=NUMBERS,
    opened=LONGS,
    grounds=st.lists(st.builds(Ground, LONGS, INTS), max_size=4).map(tuple),
)


@given(series)
def test_a_series_has_its_name_alone(one: Series) -> None:
    assert Series.named(one.name) == one


@pytest.mark.parametrize("name", ["", "a/b/c/d/60", "a/b/c/d/60/60/60", "a/b/c/d/60/x"])
def test_what_is_no_name_of_a_series_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"no series|invalid literal"):
        Series.named(name)


@given(alerts)
def test_an_alert_comes_back_as_it_was(alert: Alert) -> None:
    value = AlertCodec().encode(alert)
    assert AlertCodec().decode(value) == alert
    assert AlertCodec().encode(alert) == value


@given(alerts)
def test_another_library_reads_the_same_with_the_published_schema(alert: Alert) -> None:
    schema = fastavro.parse_schema(json.loads(SCHEMA.read_text("utf-8")))
    body = BytesIO(AlertCodec().encode(alert)[FRAMING_BYTES:])
    assert fastavro.schemaless_reader(body, schema, None) == alert_record(alert)
    assert not body.read()


@given(alerts, st.data())
def test_bytes_that_were_cut_or_changed_raise_nothing(alert: Alert, data: st.DataObject) -> None:
    value = bytearray(AlertCodec().encode(alert))
    at = data.draw(st.integers(0, len(value) - 1))
    assert isinstance(AlertCodec().decode(bytes(value[:at])), Unreadable)
    value[at] ^= data.draw(st.integers(1, 255))
    assert isinstance(AlertCodec().decode(bytes(value)), Alert | Unreadable)


@given(alerts)
def test_a_record_of_another_format_is_left_to_another_version(alert: Alert) -> None:
    value = AlertCodec().encode(alert)
    found = AlertCodec().decode(value[:FRAMING_BYTES] + b"\x04" + value[FRAMING_BYTES + 1 :])
    assert found == Unreadable(Fault.OUT_OF_RANGE, "format 2; this stream-app reads 1")


def test_every_field_of_the_published_schema_is_explained() -> None:
    assert unexplained(json.loads(SCHEMA.read_text("utf-8")), "drift_alert") == []
