"""Formats that run code when they are loaded, recognised by content before name.

Pickle in every coat it travels in (bare, PyTorch archives, joblib, compressed, NumPy object arrays,
zip and tar in each other), Keras models with Lambda layers, TensorFlow SavedModels, byte code and
native programs; and archives that nobody can look into.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import IO, Final, cast

from caimi.models.coats import MAX_DEPTH, CannotLookInto, UnpackingAllowance, closed_kind, inside
from caimi.models.files import PackageFile
from caimi.models.pickle_scan import scan
from caimi.models.pickle_search import find_inside, holds_objects

KINDS: Final = frozenset({"pickle", "keras-lambda", "tensorflow-graph", "native-code", "archive"})
"""The names by which a publisher, or whoever pulls, may permit a format."""

_HEAD_BYTES: Final = 64 * 1024
_WINDOW: Final = 1024 * 1024
_NATIVE: Final = (
    b"\x7fELF",
    b"MZ",
    b"\xfe\xed\xfa",
    b"\xcf\xfa\xed\xfe",
    b"\xce\xfa\xed\xfe",
    b"!<arch>\n",
)
_PICKLE_SUFFIXES: Final = (".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth", ".ckpt")
_NATIVE_SUFFIXES: Final = (".pyc", ".so", ".dll", ".dylib", ".exe")
_HDF: Final = b"\x89HDF\r\n\x1a\n"
_HDF_STARTS: Final = (0, *(512 << power for power in range(8)))
"""HDF5 files begin at zero or behind a user's block of a power of two."""
_LAMBDA: Final = re.compile(rb'"class_name"\s*:\s*"Lambda"')
_ESCAPED: Final = re.compile(rb"\\u00([2-7][0-9a-fA-F])")
_GRAPH: Final = "a TensorFlow SavedModel can read, write and run anything"


@dataclass(frozen=True, slots=True)
class CodeFound:
    """Loading the file can run code: one of `KINDS`, and why we say so."""

    kind: str
    reason: str


def find_code(file: PackageFile) -> CodeFound | None:
    """Look into a file and all that it holds; None when nothing says that loading it runs code.

    Blocking: it reads the whole file, and what is packed in it up to a bound.

    Raises:
        SourceChanged: the file is gone or has changed.
    """
    with file.open() as raw:
        stream = cast("IO[bytes]", io.BufferedReader(raw))
        try:
            return _look(stream, file.path, "it", UnpackingAllowance(file.size), MAX_DEPTH)
        except CannotLookInto as reason:
            return CodeFound("archive", str(reason))


def _look(
    stream: IO[bytes], path: str, where: str, allowance: UnpackingAllowance, depth: int
) -> CodeFound | None:
    """Look at one file or member with every eye: a file can be several formats at once."""
    head = stream.read(_HEAD_BYTES)
    found = _by_head(head, where) or _by_pickle(stream, where) or _by_keras(stream, path, where)
    if found:
        return found
    for name, content in inside(stream, head, allowance):
        if not depth:
            raise CannotLookInto(f"it is packed more than {MAX_DEPTH} times")
        member = f"{where[:200]} holds {name[-80:]!r}, which" if name else f"{where} is packed, and"
        if found := _look(content, name or path, member, allowance, depth - 1):
            return found
    return _by_name(path) or _closed(path, head)


def _by_name(path: str) -> CodeFound | None:
    name = path.rpartition("/")[2].lower()
    if name in {"saved_model.pb", "saved_model.pbtxt"}:
        return CodeFound("tensorflow-graph", _GRAPH)
    for kind, suffixes in (("pickle", _PICKLE_SUFFIXES), ("native-code", _NATIVE_SUFFIXES)):
        if name.endswith(suffixes):
            return CodeFound(kind, f"files named {name[-20:]} run what they hold when loaded")
    return None


def _closed(path: str, head: bytes) -> CodeFound | None:
    kind = closed_kind(path, head)
    return None if kind is None else CodeFound("archive", f"it is {kind}, and could hold anything")


def _by_head(head: bytes, where: str) -> CodeFound | None:
    if head.startswith(_NATIVE):
        return CodeFound("native-code", f"{where} is a program or a native library")
    if head.startswith(b"\x93NUMPY") and holds_objects(head):
        return CodeFound("pickle", f"{where} is a NumPy array of objects, which are pickled")
    if head.startswith(b"\x08\x01\x12") and b"serving_default" in head:
        return CodeFound("tensorflow-graph", _GRAPH)
    return None


def _by_pickle(stream: IO[bytes], where: str) -> CodeFound | None:
    stream.seek(0)
    if scan(stream).is_pickle:
        return CodeFound("pickle", f"{where} is a pickle, which runs code when it is loaded")
    stream.seek(0)
    if hidden := find_inside(stream):
        return CodeFound("pickle", f"{where} has {hidden} among its bytes")
    return None


def _by_keras(stream: IO[bytes], path: str, where: str) -> CodeFound | None:
    """Look for Lambda layers in a model's configuration, which is JSON, in overlapping windows."""
    if not path.endswith("config.json") and not _is_hdf(stream):
        return None
    stream.seek(0)
    tail = b""
    while part := stream.read(_WINDOW):
        window = _ESCAPED.sub(lambda escape: bytes.fromhex(escape[1].decode()), tail + part)
        if _LAMBDA.search(window):
            return CodeFound("keras-lambda", f"{where} holds a Lambda layer: Python byte code")
        tail = (tail + part)[-512:]
    return None


def _is_hdf(stream: IO[bytes]) -> bool:
    for start in _HDF_STARTS:
        stream.seek(start)
        if stream.read(len(_HDF)) == _HDF:
            return True
    return False
