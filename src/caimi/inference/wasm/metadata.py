"""What a compiled module says of itself: inputs, outputs, and where its weights lie."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from caimi.errors.base import CaimiError
from caimi.errors.inference import ModuleMalformed
from caimi.models.paths import check_path
from caimi.models.strict_json import Json, JsonFields, decode, encode
from caimi.models.tensor import Tensor

ABI: Final = 1
REVISION: Final = 2
"""Of everything that fixes the bits of answers: kernels, folding, fusion, flags and toolchain."""
MAX_METADATA_BYTES: Final = 4 * 1024 * 1024
MAX_TENSORS: Final = 1024
MAX_WEIGHTS: Final = 16_384
MAX_TENSOR_BYTES: Final = 2**31
MAX_WEIGHT_BYTES: Final = 2**32 - 1

ITEM_BYTES: Final = {
    "bool": 1,
    "int8": 1,
    "uint8": 1,
    "int16": 2,
    "uint16": 2,
    "float16": 2,
    "int32": 4,
    "uint32": 4,
    "float32": 4,
    "int64": 8,
    "uint64": 8,
    "float64": 8,
}
"""Element types that a module takes and gives, with their sizes."""

_ENGINE: Final = re.compile(r"caimi-wasm/([0-9]{1,4})/[a-z0-9-]{1,32}")
_ANSWER: Final = re.compile(r"caimi/[0-9]{1,4}/[a-z0-9-]{1,32}")


@dataclass(frozen=True, slots=True)
class Weight:
    """Bytes of a file of the package. Construction raises `ModuleMalformed`."""

    file: str
    offset: int
    size: int

    def __post_init__(self) -> None:
        if self.offset < 0 or not 0 <= self.size <= MAX_WEIGHT_BYTES:
            raise ModuleMalformed(f"A weight has {self.size} bytes at {self.offset}.")

    def to_json(self) -> dict[str, Json]:
        """Give the metadata's form."""
        return {"file": self.file, "offset": self.offset, "size": self.size}

    @classmethod
    def read(cls, fields: JsonFields) -> Weight:
        """Read the metadata's form; raises `ManifestMalformed`, `ModuleMalformed`."""
        return cls(
            file=check_path(fields.text("file", 1024)),
            offset=fields.integer("offset"),
            size=fields.integer("size", 0, MAX_WEIGHT_BYTES),
        )


@dataclass(frozen=True, slots=True)
class Metadata:
    """The content of a module's section ``caimi``. Construction raises `ModuleMalformed`.

    `engine` is the id of what runs and `answer` that of the one exact result, as receipts name
    them; `source` is the SHA-256 of the ONNX file. Shapes are fixed,
    but that the leading dimension of inputs and outputs may be the symbol `rows`: then the module
    takes one row at a time, and is called once for each. `weights` are in the order of use;
    `arena_bytes` is what the module needs for values between operators, and `toolchain` names what
    compiled it.
    """

    engine: str
    answer: str
    source: bytes
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    rows: str | None = None
    weights: tuple[Weight, ...] = ()
    arena_bytes: int = 0
    toolchain: str = ""

    def __post_init__(self) -> None:
        if not _ENGINE.fullmatch(self.engine):
            raise ModuleMalformed(f"{self.engine[:80]!r} is no engine id.")
        if not _ANSWER.fullmatch(self.answer):
            raise ModuleMalformed(f"{self.answer[:80]!r} is no answer id.")
        if len(self.source) != 32:
            raise ModuleMalformed("The source's SHA-256 has not 32 bytes.")
        for tensors in (self.inputs, self.outputs):
            if len({tensor.name for tensor in tensors}) != len(tensors):
                raise ModuleMalformed("Two inputs, or two outputs, have one name.")
            for tensor in tensors:
                self._check(tensor)
        if self.rows is not None and not all(self.is_by_row(tensor) for tensor in self.outputs):
            raise ModuleMalformed(f"An output has no leading dimension {self.rows!r}.")
        if self.rows is not None and not any(self.is_by_row(tensor) for tensor in self.inputs):
            raise ModuleMalformed(f"No input has the leading dimension {self.rows!r}.")

    def is_by_row(self, tensor: Tensor) -> bool:
        """Tell whether the module takes or gives one row of this tensor at a time."""
        return self.rows is not None and (tensor.shape or ())[:1] == (self.rows,)

    def call_bytes(self, tensor: Tensor) -> int:
        """Give how many bytes of this tensor one call of the module takes or gives."""
        sizes = (tensor.shape or ())[1 if self.is_by_row(tensor) else 0 :]
        return ITEM_BYTES[tensor.dtype] * math.prod(int(size) for size in sizes)

    @property
    def weight_bytes(self) -> int:
        """How many bytes of weights one load reads."""
        return sum(weight.size for weight in self.weights)

    def encode(self) -> bytes:
        """Give the canonical bytes (RFC 8785).

        Raises:
            ModuleMalformed: a number or a text that has no canonical form.
        """
        form: dict[str, Json] = {
            "abi": ABI,
            "engine": self.engine,
            "answer": self.answer,
            "source": self.source.hex(),
            "inputs": [tensor.to_json() for tensor in self.inputs],
            "outputs": [tensor.to_json() for tensor in self.outputs],
            "rows": self.rows,
            "weights": [weight.to_json() for weight in self.weights],
            "arena_bytes": self.arena_bytes,
            "toolchain": self.toolchain,
        }
        try:
            return encode(form)
        except CaimiError as error:
            raise ModuleMalformed(f"Its metadata: {error.what}") from error

    @classmethod
    def decode(cls, data: bytes) -> Metadata:
        """Read canonical bytes; unknown fields are refused.

        Raises:
            ModuleMalformed: with the place.
        """
        try:
            fields = JsonFields(decode(data, MAX_METADATA_BYTES), "metadata")
            engine = fields.text("engine", 64)
            _check_revision(engine)
            fields.integer("abi", ABI, ABI)
            metadata = cls(
                engine=engine,
                answer=fields.text("answer", 64),
                source=fields.hexadecimal("source", 32),
                inputs=fields.objects("inputs", MAX_TENSORS, Tensor.read),
                outputs=fields.objects("outputs", MAX_TENSORS, Tensor.read),
                rows=None if fields.raw("rows") is None else fields.text("rows", 64),
                weights=fields.objects("weights", MAX_WEIGHTS, Weight.read),
                arena_bytes=fields.integer("arena_bytes", 0, 2**32),
                toolchain=fields.text("toolchain", 256, least=0),
            )
            fields.done()
        except ModuleMalformed:
            raise
        except CaimiError as error:
            raise ModuleMalformed(f"Its metadata: {error.what}") from error
        return metadata

    def _check(self, tensor: Tensor) -> None:
        if tensor.dtype not in ITEM_BYTES:
            raise ModuleMalformed(f"{tensor.name!r} is {tensor.dtype}, which no module takes.")
        if tensor.shape is None:
            raise ModuleMalformed(f"{tensor.name!r} has no fixed rank.")
        free = tensor.shape[1 if self.is_by_row(tensor) else 0 :]
        if not all(isinstance(size, int) for size in free):
            raise ModuleMalformed(f"{tensor.name!r} has shape {list(tensor.shape)}: not fixed.")
        if self.call_bytes(tensor) > MAX_TENSOR_BYTES:
            raise ModuleMalformed(f"{tensor.name!r} is over {MAX_TENSOR_BYTES} bytes.")


def _check_revision(engine: str) -> None:
    found = _ENGINE.fullmatch(engine)
    if found is None or int(found[1]) == REVISION:
        return
    older = int(found[1]) < REVISION
    why = (
        "its revision gave other bits, and wrong answers for some models"
        if older
        else "a newer release made it"
    )
    raise ModuleMalformed(f"It is of {engine}, and this release runs revision {REVISION}: {why}.")
