"""Sizes of a model's open dimensions, as people give them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from caimi.errors.inference import WrongInput
from caimi.inference.wasm.compiling.graph import open_model, signatures
from caimi.models.tensor import UNKNOWN, Tensor

_SIZE: Final = re.compile(r"(.{1,256})=([0-9]{1,9}(?:x[0-9]{1,9})*)", re.DOTALL)


def sizes_of(file: Path, given: Sequence[str]) -> dict[str, tuple[int, ...]] | None:
    """Give every input's shape; None when no sizes are given.

    A size is that of an open dimension by its symbol, such as ``rows=8``, or the whole shape of an
    input, such as ``image=1x3x224x224``, which dimensions without a symbol need.

    Raises:
        WrongInput: one is not of that form, names nothing open, or a dimension is left open.
        ModelNotRunnable: `file` is no model.
    """
    if not given:
        return None
    inputs, _ = signatures(open_model(file).proto, file.name)
    names = {spec.name for spec in inputs}
    symbols = {size for spec in inputs for size in spec.shape or () if isinstance(size, str)}
    sizes: dict[str, int] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for text in given:
        found = _SIZE.fullmatch(text)
        if found is None:
            raise WrongInput(f"{text[:80]!r} is no size such as rows=8 or image=1x3x224x224.")
        name, numbers = found[1], tuple(map(int, found[2].split("x")))
        if name in symbols - {UNKNOWN} and len(numbers) == 1:
            sizes[name] = numbers[0]
        elif name in names:
            shapes[name] = numbers
        else:
            raise WrongInput(f"{name[:80]!r} is neither open nor an input; {_asked(inputs)}")
    return {spec.name: _shape(spec, sizes, shapes, inputs) for spec in inputs}


def _shape(
    spec: Tensor,
    sizes: dict[str, int],
    shapes: dict[str, tuple[int, ...]],
    inputs: Sequence[Tensor],
) -> tuple[int, ...]:
    if spec.name in shapes:
        return shapes[spec.name]
    if spec.shape is None or any(size not in sizes for size in spec.shape if isinstance(size, str)):
        raise WrongInput(f"{spec} is left open; {_asked(inputs)}")
    return tuple(sizes[s] if isinstance(s, str) else s for s in spec.shape)


def _asked(inputs: Sequence[Tensor]) -> str:
    """Say what may be given: symbols, and inputs whose shape must be given whole."""
    symbols = sorted(
        {s for spec in inputs for s in spec.shape or () if isinstance(s, str)} - {UNKNOWN}
    )
    whole = [spec.name for spec in inputs if spec.shape is None or UNKNOWN in spec.shape]
    parts = []
    if symbols:
        parts.append(f"open dimensions: {', '.join(symbols)}")
    if whole:
        parts.append(f"inputs whose shape must be given whole: {', '.join(whole)}")
    return f"{'; '.join(parts) or 'the model has nothing open'}."
