"""What the fuzzer does to files: contracts, manifests, golden vectors and models.

Decides the cases; the law is one: a file is read, or refused with a ``ConfigError`` that names it
and fits on a screen, whatever is in it.
"""

import io
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any

import numpy as np

from stream_app.adapters.model.contract_file import parse_contract
from stream_app.adapters.model.golden_file import Golden, dump_golden, parse_golden
from stream_app.adapters.model.manifest_file import (
    PACKED_FILES,
    FileEntry,
    Manifest,
    Producer,
    parse_manifest,
)
from stream_app.adapters.model.onnx_file import read_onnx
from stream_app.core.contract_check import check_signature
from stream_app.core.signature import ModelSignature, TensorSignature
from stream_app.errors import ConfigError
from stream_app.resources import example_dir
from tests.hostile.mutate import Spans, damaged
from tests.hostile.the_path import BrokenLawError
from tests.onnx_models import linear

ACCEPTED, REFUSED = "accepted", "refused"
_GREATEST_MESSAGE = 100_000

TOKENS: tuple[bytes, ...] = (
    *(b"inf", b"-inf", b"nan", b"1e400", b"-1", b"0", b"9" * 25, b"1" + b"0" * 500, b"9" * 5_000),
    *(b"0x" + b"f" * 20, b"0x" + b"f" * 6_000, b"true", b'""', b'"\\uD800"', b'"\\u0000"'),
    *(b"[" * 3_000, b"[]", b"[[]]", b"{}", b"{ a = {} }", b"1979-05-27T07:32:00Z", b"07:32:00"),
    *(
        b"default = inf\n",
        b"default = 1e308\n",
        b'on_null = "default"\n',
        b"shape = [99999999999]\n",
    ),
    *(b"[[inputs]]\n", b"[event]\n", b'categories = ["a"]\n', b"column = 99999999999999999999\n"),
    *(
        b"null",
        b"{" * 500,
        b'"x"',
        b"\xff",
        b"\x00",
        b"\r",
        b"\xed\xa0\x80",
        b"a." * 800 + b"a = 1",
    ),
)


def edited(chance: Random, text: bytes, tokens: Sequence[bytes] = TOKENS) -> bytes:
    """Text with words, lines or bytes changed."""
    for _ in range(chance.choice((1, 1, 2, 3))):
        roll = chance.random()
        if roll < 0.4:
            # A value: what stands after an equals sign or a colon.
            places = [at for at, byte in enumerate(text) if byte in b"=:"]
            at = chance.choice(places) + 1 if places else 0
            end = at
            while end < len(text) and text[end] not in b",\n]}":
                end += 1
            text = text[:at] + b" " + chance.choice(tokens) + text[end:]
        elif roll < 0.6:
            lines = text.split(b"\n")
            at = chance.randrange(len(lines))
            other = chance.choice((*lines, chance.choice(tokens)))
            lines[at:at] = [other] if chance.random() < 0.6 else []
            if chance.random() < 0.4:
                del lines[at]
            text = b"\n".join(lines)
        else:
            text = damaged(chance, Spans(bytearray(text)), ())
    return text


def refusal(action: Callable[[], object]) -> str:
    """``ACCEPTED``, or ``REFUSED`` if it was in the way a person can read."""
    try:
        action()
    except ConfigError as exc:
        message = str(exc)
        if not message.strip() or len(message) > _GREATEST_MESSAGE:
            raise BrokenLawError(f"a message of {len(message)} characters") from exc
        message.encode()  # what cannot be written to a log helps nobody
        return REFUSED
    return ACCEPTED


class ContractTarget:
    """``contract.toml``, also against a model's signature."""

    name = "contracts"
    batch = 100

    def __init__(self) -> None:
        found = sorted(example_dir("car_loan").rglob("contract.toml"))
        assert found
        self._bases = [path.read_bytes() for path in found] + [_CONTRACT]
        self._signature = ModelSignature(
            (TensorSignature("x", "float32", (None, None)),),
            (TensorSignature("y", "float32", None),),
        )

    def cases(self, chance: Random) -> Sequence[bytes]:
        """Contents."""
        return [edited(chance, chance.choice(self._bases)) for _ in range(self.batch)]

    def run(self, cases: Sequence[bytes]) -> Counter[str]:
        """Accepted and refused."""
        return Counter(refusal(partial(self._read, content)) for content in cases)

    def _read(self, content: bytes) -> None:
        contract = parse_contract(content, "contract.toml")
        for fault in check_signature(contract, self._signature):
            fault.encode()


_CONTRACT = b"""format = 1
[event]
records = ["a.B"]
id = "id"
time = "at"
[[inputs]]
name = "x"
dtype = "int64"
shape = [5]
  [[inputs.features]]
  field = "a.b"
  aliases = ["c"]
  on_null = "default"
  default = 3
  [[inputs.features]]
  field = "d"
  categories = ["RED", "GREEN"]
  on_unseen = "code"
  on_null = "default"
  default = "RED"
  [[inputs.features]]
  field = "e"
  shape = [3]
  encoding = "raw"
[[outputs]]
field = "scores"
output = "y"
column = 0
[policy]
on_non_finite_output = "keep"
"""


class ManifestTarget:
    """``manifest.json``."""

    name = "manifests"
    batch = 200

    def __init__(self) -> None:
        files = {name: FileEntry.of(name.encode()) for name in PACKED_FILES}
        producer = Producer(name="maker 1", ir_version=10, opsets={"": 17})
        self._base = Manifest(files=files, producer=producer).to_json()

    def cases(self, chance: Random) -> Sequence[bytes]:
        """Contents."""
        return [edited(chance, self._base) for _ in range(self.batch)]

    def run(self, cases: Sequence[bytes]) -> Counter[str]:
        """Accepted and refused."""
        return Counter(refusal(partial(parse_manifest, content, "m")) for content in cases)


class GoldenTarget:
    """``golden.npz``: the archive, and the arrays in it."""

    name = "golden"
    batch = 50

    def __init__(self) -> None:
        rows = np.arange(8, dtype=np.float32).reshape(4, 2)
        words = np.array(["a", "b", "c", "grün"], dtype=object)
        self._bases = [
            dump_golden(Golden({"x": rows}, {"y": rows})),
            dump_golden(Golden({"words": words, "x": rows}, {"y": words})),
            _stored({"input:x": rows, "output:y": rows}),
        ]

    def cases(self, chance: Random) -> Sequence[bytes]:
        """Contents."""
        return [self._case(chance) for _ in range(self.batch)]

    def _case(self, chance: Random) -> bytes:
        base = chance.choice(self._bases)
        if chance.random() < 0.3:
            for old, new in ((b"<f4", b"|O8"), (b"(4, 2)", b"(4,10)"), (b"False", b"2**99")):
                if chance.random() < 0.5:
                    base = base.replace(old, new)
        return damaged(chance, Spans(bytearray(base)), ())

    def run(self, cases: Sequence[bytes]) -> Counter[str]:
        """Accepted and refused."""
        return Counter(refusal(partial(parse_golden, content, "g")) for content in cases)


def _stored(arrays: dict[str, Any]) -> bytes:
    """Not compressed, so that damage reaches the arrays' own headers."""
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    return content.getvalue()


class OnnxTarget:
    """The walk over a model's file; the library itself is not fuzzed."""

    name = "onnx"
    batch = 200

    def __init__(self) -> None:
        found = sorted(example_dir("car_loan").rglob("model.onnx"))
        self._bases = [linear(), found[0].read_bytes()[:4_000]]

    def cases(self, chance: Random) -> Sequence[bytes]:
        """Contents."""
        return [
            damaged(chance, Spans(bytearray(chance.choice(self._bases))), ())
            for _ in range(self.batch)
        ]

    def run(self, cases: Sequence[bytes]) -> Counter[str]:
        """Read and refused."""
        codes: Counter[str] = Counter()
        for content in cases:
            try:
                read_onnx(content)
            except ValueError:
                codes[REFUSED] += 1
            else:
                codes[ACCEPTED] += 1
        return codes
