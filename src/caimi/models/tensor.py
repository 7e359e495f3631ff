"""What goes into a model and what comes out: names, element types and shapes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from caimi.errors.models import ManifestMalformed
from caimi.models.strict_json import MAX_SAFE_INTEGER, Json, JsonFields, check_text

MAX_NAME: Final = 256
MAX_RANK: Final = 32
UNKNOWN: Final = "?"
"""The symbol of a dimension that the model leaves open without naming it."""

DTYPES: Final = frozenset(
    {
        "float16",
        "float32",
        "float64",
        "bfloat16",
        "float8e4m3fn",
        "float8e4m3fnuz",
        "float8e5m2",
        "float8e5m2fnuz",
        "float8e8m0",
        "float4e2m1",
        "int2",
        "int4",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint2",
        "uint4",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "bool",
        "string",
        "complex64",
        "complex128",
        "sequence",
        "map",
        "optional",
        "sparse",
    }
)
"""Element types by their NumPy names (ONNX names where NumPy has none); containers by kind."""

_SYMBOL: Final = re.compile(r"\?|[^\s?][^\x00-\x1f]{0,63}")


def open_dimension(name: str) -> str:
    """Give the symbol of a dimension that a model leaves open under `name`.

    It is the name, or `UNKNOWN` where that is empty or no symbol: exporters write whole formulas,
    which say nothing that a caller could state.
    """
    return name if _SYMBOL.fullmatch(name) else UNKNOWN


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output: `shape` holds sizes and symbols; None where even the rank is open.

    Construction raises `ManifestMalformed`.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...] | None

    def __post_init__(self) -> None:
        check_text("A tensor's name", self.name, MAX_NAME)
        if self.dtype not in DTYPES:
            raise ManifestMalformed(f"{self.name!r} has the unknown type {self.dtype[:40]!r}.")
        if self.shape is not None and len(self.shape) > MAX_RANK:
            raise ManifestMalformed(f"{self.name!r} has rank {len(self.shape)}, over {MAX_RANK}.")
        for size in self.shape or ():
            if not _is_dimension(size):
                raise ManifestMalformed(f"{self.name!r} has the dimension {str(size)[:80]!r}.")

    def __str__(self) -> str:
        """Give one line for people, such as ``image float32 [1, 3, 224, 224]``."""
        sizes = "of any rank" if self.shape is None else f"[{', '.join(map(str, self.shape))}]"
        return f"{self.name} {self.dtype} {sizes}"

    def to_json(self) -> dict[str, Json]:
        """Give the manifest's form."""
        shape: Json = None if self.shape is None else list(self.shape)
        return {"name": self.name, "dtype": self.dtype, "shape": shape}

    @classmethod
    def read(cls, fields: JsonFields) -> Tensor:
        """Read the manifest's form; raises `ManifestMalformed`."""
        shape = fields.raw("shape")
        if shape is not None and not isinstance(shape, list | tuple):
            fields.refuse("shape", "is not a list")
        sizes: list[int | str] = []
        for size in shape or ():
            if not isinstance(size, int | str) or isinstance(size, bool):
                fields.refuse("shape", "holds something other than integers and names")
            sizes.append(size)
        return cls(
            name=fields.text("name", MAX_NAME),
            dtype=fields.text("dtype", 32),
            shape=None if shape is None else tuple(sizes),
        )


def _is_dimension(size: int | str) -> bool:
    if isinstance(size, str):
        return _SYMBOL.fullmatch(size) is not None
    return 0 <= size <= MAX_SAFE_INTEGER
