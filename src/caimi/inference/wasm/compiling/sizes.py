"""Sizes for a model's open dimensions, as people give them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from caimi.errors.inference import WrongInput
from caimi.inference.wasm.compiling.graph import open_model, signatures

_SIZE: Final = re.compile(r"([^=]{1,64})=([0-9]{1,9})")


def sizes_of(file: Path, given: Sequence[str]) -> dict[str, tuple[int, ...]] | None:
    """Give every input's shape for sizes such as ``rows=8``; None when none are given.

    Raises:
        WrongInput: one is not of that form, names no open dimension, or one is left open.
        ModelNotRunnable: `file` is no model.
    """
    if not given:
        return None
    sizes: dict[str, int] = {}
    for text in given:
        found = _SIZE.fullmatch(text)
        if found is None:
            raise WrongInput(f"{text[:80]!r} is no size such as rows=8.")
        sizes[found[1]] = int(found[2])
    inputs, _ = signatures(open_model(file).proto, file.name)
    symbols = {size for spec in inputs for size in spec.shape or () if isinstance(size, str)}
    if symbols != set(sizes):
        raise WrongInput(f"The open dimensions are {sorted(symbols)}; given: {sorted(sizes)}.")
    return {
        spec.name: tuple(sizes[s] if isinstance(s, str) else s for s in spec.shape or ())
        for spec in inputs
    }
