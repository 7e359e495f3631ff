"""The ways to compile a model: known also where nothing that compiles is installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from caimi.inference.wasm.compiling.toolchain import Target
from caimi.inference.wasm.metadata import REVISION

_SIMD: Final = ("-msimd128", "-mbulk-memory", "-mnontrapping-fptoint")


@dataclass(frozen=True, slots=True)
class Variant:
    """A way to compile, with an engine id of its own; those of one `answer` give the same bits."""

    name: str
    target: Target
    answer: str
    float64_sums: bool = False
    int8: bool = False

    @property
    def engine_id(self) -> str:
        """The id that metadata and receipts name."""
        return f"caimi-wasm/{REVISION}/{self.name}"

    @property
    def answer_id(self) -> str:
        """The id of the one exact result, which metadata and receipts name beside the engine's."""
        return f"caimi/{REVISION}/{self.answer}"


VARIANTS: Final[Mapping[str, Variant]] = {
    variant.name: variant
    for variant in (
        Variant("simd", Target(_SIMD), "f32"),
        Variant("mvp", Target(("-mcpu=mvp",)), "f32"),
        Variant("f64", Target(_SIMD, ("CAIMI_FLOAT64_SUMS",)), "f64", float64_sums=True),
        Variant("int8", Target(_SIMD), "int8", int8=True),
    )
}
SIMD: Final = VARIANTS["simd"]
