"""Laws of scores and labels: which output, which class, which slot, and when a label agrees."""

import numpy as np
import pytest

from stream_app.core.contract import Contract, DType, Feature, InputTensor, OutputBinding
from stream_app.core.drift.reference import SCORE_BINS
from stream_app.core.drift.score_map import (
    NO_SLOT,
    ScoreSource,
    ScoreTally,
    find_scores,
    label_text,
    predicted_classes,
    score_slots,
)

THREE = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]], dtype=np.float32)


def contract(*outputs: tuple[str, str]) -> Contract:
    tensor = InputTensor("x", DType.FLOAT32, (Feature("a"),), (1,))
    bindings = tuple(OutputBinding(field, output) for field, output in outputs)
    return Contract((), "id", None, (tensor,), bindings)


def test_scores_are_the_first_bound_output_that_is_a_distribution() -> None:
    outputs = {"logits": THREE * 9, "label": np.array([0, 1, 2]), "p": THREE, "free": THREE}
    bound = contract(("label", "label"), ("logits", "logits"), ("scores", "p"))
    source = find_scores(bound, outputs)
    assert source == ScoreSource("p", 3, ("0", "1", "2"))
    assert find_scores(contract(("logits", "logits")), outputs) is None


def test_classes_are_called_what_the_models_label_says() -> None:
    outputs = {"label": np.array(["low", "mid", "high"], dtype=object), "p": THREE}
    source = find_scores(contract(("scores", "p"), ("label", "label")), outputs)
    assert source is not None
    assert source.labels == ("low", "mid", "high")
    given = find_scores(contract(("scores", "p")), outputs, ["a", "b", "True"])
    assert given is not None
    assert given.labels == ("a", "b", "1")


def test_names_must_be_as_many_as_classes() -> None:
    with pytest.raises(ValueError, match="expected 3 names of classes, found 2"):
        find_scores(contract(("scores", "p")), {"p": THREE}, ["a", "b"])


def test_one_number_a_row_is_the_probability_of_the_second_class() -> None:
    scores = np.array([[0.0], [0.4999], [0.5], [1.0]], dtype=np.float32)
    source = find_scores(contract(("score", "s")), {"s": scores})
    assert source == ScoreSource("s", 1, ("0", "1"))
    assert predicted_classes(scores).tolist() == [0, 0, 1, 1]
    assert find_scores(contract(("score", "s")), {"s": scores * 2}) is None


def test_a_slot_is_the_class_and_the_bin_of_its_score() -> None:
    slots = score_slots(np.array([[0.25], [0.5], [1.0], [0.0], [np.nan]]))
    bins = [int(0.75 * SCORE_BINS), SCORE_BINS + SCORE_BINS // 2, 2 * SCORE_BINS - 1]
    assert slots.tolist() == [*bins, SCORE_BINS - 1, NO_SLOT]
    assert (score_slots(THREE) // SCORE_BINS).tolist() == [0, 1, 2]


@pytest.mark.parametrize("value", [1, 1.0, True, "1", " 1.0 ", "true", np.int64(1)])
def test_one_class_has_many_spellings(value: object) -> None:
    assert label_text(value) == "1"


def test_right_answers_are_counted_where_their_rows_are() -> None:
    tally = ScoreTally(ScoreSource("p", 3, ("low", "mid", "high")))
    tally.add({"p": THREE}, ["low", "high", None])
    tally.add({"p": THREE}, ["mid", "mid", "what"])
    counts, right = tally.counted()
    assert counts.sum(axis=1).tolist() == [2, 2, 0]
    assert right.sum(axis=1).tolist() == [1, 1, 0]
    assert (right <= counts).all()
    assert tally.unlabelled == 2
    assert tally.unknown == {"what"}
