"""Tensors by signature: reading, checking, writing, hashing."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from caimi.errors.inference import UnreadableTensors, WrongInput
from caimi.hashing import sha256
from caimi.models.tensor import UNKNOWN, Tensor

Array = npt.NDArray[np.generic]
Tensors = Mapping[str, Array]

MAX_FILE_BYTES: Final = 1 << 30
MAX_TENSORS: Final = 1024
_DOMAIN: Final = b"caimi/tensors/v1"
_SYMBOLIC_SIZE: Final = 8


def hash_tensors(tensors: Tensors) -> bytes:
    """Hash named tensors, 32 bytes, independent of their order and memory layout.

    SHA-256 of ``caimi/tensors/v1``, the number of tensors (4 bytes), and for each, sorted by name:
    name length (2) and UTF-8, dtype length (1) and numpy name, rank (1), each dimension (8), then
    the elements, little-endian in C order. Numbers are big-endian. String tensors are hashed as
    UTF-8, each with a length of 8 bytes before it.
    """
    parts = [_DOMAIN, len(tensors).to_bytes(4)]
    for name in sorted(tensors):
        value = tensors[name]
        text, kind = name.encode(), _dtype_name(value)
        parts += [len(text).to_bytes(2), text, len(kind).to_bytes(1), kind.encode()]
        parts += [value.ndim.to_bytes(1), *(size.to_bytes(8) for size in value.shape)]
        parts.append(_elements(value))
    return sha256(b"".join(parts))


def _dtype_name(value: Array) -> str:
    return "string" if value.dtype.kind in "OUS" else value.dtype.name


def _elements(value: Array) -> bytes:
    if value.dtype.kind in "OUS":
        texts = [str(item).encode() for item in value.ravel()]
        return b"".join(len(text).to_bytes(8) + text for text in texts)
    return value.astype(value.dtype.newbyteorder("<"), copy=False).tobytes()


def check_tensors(tensors: Tensors, signature: Sequence[Tensor]) -> dict[str, Array]:
    """Check tensors against a signature and give them in its order.

    A symbolic dimension takes any size, the same wherever its name stands.

    Raises:
        WrongInput: one is missing, unknown, or of another type or shape.
    """
    expected = ", ".join(map(str, signature))
    unknown = sorted(set(tensors) - {spec.name for spec in signature})
    if unknown:
        raise WrongInput(f"The model has no input {unknown[0]!r}; it takes {expected}.")
    sizes: dict[str, int] = {}
    checked = {}
    for spec in signature:
        if spec.name not in tensors:
            raise WrongInput(f"Input {spec.name!r} is missing; the model takes {expected}.")
        checked[spec.name] = _check(tensors[spec.name], spec, sizes)
    return checked


def _check(value: Array, spec: Tensor, sizes: dict[str, int]) -> Array:
    if _dtype_name(value) != spec.dtype:
        raise WrongInput(f"Input {spec.name!r} is {_dtype_name(value)}, not {spec.dtype}.")
    if spec.shape is not None and not _fits(value.shape, spec.shape, sizes):
        raise WrongInput(
            f"Input {spec.name!r} has shape {list(value.shape)}, not {list(spec.shape)}."
        )
    return np.ascontiguousarray(value)


def _fits(shape: tuple[int, ...], wanted: tuple[int | str, ...], sizes: dict[str, int]) -> bool:
    return len(shape) == len(wanted) and all(
        asked == UNKNOWN
        or size == (sizes.setdefault(asked, size) if isinstance(asked, str) else asked)
        for size, asked in zip(shape, wanted, strict=True)
    )


def read_tensors(path: Path, signature: Sequence[Tensor]) -> dict[str, Array]:
    """Read inputs from a .npy, .npz or .json file, and check them against a signature.

    A .npy file, or a JSON list, is the model's only input. JSON numbers take the declared types.

    Raises:
        UnreadableTensors: the file is none of these, too large, or holds pickled objects.
        WrongInput: a tensor does not fit the signature.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise UnreadableTensors(f"{path} has {size} bytes, more than {MAX_FILE_BYTES}.")
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableTensors(f"{path} cannot be read: {error.strerror}.") from error
    match path.suffix:
        case ".npy":
            return check_tensors({_only(signature).name: _load_npy(data, path)}, signature)
        case ".npz":
            return check_tensors(_load_npz(data, path), signature)
        case ".json":
            return parse_json(data, signature)
    raise UnreadableTensors(f"{path} is neither .npy nor .npz nor .json.")


def _load_npy(data: bytes, path: Path) -> Array:
    try:
        loaded = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:
        raise UnreadableTensors(f"{path} is no plain .npy file: {error}.") from error
    if not isinstance(loaded, np.ndarray):
        raise UnreadableTensors(f"{path} is no plain .npy file.")
    return loaded


def _load_npz(data: bytes, path: Path) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if len(members) > MAX_TENSORS or total > MAX_FILE_BYTES:
                raise UnreadableTensors(
                    f"{path} unpacks to {len(members)} tensors of {total} bytes, more than it may."
                )
            return {
                member.filename.removesuffix(".npy"): _load_npy(archive.read(member), path)
                for member in members
            }
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise UnreadableTensors(f"{path} is no .npz file: {error}.") from error


def parse_json(data: bytes, signature: Sequence[Tensor]) -> dict[str, Array]:
    """Read inputs from JSON: an object of nested lists by name, or a list for the only input.

    Raises:
        UnreadableTensors: it is not such JSON.
        WrongInput: a tensor does not fit the signature.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UnreadableTensors(f"The input is not JSON: {error}.") from error
    if isinstance(document, list):
        document = {_only(signature).name: document}
    if not isinstance(document, dict):
        raise UnreadableTensors("The input is neither a JSON object nor a list.")
    specs = {spec.name: spec for spec in signature}
    return check_tensors(
        {name: _from_lists(name, value, specs.get(name)) for name, value in document.items()},
        signature,
    )


def _from_lists(name: str, value: object, spec: Tensor | None) -> Array:
    if spec is None:
        return np.zeros(())
    dtype = np.dtype(object) if spec.dtype == "string" else np.dtype(spec.dtype)
    try:
        return np.array(value, dtype=dtype)
    except (ValueError, TypeError, OverflowError) as error:
        raise WrongInput(f"Input {name!r} is no array of {spec.dtype}: {error}.") from error


def _only(signature: Sequence[Tensor]) -> Tensor:
    if len(signature) != 1:
        names = ", ".join(spec.name for spec in signature)
        raise WrongInput(f"The model takes {len(signature)} inputs: name them ({names}).")
    return signature[0]


def write_tensors(path: Path, tensors: Tensors) -> None:
    """Write tensors as .npz or .json.

    Raises:
        UnreadableTensors: the file's name ends otherwise.
    """
    match path.suffix:
        case ".npz":
            np.savez(path, allow_pickle=False, **dict(tensors))
        case ".json":
            lists = {name: value.tolist() for name, value in tensors.items()}
            path.write_text(json.dumps(lists), encoding="utf-8")
        case _:
            raise UnreadableTensors(f"{path} is neither .npz nor .json.")


def random_tensors(signature: Sequence[Tensor], seed: int) -> dict[str, Array]:
    """Make inputs of seeded noise that fit a signature; symbolic dimensions become 8.

    Raises:
        WrongInput: the signature has a type that noise cannot be made of.
    """
    noise = np.random.default_rng(seed)
    made: dict[str, Array] = {}
    for spec in signature:
        shape = [_SYMBOLIC_SIZE if isinstance(size, str) else size for size in spec.shape or ()]
        if spec.dtype == "string":
            raise WrongInput(f"No noise can be made for {spec.name!r} of strings.")
        made[spec.name] = noise.integers(0, 2, shape).astype(spec.dtype)
        if np.dtype(spec.dtype).kind == "f":
            made[spec.name] = noise.standard_normal(shape).astype(spec.dtype)
    return made
