"""Named tensors: hashing them, and checking them against a signature."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import prod
from typing import Final

import numpy as np
import numpy.typing as npt

from caimi.errors.inference import WrongInput
from caimi.models.tensor import UNKNOWN, Tensor

Array = npt.NDArray[np.generic]
Tensors = Mapping[str, Array]

MAX_TENSORS: Final = 1024
_DOMAIN: Final = b"caimi/tensors/v1"
_SYMBOLIC_SIZE: Final = 8
_MAX_NOISE: Final = 1 << 26
_NOISE_OF: Final = frozenset(
    {
        *("float16", "float32", "float64", "bool"),
        *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    }
)


def hash_tensors(tensors: Tensors) -> bytes:
    """Hash named tensors, 32 bytes, independent of their order and memory layout.

    SHA-256 of ``caimi/tensors/v1``, the number of tensors (4 bytes), and for each, sorted by name:
    name length (2) and UTF-8, dtype length (1) and numpy name, rank (1), each dimension (8), then
    the elements, little-endian in C order. Numbers are big-endian. String tensors are hashed as
    UTF-8, each with a length of 8 bytes before it.
    """
    state = hashlib.sha256(_DOMAIN + len(tensors).to_bytes(4))
    for name in sorted(tensors):
        value = tensors[name]
        text, kind = name.encode(), dtype_name(value).encode()
        sizes = b"".join(size.to_bytes(8) for size in value.shape)
        state.update(len(text).to_bytes(2) + text + len(kind).to_bytes(1) + kind)
        state.update(value.ndim.to_bytes(1) + sizes)
        state.update(_elements(value))
    return state.digest()


def dtype_name(value: Array) -> str:
    """Give the name of the elements' type, as signatures and hashes have it."""
    return _name_of(value.dtype)


@lru_cache(maxsize=256)
def _name_of(dtype: np.dtype[np.generic]) -> str:
    return "string" if dtype.kind in "OU" else dtype.name


def _elements(value: Array) -> bytes | memoryview:
    if value.dtype.kind in "OU":
        texts = [str(item).encode() for item in value.ravel()]
        return b"".join(len(text).to_bytes(8) + text for text in texts)
    little = value.astype(value.dtype.newbyteorder("<"), order="C", copy=False)
    return little.reshape(-1).view(np.uint8).data


def check_tensors(tensors: Tensors, signature: Sequence[Tensor]) -> dict[str, Array]:
    """Check tensors against a signature and give them in its order.

    A symbolic dimension takes any size, the same wherever its name stands.

    Raises:
        WrongInput: one is missing, unknown, or of another type or shape.
    """
    unknown = set(tensors) - {spec.name for spec in signature}
    if unknown:
        raise WrongInput(f"The model has no input {min(unknown)!r}; it takes {_listed(signature)}.")
    sizes: dict[str, int] = {}
    checked = {}
    for spec in signature:
        if spec.name not in tensors:
            raise WrongInput(
                f"Input {spec.name!r} is missing; the model takes {_listed(signature)}."
            )
        checked[spec.name] = _check(tensors[spec.name], spec, sizes)
    return checked


def _listed(signature: Sequence[Tensor]) -> str:
    return ", ".join(map(str, signature))


def _check(value: Array, spec: Tensor, sizes: dict[str, int]) -> Array:
    if dtype_name(value) != spec.dtype:
        raise WrongInput(f"Input {spec.name!r} is {dtype_name(value)}, not {spec.dtype}.")
    if spec.shape is not None and not fits(value.shape, spec.shape, sizes):
        raise WrongInput(
            f"Input {spec.name!r} has shape {list(value.shape)}, not {list(spec.shape)}."
        )
    if spec.dtype == "string":
        return _texts(value, spec)
    if value.dtype.isnative and value.flags.c_contiguous:
        return np.asarray(value)
    return np.asarray(value.astype(value.dtype.newbyteorder("="), order="C", copy=False))


def _texts(value: Array, spec: Tensor) -> Array:
    try:
        for text in value.ravel():
            if not isinstance(text, str):
                raise WrongInput(f"Input {spec.name!r} has an element that is no string.")
            text.encode()
    except UnicodeEncodeError as error:
        raise WrongInput(f"Input {spec.name!r} has a string that is no Unicode text.") from error
    return value.astype(object)


def fits(shape: tuple[int, ...], wanted: tuple[int | str, ...], sizes: dict[str, int]) -> bool:
    """Whether a shape is the one wanted; `sizes` are those of symbols, and it adds new ones."""
    return len(shape) == len(wanted) and all(
        asked == UNKNOWN
        or size == (sizes.setdefault(asked, size) if isinstance(asked, str) else asked)
        for size, asked in zip(shape, wanted, strict=True)
    )


def random_tensors(
    signature: Sequence[Tensor], seed: int, *, rows: int = _SYMBOLIC_SIZE, inner: int | None = None
) -> dict[str, Array]:
    """Make inputs of seeded noise that fit a signature.

    Open dimensions that lead an input become `rows`, others `inner`, by default the same; a name
    has one size wherever it stands.

    Raises:
        WrongInput: the signature has a type that noise cannot be made of, or is too large.
    """
    noise = np.random.default_rng(seed)
    leading = {spec.shape[0] for spec in signature if spec.shape}
    made: dict[str, Array] = {}
    for spec in signature:
        if spec.dtype not in _NOISE_OF:
            raise WrongInput(f"No noise can be made for {spec.name!r} of type {spec.dtype}.")
        shape = [
            size
            if isinstance(size, int)
            else rows
            if axis == 0 or (size in leading and size != UNKNOWN)
            else inner or rows
            for axis, size in enumerate(spec.shape or ())
        ]
        if prod(shape) > _MAX_NOISE:
            raise WrongInput(f"{spec} takes over {_MAX_NOISE} numbers, too many for noise.")
        made[spec.name] = noise.integers(0, 2, shape).astype(spec.dtype)
        if np.dtype(spec.dtype).kind == "f":
            made[spec.name] = noise.standard_normal(shape).astype(spec.dtype)
    return made
