"""Formats that run code when they are loaded, recognised by content before name.

Pickle in every coat it travels in (bare, PyTorch archives, joblib, compressed, NumPy object
arrays), Keras models with Lambda layers, TensorFlow SavedModels, byte code and native programs.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO, Final

from caimi.models.files import PackageFile
from caimi.models.pickle_scan import scan

KINDS: Final = frozenset({"pickle", "keras-lambda", "tensorflow-graph", "native-code"})
"""The names by which a publisher may permit a format."""

_HEAD_BYTES: Final = 64 * 1024
_MAX_MEMBERS: Final = 20_000
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
_LAMBDA: Final = re.compile(rb'"class_name"\s*:\s*"Lambda"')
_OBJECT_DTYPE: Final = re.compile(rb"'descr'\s*:[^}]*'[|<>=]?O")
_GRAPH: Final = "a TensorFlow SavedModel can read, write and run anything"
_UNREADABLE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class CodeFound:
    """Loading the file can run code: one of `KINDS`, and why we say so."""

    kind: str
    reason: str


def find_code(file: PackageFile) -> CodeFound | None:
    """Look into a file; None when nothing says that loading it runs code.

    Raises:
        SourceChanged: the file is gone or has changed.
    """
    with file.open() as raw:
        return _by_content(io.BufferedReader(raw)) or _by_name(file.path)  # type: ignore[arg-type]


def _by_name(path: str) -> CodeFound | None:
    name = path.rpartition("/")[2].lower()
    if name in {"saved_model.pb", "saved_model.pbtxt"}:
        return CodeFound("tensorflow-graph", _GRAPH)
    for kind, suffixes in (("pickle", _PICKLE_SUFFIXES), ("native-code", _NATIVE_SUFFIXES)):
        if name.endswith(suffixes):
            return CodeFound(kind, f"files named {name[-20:]} run what they hold when loaded")
    return None


def _by_content(raw: io.BufferedReader) -> CodeFound | None:
    head = raw.read(_HEAD_BYTES)
    if head.startswith(_NATIVE):
        return CodeFound("native-code", "it is a program or a native library")
    if head.startswith(b"\x93NUMPY"):
        return _in_numpy(head)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return _in_keras(raw, "it")
    if head.startswith(b"PK\x03\x04"):
        return _in_zip(raw)
    if head.startswith(b"\x08\x01\x12") and b"serving_default" in head:
        return CodeFound("tensorflow-graph", _GRAPH)
    return _in_pickle(raw, head)


def _in_pickle(raw: io.BufferedReader, head: bytes) -> CodeFound | None:
    plain = _decompress(head)
    if plain is not None and scan(io.BytesIO(plain), whole=False).is_pickle:
        return CodeFound("pickle", "it is a compressed pickle, which runs code when it is loaded")
    raw.seek(0)
    signs = scan(raw)
    # The length that opens a safetensors file can look like a pickle's first opcodes.
    if signs.imports if _is_safetensors(head) else signs.is_pickle:
        return CodeFound("pickle", "it is a pickle, which runs code when it is loaded")
    return None


def _is_safetensors(head: bytes) -> bool:
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 2**27


def _in_numpy(head: bytes) -> CodeFound | None:
    width = 2 if head[6:7] == b"\x01" else 4
    length = int.from_bytes(head[8 : 8 + width], "little")
    if _OBJECT_DTYPE.search(head[8 + width : 8 + width + length]):
        return CodeFound("pickle", "it is a NumPy array of objects, which are pickled")
    return None


def _in_zip(raw: io.BufferedReader) -> CodeFound | None:
    try:
        with zipfile.ZipFile(raw) as archive:
            members = archive.infolist()
            if len(members) > _MAX_MEMBERS:
                return CodeFound("pickle", f"it is an archive of over {_MAX_MEMBERS} members")
            return next(filter(None, (_in_member(archive, member) for member in members)), None)
    except _UNREADABLE as error:
        return CodeFound("pickle", f"it is an archive that cannot be looked into: {error}")


def _in_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> CodeFound | None:
    name = member.filename[-80:]
    if name.endswith("config.json"):
        with archive.open(member) as stream:
            return _in_keras(stream, f"its member {name!r}")
    with archive.open(member) as stream:
        head = stream.read(_HEAD_BYTES)
    if head.startswith(b"\x93NUMPY"):
        return _in_numpy(head)
    whole = member.file_size <= _HEAD_BYTES
    if name.endswith(".pkl") or scan(io.BytesIO(head), whole=whole).is_pickle:
        return CodeFound("pickle", f"its member {name!r} is a pickle, as PyTorch saves them")
    return None


def _in_keras(stream: IO[bytes], where: str) -> CodeFound | None:
    """Look for Lambda layers in a model's configuration, which is JSON, in overlapping windows."""
    stream.seek(0)
    tail = b""
    while part := stream.read(_WINDOW):
        if _LAMBDA.search(tail + part):
            return CodeFound("keras-lambda", f"{where} holds a Lambda layer: Python byte code")
        tail = part[-128:]
    return None


def _decompress(head: bytes) -> bytes | None:
    """Give the first bytes of what joblib and others compressed, None when it is no such file."""
    try:
        if head.startswith(b"\x1f\x8b"):
            return gzip.GzipFile(fileobj=io.BytesIO(head)).read(1024)
        if head.startswith(b"BZh"):
            return bz2.BZ2Decompressor().decompress(head, 1024)
        if head.startswith((b"\xfd7zXZ", b"]\x00\x00")):
            return lzma.LZMADecompressor().decompress(head, 1024)
        if head[:1] == b"\x78":
            return zlib.decompressobj().decompress(head, 1024)
    except (OSError, EOFError, lzma.LZMAError, zlib.error):
        return None
    return None
