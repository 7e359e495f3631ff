"""Tensors in files: .npy and .npz as NumPy writes them, and JSON lists.

Nothing in a file is run, and nothing is unpacked before its size is known and bounded.
"""

from __future__ import annotations

import io
import json
import math
import stat
import tokenize
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.lib import format as npy

from caimi.errors.base import CaimiError
from caimi.errors.inference import TensorsNotWritten, UnreadableTensors, WrongInput
from caimi.errors.operations import ResultElsewhere
from caimi.inference.tensors import MAX_TENSORS, Array, Tensors, check_tensors
from caimi.json_text import read_json
from caimi.models.tensor import Tensor
from caimi.places import check_file_place, keep_result, write_result

MAX_FILE_BYTES: Final = 1 << 30
_HEADERS: Final = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_PLAIN_KINDS: Final = "biufcU"
_DAMAGED_HEADER: Final = (
    KeyError,
    ValueError,
    TypeError,
    OverflowError,
    MemoryError,
    RecursionError,
    SyntaxError,
    tokenize.TokenError,
)
"""What NumPy's reader of headers, which parses them as Python literals, may raise."""
_ENDINGS: Final = (".npz", ".json")
_PACKING: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGED_ZIP: Final = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
)
_JSON_TYPES: Final[Mapping[str, set[type]]] = {
    "b": {bool},
    "i": {int},
    "u": {int},
    "f": {int, float},
}


def read_tensors(path: Path, signature: Sequence[Tensor]) -> dict[str, Array]:
    """Read inputs from a .npy, .npz or .json file, and check them against a signature.

    A .npy file, or a JSON list, is the model's only input. JSON numbers take the declared types.

    Raises:
        UnreadableTensors: the file is none of these, too large, or holds pickled objects.
        WrongInput: a tensor does not fit the signature.
    """
    data = _read(path)
    match path.suffix:
        case ".npy":
            return check_tensors({_only(signature).name: _parse_npy(data, path)}, signature)
        case ".npz":
            return check_tensors(_parse_npz(data, path), signature)
        case ".json":
            return parse_json(data, signature)
    raise UnreadableTensors(f"{path} is neither .npy nor .npz nor .json.")


def _read(path: Path) -> bytes:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait for its other end
            raise UnreadableTensors(f"{path} is no file.")
        if found.st_size > MAX_FILE_BYTES:
            raise UnreadableTensors(
                f"{path} has {found.st_size} bytes, more than {MAX_FILE_BYTES} bytes."
            )
        with path.open("rb") as file:
            return file.read(found.st_size)
    except OSError as error:
        raise UnreadableTensors(f"{path} cannot be read: {error.strerror}.") from error


def _parse_npy(data: bytes, path: Path) -> Array:
    file = io.BytesIO(data)
    try:
        header = _HEADERS[npy.read_magic(file)]
        shape, fortran, dtype = header(file)
    except _DAMAGED_HEADER as error:
        raise UnreadableTensors(f"{path} has no .npy header: {str(error)[:200]}.") from error
    if dtype.hasobject or dtype.kind not in _PLAIN_KINDS or not dtype.itemsize:
        raise UnreadableTensors(f"{path} holds {dtype}, which is no plain type of elements.")
    declared = math.prod(shape) * dtype.itemsize
    if any(size < 0 for size in shape) or declared != len(data) - file.tell():
        raise UnreadableTensors(
            f"{path} holds {len(data) - file.tell()} bytes for shape {shape} of {dtype}."
        )
    try:
        flat = np.frombuffer(data, dtype, offset=file.tell()) if declared else np.empty(0, dtype)
        return flat.reshape(shape, order="F" if fortran else "C").copy()
    except (ValueError, OverflowError) as error:
        raise UnreadableTensors(f"{path} has the impossible shape {shape}.") from error


def _parse_npz(data: bytes, path: Path) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if len(members) > MAX_TENSORS or total > MAX_FILE_BYTES:
                raise UnreadableTensors(
                    f"{path} unpacks to {len(members)} tensors of {total} bytes, more than it may."
                )
            tensors = {
                member.filename.removesuffix(".npy"): _parse_npy(_unpack(archive, member), path)
                for member in members
            }
    except _DAMAGED_ZIP as error:
        raise UnreadableTensors(f"{path} is no .npz file: {error}.") from error
    if len(tensors) != len(members):
        raise UnreadableTensors(f"{path} holds two tensors of one name.")
    return tensors


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Unpack a member, no further than the size it declares: that may be a lie."""
    if member.compress_type not in _PACKING:
        raise zipfile.BadZipFile(f"{member.filename[:80]!r} is packed as no .npz member is")
    with archive.open(member) as packed:
        data = packed.read(member.file_size)
        if len(data) != member.file_size or packed.read(1):
            raise zipfile.BadZipFile(f"{member.filename[:80]!r} is not as long as declared")
    return data


def parse_json(data: bytes, signature: Sequence[Tensor]) -> dict[str, Array]:
    """Read inputs from JSON: an object of nested lists by name, or a list for the only input.

    Raises:
        UnreadableTensors: it is not such JSON; NaN and Infinity are not.
        WrongInput: a tensor does not fit the signature, or a number does not fit its type.
    """
    try:
        document = read_json(data, parse_constant=_refuse_constant)
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


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _from_lists(name: str, value: object, spec: Tensor | None) -> Array:
    if spec is None:
        return np.zeros(())
    try:
        if spec.dtype == "string":
            return np.array(value, dtype=object)
        return _numbers(value, np.dtype(spec.dtype))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise WrongInput(f"Input {name!r} is no array of {spec.dtype}: {error}.") from error


def _numbers(value: Any, dtype: np.dtype[Any]) -> Array:  # noqa: ANN401 - what JSON gave
    found = set(map(type, np.array(value, dtype=object).ravel()))
    wrong = found - _JSON_TYPES.get(dtype.kind, set())
    if wrong:
        raise ValueError(f"it holds {wrong.pop().__name__}")
    with np.errstate(over="ignore"):
        numbers = np.array(value, dtype=dtype)
    if dtype.kind == "f" and not np.isfinite(numbers).all():
        raise OverflowError("a number is too large for it")
    return numbers


def _only(signature: Sequence[Tensor]) -> Tensor:
    if len(signature) != 1:
        names = ", ".join(spec.name for spec in signature)
        raise WrongInput(f"The model takes {len(signature)} inputs: name them ({names}).")
    return signature[0]


def check_tensor_place(path: Path) -> None:
    """See to it that tensors can be written to `path`, before they cost anything.

    Raises:
        TensorsNotWritten: its name ends otherwise than in .npz or .json.
        OutputUnusable: nothing can be written there.
    """
    if path.suffix not in _ENDINGS:
        raise TensorsNotWritten(f"{path} is neither .npz nor .json.")
    check_file_place(path)


def write_tensors(path: Path, tensors: Tensors) -> None:
    """Write tensors as .npz or .json, whole or not at all.

    Raises:
        TensorsNotWritten: the file's name ends otherwise, it cannot be written, or the tensors have
            values that JSON lacks.
    """
    data = _encoded(path, tensors)
    try:
        write_result(path, data)
    except OSError as error:
        raise TensorsNotWritten(f"{path} cannot be written: {error.strerror}.") from error


def keep_tensors(path: Path, tensors: Tensors) -> CaimiError | None:
    """Write tensors that cost something: elsewhere, or as .npz, where `path` cannot take them.

    Gives the error to raise once everything else is kept; it says where they are.
    """
    refused: CaimiError | None = None
    for ending in dict.fromkeys((path.suffix, *_ENDINGS)):
        kept = path.with_suffix(ending)
        try:
            lost = keep_result(kept, _encoded(kept, tensors), "The answer")
        except TensorsNotWritten as error:
            refused = refused or error
            continue
        if lost is None and refused is not None:
            return ResultElsewhere(f"{refused.what} The answer is in {kept}.", why=refused.why)
        return lost
    return refused


def _encoded(path: Path, tensors: Tensors) -> bytes:
    try:
        match path.suffix:
            case ".npz":
                data = io.BytesIO()
                _write_npz(data, tensors)
                return data.getvalue()
            case ".json":
                lists = {name: value.tolist() for name, value in tensors.items()}
                return json.dumps(lists, allow_nan=False).encode()
    except (ValueError, TypeError) as error:
        raise TensorsNotWritten(f"{path} cannot hold these values: {error}.") from error
    raise TensorsNotWritten(f"{path} is neither .npz nor .json.")


def _write_npz(file: io.BytesIO, tensors: Tensors) -> None:
    # numpy.savez takes names as keyword arguments, and so cannot write a tensor named `file`.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, value in tensors.items():
            plain = value.astype(str) if value.dtype.kind == "O" else value
            if plain is not value and not np.array_equal(plain.astype(object), value):
                raise ValueError("NumPy drops NUL at the end of a string")
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                npy.write_array(member, plain, allow_pickle=False)
