"""What the fuzzer aims at, and how many of its cases each target gets."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any, Final, Protocol

from tests.hostile.file_targets import (
    ContractTarget,
    GoldenTarget,
    ManifestTarget,
    OnnxTarget,
)
from tests.hostile.planted import DEFECTS, Planted
from tests.hostile.record_targets import FramingTarget, SchemaTarget, ValueTarget
from tests.hostile.settings_target import SettingsTarget
from tests.hostile.verifier_target import VerifierTarget


class Target(Protocol):
    """Something that is given hostile cases."""

    name: str
    batch: int

    def cases(self, chance: Random) -> Sequence[Any]:
        """A batch of cases; the same for the same ``chance``."""

    def run(self, cases: Sequence[Any]) -> Counter[str]:
        """Run some of them and count what came of each; raises where a law is broken."""


TARGETS: Final[dict[str, Callable[[], Target]]] = {
    "values": ValueTarget,
    "framing": FramingTarget,
    "schemas": SchemaTarget,
    "contracts": ContractTarget,
    "manifests": ManifestTarget,
    "golden": GoldenTarget,
    "onnx": OnnxTarget,
    "settings": SettingsTarget,
    "verifier": VerifierTarget,
}
PLANTED: Final = {name: partial(Planted, name, defect) for name, defect in DEFECTS.items()}
"""Only when asked for by name."""
ALL: Final[dict[str, Callable[[], Target]]] = {**TARGETS, **PLANTED}
SHARES: Final = {
    "values": 0.51,
    "framing": 0.28,
    "schemas": 0.05,
    "contracts": 0.03,
    "manifests": 0.04,
    "golden": 0.01,
    "onnx": 0.025,
    "settings": 0.005,
    "verifier": 0.05,
}
