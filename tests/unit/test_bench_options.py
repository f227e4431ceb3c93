"""Laws of what a bench may be asked for, and of who runs when and where."""

from itertools import pairwise
from typing import Any

import pytest

from stream_app.bench.cores import part_cores
from stream_app.bench.options import (
    MOCK_MOST_RECORDS,
    BenchOptions,
    BuiltIn,
    ClusterKind,
    Contender,
    choose,
    contenders,
    turns,
)
from stream_app.errors import UsageError
from stream_app.settings import Settings, load_settings

OWN = {"kafka.bootstrap_servers": "host:9092"}
OWN_MODEL = OWN | {"model.name": "mine", "input.topic": "events"}


def chosen(settings: Settings | None = None, **given: Any) -> BenchOptions:
    asked: dict[str, Any] = {
        "kafka": None,
        "model": None,
        "only": (),
        "records": None,
        "rounds": 3,
        "seconds": 1.0,
        "rate": 0.0,
    }
    return choose(settings or load_settings(), **asked | given)


def test_without_settings_a_built_in_model_runs_on_a_kafka_of_its_own() -> None:
    options = chosen()
    assert (options.cluster, options.model) == (ClusterKind.REAL, BuiltIn.MLP)
    assert options.contenders == tuple(Contender)


def test_a_cluster_of_the_settings_is_used_unless_another_is_asked_for() -> None:
    settings = load_settings(None, OWN)
    assert chosen(settings).cluster is ClusterKind.OWN
    assert chosen(settings, kafka="mock").cluster is ClusterKind.MOCK


def test_the_settings_own_model_is_measured_on_its_own_events() -> None:
    assert chosen(load_settings(None, OWN_MODEL)).model is None
    assert chosen(load_settings(None, OWN_MODEL), model="cnn").model is BuiltIn.CNN


@pytest.mark.parametrize(
    ("settings", "given", "option"),
    [
        ({}, {"records": 10}, "--records 10"),
        ({}, {"kafka": "mock", "records": MOCK_MOST_RECORDS + 1}, "--kafka real"),
        ({}, {"only": ["flink"]}, "--only flink"),
        (OWN_MODEL, {"kafka": "real"}, "--kafka real out"),
        (OWN | {"model.name": "mine"}, {}, "input.topic"),
        ({"model.name": "mine"}, {}, "--model mlp"),
    ],
)
def test_what_cannot_be_is_refused_with_the_option_and_a_way_out(
    settings: dict[str, str], given: dict[str, Any], option: str
) -> None:
    with pytest.raises(UsageError, match=option):
        chosen(load_settings(None, settings), **given)


def test_a_name_may_be_of_one_or_of_a_pair() -> None:
    assert contenders(["onnx"]) == (Contender.ONNX,)
    assert contenders(["stream-app", "echo-native"]) == (
        Contender.ECHO_NATIVE,
        Contender.PUBLIC,
        Contender.NATIVE,
        Contender.PUBLIC_WITHOUT_DRIFT,
        Contender.NATIVE_WITHOUT_DRIFT,
    )
    # A whole name is that one, whoever else begins with it.
    assert contenders(["stream-app-native"]) == (Contender.NATIVE,)


def test_a_part_of_a_word_is_no_name() -> None:
    with pytest.raises(UsageError):
        contenders(["strea"])


@pytest.mark.parametrize("count", [1, 2, 5, 6])
def test_everybody_runs_once_a_round_and_each_round_begins_with_another(count: int) -> None:
    who = tuple(Contender)[:count]
    order = turns(who, 4)
    by_round = [[c for number, c in order if number == n] for n in range(4)]
    assert all(set(each) == set(who) and len(each) == count for each in by_round)
    assert count == 1 or all(one[0] != next_[0] for one, next_ in pairwise(by_round))


def test_who_is_measured_shares_its_core_with_nobody() -> None:
    cores = part_cores(frozenset({0, 2, 5}))
    assert cores.measured == (5,)
    assert cores.others == (0, 2)
    assert cores.apart


@pytest.mark.parametrize("available", [{3}, set[int]()])
def test_nobody_is_moved_where_there_is_one_core(available: set[int]) -> None:
    assert not part_cores(frozenset(available)).apart


def test_every_contender_has_a_meaning_and_at_most_one_nature() -> None:
    for each in Contender:
        assert each.meaning
        assert not (each.scores and each.echoes)
        assert not each.is_product or each.scores
    clients = {each: each.client for each in Contender if each.client}
    assert set(clients.values()) == {"public", "native"}
    assert len(clients) == 6
