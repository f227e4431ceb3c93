"""Laws of the comparison of drift: everybody gets the same rows, and is counted alike."""

import json
from math import inf
from pathlib import Path

import numpy as np
import pytest

from tests.bench.drift.checks import Check, checks_table
from tests.bench.drift.contenders import EVIDENTLY, NANNYML, BrokenContenderError, ask, hand_over
from tests.bench.drift.handed import ANSWER, take
from tests.bench.drift.ours import judged
from tests.bench.drift.scenes import Scene, shortened
from tests.bench.drift.verdicts import Figure
from tests.bench.peers.homes import HERE
from tests.drift_claims.mixed import FIELDS, mixed

NO, YES = False, True


def scene(run: int = 0, windows: int = 4, step_sd: float = 0.0) -> Scene:
    generator = np.random.default_rng(1)
    reference, stream = mixed(generator, 600), mixed(generator, 100 * windows, step_sd)
    return Scene("x", "x", reference, stream, {50: 2 * windows, 100: windows}, run, drifts=True)


@pytest.mark.parametrize(
    ("verdicts", "run", "share", "delay"),
    [
        ([NO, NO, YES, NO], 0, 0.25, 3),
        ([NO, NO, NO, NO], 0, 0.0, inf),
        ([YES, NO, NO, YES], 2, 0.5, 1.5),
        ([NO, NO, NO, NO, NO, YES], 2, 1 / 6, inf),
        ([NO, YES, NO, NO, NO, YES], 2, 1 / 3, 2),
    ],
)
def test_a_delay_is_counted_from_the_beginning_of_each_run(
    verdicts: list[bool], run: int, share: float, delay: float
) -> None:
    assert Figure.of(verdicts, run) == Figure(share, delay)


def test_what_is_handed_over_is_what_is_taken(tmp_path: Path) -> None:
    given = scene()
    handed = take(hand_over(tmp_path, given))
    assert handed.windows == given.windows
    assert handed.categories == [field.name for field in FIELDS if field.labels]
    for at, field in enumerate(FIELDS):
        for frame, rows in ((handed.reference, given.reference), (handed.stream, given.stream)):
            own = rows.numbers[:, at]
            if field.labels is None:
                np.testing.assert_array_equal(frame[field.name], own)
            else:
                assert frame[field.name].tolist() == [field.labels[int(code)] for code in own]


def test_we_judge_as_many_windows_as_everybody() -> None:
    given = scene(run=2, windows=6, step_sd=1.0)
    verdicts = judged(given)
    assert set(verdicts) == {"warn", "alert"}
    for of_sizes in verdicts.values():
        assert {size: len(flags) for size, flags in of_sizes.items()} == dict(given.windows)
    # An alert takes two windows, and each run begins without memory.
    assert verdicts["warn"][100] == [YES] * 6
    assert verdicts["alert"][100] == [NO, YES] * 3


def test_a_part_of_a_scene_has_whole_runs() -> None:
    given = scene(run=2, windows=20)
    assert shortened(given, 0.5).windows == {50: 20, 100: 10}
    assert shortened(given, 0.01).windows == {50: 4, 100: 4}
    assert shortened(given, 1.0).windows == given.windows


@pytest.mark.parametrize(("furthest", "holds"), [(1e-9, True), (2e-9, False)])
def test_a_number_too_far_from_theirs_is_told(furthest: float, holds: bool) -> None:
    check = Check("x", "y", 3, furthest, 1e-9)
    assert check.holds == holds
    assert ("**too far**" in checks_table([check])[-1]) != holds


@pytest.mark.parametrize("name", [EVIDENTLY, NANNYML])
def test_each_contender_has_a_program_and_a_lock(name: str) -> None:
    assert (HERE / name / "run.py").is_file()
    assert f"\n{name}==" in (HERE / name / "requirements.txt").read_text(encoding="utf-8")


def _program(tmp_path: Path, text: str) -> Path:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    python.chmod(0o755)
    return python


def test_a_contender_leaves_an_answer_in_each_folder(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
    # $1 and $2 are -m and the module.
    program = _program(
        tmp_path, f'shift 2; for f in "$@"; do echo "{{\\"at\\": \\"$f\\"}}" > "$f/{ANSWER}"; done'
    )
    assert ask("x", program, folders) == [{"at": str(folder)} for folder in folders]
    assert json.loads((folders[0] / ANSWER).read_text(encoding="utf-8"))


def test_one_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    program = _program(tmp_path, "echo first; echo it hurts >&2; exit 3")
    with pytest.raises(BrokenContenderError, match="x: first it hurts"):
        ask("x", program, [])
